import { Writer } from "../writer.ts";

/** One for all requests: each is written and copied out before anything else runs. */
const out = new Writer(1024);

/** Turns a writer of a message into an encoder of whole requests. */
export function encoder<T>(write: (out: Writer, request: T) => void): (request: T) => Uint8Array {
  return (request) => {
    out.reset();
    write(out, request);
    return out.copy();
  };
}
