import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLmdbBackend } from "../../src/server/backend/lmdb.ts";
import { backendContract } from "./contract.ts";
import { plainTurn } from "./plain-turn.ts";

backendContract(
  "LMDB",
  () => {
    const directory = mkdtempSync(join(tmpdir(), "quorate-backend-"));
    return {
      open: () => openLmdbBackend({ directory, turn: plainTurn }),
      dispose: () => rmSync(directory, { recursive: true }),
    };
  },
  10,
);
