import { exitCode, ExitError } from "../cli/run.ts";
import { errorText } from "../cli/system-error.ts";

/** Runs a step; what it fails with ends the program with exit code 1 and Go's text. */
export async function orExit<T>(run: () => Promise<T> | T): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ExitError) throw error;
    throw new ExitError(exitCode.error, errorText(error), { cause: error });
  }
}
