import { test } from "node:test";

import { leaseSuite } from "../lease-suite.ts";
import { runCases } from "../live.ts";

test("leases of a cluster", { timeout: 120_000 }, (t) => runCases(t, leaseSuite));
