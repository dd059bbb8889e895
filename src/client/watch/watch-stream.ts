// Many watches over one stream.
//
//             first watch                    lasting silence of users
//   ┌──────┐ ────────────▶ ┌──────┐ ──────────────────────────────────▶ ┌────────┐
//   │ none │               │ open │      (no watch left for a while)    │ closed │
//   └──────┘               └──────┘ ──────────────────────────────────▶ └────────┘
//                     broke │    ▲           client closed                   ▲
//                           ▼    │ back-off over                             │
//                        ┌─────────┐        no watch left, refused           │
//                        │ waiting │ ────────────────────────────────────────┘
//                        └─────────┘
//
// WS1  The client chooses the ids of its watches and never uses one twice on a stream, so whatever
//      comes late for a watch that left finds nobody. A watch that leaves before its `created`
//      is canceled right behind its creation; the server does both in order.
// WS2  `created` answers come in the order of the requests. One with an id that was not asked for
//      (an old server, a proxy; -1 of a refusal) belongs to the oldest that is open.
// WS3  A stream serves watchesPerStreamMax watches at most, so what it sends without waiting for
//      the transport is bounded: their requests, once per opening.
// WS4  A paused stream serves one watch alone and takes no other: nobody is held up.
// WS5  A progress notice for all (id -1) goes to the watches that are created, and to no other.
// WS6  The stream is opened again after every break, for as long as it has watches: but a refusal
//      that would come again ends them, at once or after refusalsMax openings without an event.
import { grpcCode } from "../../base/grpc-code.ts";
import {
  decodeWatchResponse,
  encodeWatchMessage,
  type WatchMessage,
  type WatchResponse,
} from "../../codec/client/watch.ts";
import type { CallStream, Caller, Method } from "../caller.ts";
import type { ClientClock } from "../clock.ts";
import {
  EtcdError,
  MalformedResponseError,
  NotSupportedForLearnerError,
  WatchCanceledError,
} from "../errors.ts";
import { StreamBackoff } from "../stream-backoff.ts";
import { cancelError, isStaleToken } from "./watch-spec.ts";
import type { ClientWatcher } from "./watcher.ts";

/** @forTests */
export const watchesPerStreamMax = 1_000;
/** A stream without watches stays open this long: locks make a watch after the other. @forTests */
export const lingerMs = 1_000;
const refusalsMax = 3;
/** The server's id of notices for all watches of the stream, and of refused ones. */
const noWatchId = -1;

const watchMethod: Method<WatchMessage, WatchResponse> = {
  path: "/etcdserverpb.Watch/Watch",
  retry: "read",
  encode: encodeWatchMessage,
  decode: decodeWatchResponse,
};

/** Refusals that another opening cannot change. */
const finalCodes: ReadonlySet<number> = new Set([
  grpcCode.invalidArgument,
  grpcCode.permissionDenied,
  grpcCode.unimplemented,
  grpcCode.failedPrecondition,
]);
/** Refusals that another opening may change: a new token, another member. */
const stubbornCodes: ReadonlySet<number> = new Set([
  grpcCode.unauthenticated,
  grpcCode.resourceExhausted,
]);

export interface WatchStreamParts {
  readonly caller: Caller;
  readonly clock: ClientClock;
  /** As Math.random. */
  readonly random: () => number;
  readonly requireLeader: boolean;
  /** It serves nobody and will not be used any more. */
  readonly closed: (stream: WatchStream) => void;
}

type State =
  | { readonly kind: "none" | "closed" }
  | { readonly kind: "open"; readonly call: CallStream<WatchMessage> }
  | { readonly kind: "waiting"; readonly timer: { cancel(): void } };

export class WatchStream {
  readonly #parts: WatchStreamParts;
  readonly #backoff: StreamBackoff;
  readonly #watchers = new Set<ClientWatcher>();
  /** Asked for on this opening. */
  readonly #byId = new Map<number, ClientWatcher>();
  /** Requests without a `created` answer, in order (WS2), those of watches that left included. */
  readonly #creating = new Set<number>();
  #state: State = { kind: "none" };
  #nextId = 1;
  #isPaused = false;
  #isProgressWanted = false;
  #refusals = 0;
  #linger: { cancel(): void } | null = null;

  constructor(parts: WatchStreamParts) {
    this.#parts = parts;
    this.#backoff = new StreamBackoff(parts.random);
  }

  get hasRoom(): boolean {
    const isUsable = !this.#isPaused && this.#state.kind !== "closed";
    return isUsable && this.#watchers.size < watchesPerStreamMax;
  }

  add(watcher: ClientWatcher): void {
    this.#linger?.cancel();
    this.#linger = null;
    this.#watchers.add(watcher);
    watcher.home = this;
    if (this.#state.kind === "open") this.#create(this.#state.call, watcher);
    else if (this.#state.kind === "none") this.#open();
  }

  /** The watch ended or is parked. */
  remove(watcher: ClientWatcher): void {
    if (!this.#watchers.delete(watcher)) return;
    const id = watcher.watchId;
    watcher.home = null;
    watcher.disconnected(null);
    if (this.#byId.get(id) === watcher) {
      this.#byId.delete(id);
      this.#send({ kind: "cancel", watchId: id }); // WS1
    }
    if (this.#watchers.size > 0) return;
    this.#resume();
    if (this.#state.kind === "open") this.#waitForUsers();
    else this.close();
  }

  /** A reader cannot keep up: true if it can stay, the stream waiting for it (WS4). */
  pause(): boolean {
    if (this.#watchers.size !== 1 || this.#state.kind !== "open") return false;
    this.#isPaused = true;
    this.#state.call.pause();
    return true;
  }

  unpause(): void {
    this.#resume();
  }

  requestProgress(): void {
    if (this.#state.kind === "open") this.#send({ kind: "progress" });
    else this.#isProgressWanted = true;
  }

  /** Its watches are somebody else's to end. */
  close(): void {
    const state = this.#state;
    if (state.kind === "open") state.call.cancel();
    if (state.kind === "waiting") state.timer.cancel();
    this.#linger?.cancel();
    this.#state = { kind: "closed" };
    this.#parts.closed(this);
  }

  #open(): void {
    const { caller, requireLeader } = this.#parts;
    const isCurrent = (): boolean => this.#state.kind === "open" && this.#state.call === call;
    const call: CallStream<WatchMessage> = caller.open(
      watchMethod,
      {
        message: (response) => {
          if (isCurrent()) this.#heard(response);
        },
        ended: () => {
          if (isCurrent()) this.#broken(null);
        },
        failed: (error) => {
          if (isCurrent()) this.#broken(error);
        },
      },
      requireLeader ? { requireLeader } : {},
    );
    this.#state = { kind: "open", call };
    for (const watcher of this.#watchers) this.#create(call, watcher);
    if (this.#isProgressWanted) this.requestProgress();
    this.#isProgressWanted = false;
  }

  #create(call: CallStream<WatchMessage>, watcher: ClientWatcher): void {
    const watchId = this.#nextId++; // WS1
    watcher.watchId = watchId;
    this.#byId.set(watchId, watcher);
    this.#creating.add(watchId);
    const create = { ...watcher.spec, startRevision: watcher.nextRevision, watchId };
    call.send({ kind: "create", create }); // WS3
  }

  #send(message: WatchMessage): void {
    if (this.#state.kind === "open") this.#state.call.send(message);
  }

  #heard(response: WatchResponse): void {
    this.#backoff.reset();
    if (response.created) {
      this.#created(response);
      return;
    }
    const watcher = this.#byId.get(response.watchId);
    if (response.canceled) {
      if (watcher !== undefined) this.#refused(watcher, response);
      return; // else: what the client canceled
    }
    this.#refusals = 0;
    if (watcher !== undefined) watcher.received(response);
    else if (response.watchId === noWatchId) this.#progressed(response);
  }

  #created(response: WatchResponse): void {
    const asked = this.#oldest(response.watchId);
    if (asked === undefined) return;
    this.#creating.delete(asked);
    const watcher = this.#byId.get(asked);
    if (response.canceled) {
      if (watcher !== undefined) this.#refused(watcher, response);
      return;
    }
    const id = response.watchId;
    if (watcher === undefined) {
      // It left; its cancel named the id asked for.
      if (id !== asked) this.#send({ kind: "cancel", watchId: id });
      return;
    }
    if (id !== asked) {
      this.#byId.delete(asked);
      this.#byId.set(id, watcher);
      watcher.watchId = id;
    }
    watcher.confirmed(response.header);
  }

  /** Which request a `created` answers (WS2). */
  #oldest(watchId: number): number | undefined {
    if (this.#creating.has(watchId)) return watchId;
    const [first] = this.#creating;
    return first;
  }

  #progressed({ header }: WatchResponse): void {
    for (const [id, watcher] of this.#byId) {
      if (!this.#creating.has(id)) watcher.progressed(header); // WS5
    }
  }

  /** The server canceled a watch. */
  #refused(watcher: ClientWatcher, response: WatchResponse): void {
    this.#byId.delete(watcher.watchId);
    const error = cancelError(response);
    if (isStaleToken(error) && ++this.#refusals < refusalsMax) {
      this.#parts.caller.tokenRefused?.();
      this.#restart(error);
      return;
    }
    watcher.end(error);
  }

  #restart(error: EtcdError): void {
    if (this.#state.kind === "open") this.#state.call.cancel();
    this.#reopenLater(error);
  }

  #broken(error: Error | null): void {
    const etcdError = error === null ? null : EtcdError.from(error);
    if (etcdError !== null && this.#isFinal(etcdError)) this.#refuseAll(etcdError);
    else this.#reopenLater(etcdError);
  }

  #isFinal(error: EtcdError): boolean {
    if (error instanceof NotSupportedForLearnerError || isStaleToken(error)) {
      return ++this.#refusals >= refusalsMax;
    }
    if (finalCodes.has(error.code)) return true;
    const isStubborn = stubbornCodes.has(error.code) || error instanceof MalformedResponseError;
    return isStubborn && ++this.#refusals >= refusalsMax; // WS6
  }

  #refuseAll(cause: EtcdError): void {
    const watchers = this.#forget(cause);
    this.#state = { kind: "none" };
    this.#watchers.clear();
    for (const watcher of watchers) {
      watcher.home = null;
      watcher.end(new WatchCanceledError(cause.code, cause.message, { cause }));
    }
    if (this.#watchers.size === 0) this.close(); // unless an ending made a new one
  }

  #reopenLater(error: EtcdError | null): void {
    const watchers = this.#forget(error);
    const timer = this.#parts.clock.after(this.#backoff.next(), () => {
      this.#state = { kind: "none" };
      this.#open();
    });
    this.#state = { kind: "waiting", timer };
    // The stream waited for its reader: there is nothing to wait with now.
    for (const watcher of watchers) if (watcher.isFull) this.remove(watcher);
    if (this.#watchers.size === 0 && this.#isOpenOrWaiting()) this.close();
  }

  #isOpenOrWaiting(): boolean {
    return this.#state.kind === "open" || this.#state.kind === "waiting";
  }

  /** All that belongs to one opening; the watches that were on it. */
  #forget(error: Error | null): ClientWatcher[] {
    this.#byId.clear();
    this.#creating.clear();
    this.#isPaused = false;
    this.#nextId = 1;
    const watchers = [...this.#watchers];
    for (const watcher of watchers) watcher.disconnected(error);
    return watchers;
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#state.kind === "open") this.#state.call.resume();
  }

  #waitForUsers(): void {
    this.#linger = this.#parts.clock.after(lingerMs, () => {
      this.close();
    });
  }
}
