import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../base/log.ts";
import { lockFile } from "../io/node-lock.ts";
import type { Identity } from "./bootstrap.ts";

export interface OpenedDirectory {
  readonly identity: Identity;
  readonly walPath: string;
  readonly backendPath: string;
  release(): void;
}

/** Provisional */
export function openDataDirectory(
  dataDir: string,
  create: () => Identity,
  _log: Logger,
): OpenedDirectory {
  const member = join(dataDir, "member");
  mkdirSync(member, { recursive: true, mode: 0o700 });
  chmodSync(dataDir, 0o700);
  const lock = lockFile(join(member, "lock"));
  if (lock === null) throw new Error(`the data directory "${dataDir}" is used by another process`);
  const idPath = join(member, "identity.json");
  let identity: Identity;
  try {
    const raw = JSON.parse(readFileSync(idPath, "utf8")) as { clusterId: string; memberId: string };
    identity = { clusterId: BigInt(raw.clusterId), memberId: BigInt(raw.memberId), members: [] };
  } catch {
    identity = create();
    writeFileSync(
      idPath,
      JSON.stringify({
        clusterId: String(identity.clusterId),
        memberId: String(identity.memberId),
      }),
    );
  }
  const backendPath = join(member, "backend");
  mkdirSync(backendPath, { recursive: true, mode: 0o700 });
  return {
    identity,
    walPath: join(member, "wal"),
    backendPath,
    release: () => {
      lock.release();
    },
  };
}
