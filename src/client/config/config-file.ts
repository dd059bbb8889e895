/** The last good configuration on disk: where a start without etcd begins. */
import { open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** What the file holds: JSON, for people to read and mend. */
export interface SavedConfig {
  /** Of etcd, when the value was written there. */
  readonly revision: number;
  /** What the user's `parse` was given. */
  readonly input: unknown;
}

/** Only the owner may read it: configuration holds passwords. */
const fileMode = 0o600;

/** Null if there is no file. Throws when it cannot be read or is not what {@link saveConfig} wrote. */
export async function loadConfig(path: string): Promise<SavedConfig | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const saved = JSON.parse(text) as Partial<SavedConfig> | null;
  if (typeof saved !== "object" || saved === null || typeof saved.revision !== "number") {
    throw new SyntaxError(`${path} holds no saved configuration`);
  }
  return { revision: saved.revision, input: saved.input };
}

/** Whoever reads the path meanwhile, or after a crash, finds the former file or the new one. */
export async function saveConfig(path: string, saved: SavedConfig): Promise<void> {
  const folder = dirname(path);
  const draft = join(folder, `.${basename(path)}.${crypto.randomUUID()}`);
  try {
    const file = await open(draft, "wx", fileMode);
    try {
      await file.writeFile(`${JSON.stringify(saved, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
