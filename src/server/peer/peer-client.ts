/**
 * Requests to the HTTP handlers of members, by URL: also before there is a transport, when a member
 * that joins asks who is there. Bounded in number, size and time.
 */
import { emptyBytes } from "../../base/bytes.ts";
import type { Clock, Done } from "../../base/ports.ts";
import type { Dialer } from "./dial-port.ts";
import type { PeerLimits } from "./peer-limits.ts";
import type { PeerAnswer, PeerRequest } from "./peer-port.ts";
import { requestShort } from "./short-request.ts";

export interface PeerClientDeps {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly limits: PeerLimits;
}

export interface UrlAnswer extends PeerAnswer {
  header(name: string): string;
}

const noAnswer: UrlAnswer = { status: 0, body: emptyBytes, header: () => "" };

export class PeerClient {
  readonly #deps: PeerClientDeps;
  readonly #underWay = new Set<{ cancel(): void }>();

  constructor(deps: PeerClientDeps) {
    this.#deps = deps;
  }

  /**
   * Asks the URLs in turn until one answers, with any status. All of it takes at most the request's
   * time: each attempt has an equal share of what is left.
   */
  call(
    urls: readonly string[],
    request: PeerRequest & { readonly headers?: Readonly<Record<string, string>> },
    done: Done<UrlAnswer>,
  ): void {
    const { clock, limits, dialer } = this.#deps;
    if (this.#underWay.size >= limits.callsMax || urls.length === 0) {
      const reason = urls.length === 0 ? "no URL to ask" : "too many requests to peers";
      clock.after(0, () => {
        done(new Error(reason), noAnswer);
      });
      return;
    }
    const headers: Record<string, string> = { ...request.headers };
    if (request.contentType !== undefined) headers["Content-Type"] = request.contentType;
    if (request.authorization !== undefined) headers["Authorization"] = request.authorization;
    const endAt = clock.now() + request.timeoutMs;
    const attempt = (at: number): void => {
      const timeoutMs = Math.max(1, (endAt - clock.now()) / (urls.length - at));
      const running = requestShort(
        { dialer, clock },
        {
          method: request.method,
          url: urls[at]!,
          path: request.path,
          ...(request.body === undefined ? {} : { body: request.body }),
          ...{ headers, timeoutMs, answerBytesMax: limits.answerBytesMax },
          connectTimeoutMs: Math.min(limits.dialTimeoutMs, timeoutMs),
        },
        (error, answer) => {
          this.#underWay.delete(running);
          if (error === null) done(null, answer);
          else if (at + 1 < urls.length) attempt(at + 1);
          else done(error, noAnswer);
        },
      );
      this.#underWay.add(running);
    };
    attempt(0);
  }

  /** What is under way is never answered. */
  close(): void {
    for (const running of this.#underWay) running.cancel();
    this.#underWay.clear();
  }
}
