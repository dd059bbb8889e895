/**
 * The file a worker thread starts from: `name` (no extension) beside the module whose
 * `import.meta.url` is given. Running from source that is TypeScript, from dist JavaScript; the
 * compiler rewrites imports, never such file names, so this is the one place that knows.
 */
export function workerEntry(moduleUrl: string, name: string): URL {
  const extension = moduleUrl.endsWith(".ts") ? ".ts" : ".js";
  return new URL(`./${name}${extension}`, moduleUrl);
}
