/** One short HTTP request: its whole answer, or an error, within a time. */
import type { Clock, Done } from "../../base/ports.ts";
import { concat, emptyBytes } from "../../base/bytes.ts";
import type { DialedCall, Dialer, DialRequest } from "./dial-port.ts";

export interface ShortAnswer {
  readonly status: number;
  readonly body: Uint8Array;
  header(name: string): string;
}

export interface ShortRequest extends Omit<DialRequest, "isLong"> {
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
}

const noAnswer: ShortAnswer = { status: 0, body: emptyBytes, header: () => "" };

/** `done` exactly once, unless it is cancelled before. */
export function requestShort(
  { dialer, clock }: { readonly dialer: Dialer; readonly clock: Clock },
  request: ShortRequest,
  done: Done<ShortAnswer>,
): { cancel(): void } {
  let answer = noAnswer;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  let isOver = false;
  let call: DialedCall | null = null;
  const finish = (error: Error | null): void => {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    if (error !== null) call?.destroy();
    done(error, error === null ? { ...answer, body: concat(parts) } : noAnswer);
  };
  const timer = clock.after(request.timeoutMs, () => {
    finish(new Error("request timed out"));
  });
  call = dialer.open(
    { ...request, isLong: false },
    {
      head(status, header) {
        answer = { status, header, body: emptyBytes };
      },
      data(piece) {
        bytes += piece.length;
        if (bytes > request.answerBytesMax) finish(new Error("answer is too large"));
        else parts.push(piece);
      },
      end: finish,
    },
  );
  return {
    cancel() {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      call.destroy();
    },
  };
}
