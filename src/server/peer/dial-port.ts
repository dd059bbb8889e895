/** HTTP requests to peers as the transport needs them; `dialer.ts` makes them on real sockets. */

export interface DialRequest {
  readonly method: "GET" | "POST";
  /** A peer URL: scheme, host and port count. */
  readonly url: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body; left out where it is written in pieces, or there is none. */
  readonly body?: Uint8Array;
  /** A body follows by `write` and `finish`. */
  readonly hasPieces?: boolean;
  /** A connection of its own, which lives as long as the answer. */
  readonly isLong: boolean;
  readonly connectTimeoutMs: number;
}

/** What comes back: `head` at most once, `data` after it, `end` exactly once and last. */
export interface DialEvents {
  head(status: number, header: (name: string) => string): void;
  data(bytes: Uint8Array): void;
  /** Null: the answer is whole. Never before `open` returned. */
  end(error: Error | null): void;
}

export interface DialedCall {
  /** `done` when the bytes are with the system; one piece at a time. */
  write(bytes: Uint8Array, done: () => void): void;
  finish(): void;
  /** Ends the connection; no event comes after. */
  destroy(): void;
}

export interface Dialer {
  open(request: DialRequest, events: DialEvents): DialedCall;
  /** Lets idle connections go. */
  close(): void;
}
