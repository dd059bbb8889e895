/** Bytes of a peer that are no frame of its stream, or one beyond a bound: the stream ends. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}
