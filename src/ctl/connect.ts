import { ExitError, exitCode } from "../cli/run.ts";
import type { ClientOptions } from "../client/client-options.ts";
import { clientSettings } from "../client/client-options.ts";
import { Connection } from "../client/connection.ts";

/** Connects when first used. `close` it. @throws ExitError for endpoints that are none. */
export function connect(options: ClientOptions): Connection {
  try {
    return new Connection(clientSettings(options));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new ExitError(exitCode.badConnection, text, { cause: error });
  }
}
