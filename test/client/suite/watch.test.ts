import { test } from "node:test";

import { runCases } from "../live.ts";
import { watchSuite } from "../watch-suite.ts";

test("watches of a cluster", { timeout: 120_000 }, (t) => runCases(t, watchSuite));
