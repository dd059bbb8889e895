import type { Turn } from "../../src/base/ports.ts";

/** Turns of the real event loop, without the batching of the server's. */
export const plainTurn: Turn = {
  atEnd: (run) => void setImmediate(run),
  atFlush: (run) => void setImmediate(run),
  next: (run) => void setImmediate(run),
};
