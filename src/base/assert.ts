/** A broken invariant: a bug of ours, never a fault of the caller. It stops the process. */
export class BugError extends Error {
  override readonly name = "BugError";
}

/**
 * Fails with {@link BugError} unless `condition` holds. A lazy message costs nothing when it does.
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new BugError(typeof message === "string" ? message : message());
}

/** The value, which must be there. */
export function must<T>(value: T | null | undefined, what = "value"): T {
  if (value === null || value === undefined) throw new BugError(`${what} is missing`);
  return value;
}
