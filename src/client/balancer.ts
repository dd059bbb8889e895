/**
 * Several endpoints as one: calls go round robin over those that are connected and healthy.
 *
 * BA1  Nothing is connected before the first call; from then on all endpoints are.
 * BA2  An endpoint that failed a call rests: it is picked only when no other is ready. It rests
 *      longer each time until a call succeeds there.
 * BA3  Who waits is called when an endpoint becomes ready, in the order of waiting.
 */
import type { Channel } from "./channel.ts";
import type { ClientClock } from "./clock.ts";
import type { Endpoint } from "./endpoints.ts";
import { ConnectionError } from "./errors.ts";

export type MakeChannel = (endpoint: Endpoint, onChange: (channel: Channel) => void) => Channel;

export interface Waiter {
  /** An endpoint is ready: `pick` again. The waiter is not waiting any more. */
  channelReady(): void;
  /** Every endpoint has failed at least once since the waiter began to wait; it waits on. */
  allFailed(): void;
}

const restFirstMs = 2_000;
const restLastMs = 30_000;

interface Member {
  readonly endpoint: Endpoint;
  readonly channel: Channel;
  suspectUntil: number;
  /** Length of the last rest; 0: a call succeeded since. */
  restMs: number;
}

export class Balancer {
  readonly #makeChannel: MakeChannel;
  readonly #clock: ClientClock;
  #members: Member[] = [];
  #next = 0;
  #isStarted = false;
  /** Who waits, and which channels have failed since. */
  readonly #waiters = new Map<Waiter, Set<Channel>>();

  constructor(endpoints: readonly Endpoint[], makeChannel: MakeChannel, clock: ClientClock) {
    this.#makeChannel = makeChannel;
    this.#clock = clock;
    this.setEndpoints(endpoints);
  }

  get size(): number {
    return this.#members.length;
  }
  get endpoints(): string[] {
    return this.#members.map(({ endpoint }) => endpoint.text);
  }

  /** A channel that is ready, one other than `avoid` if there is one; null: `wait`. */
  pick(avoid: Channel | null = null): Channel | null {
    if (!this.#isStarted) this.#start();
    const members = this.#members;
    if (members.length === 1) {
      const { channel } = members[0]!;
      return channel.state === "ready" ? channel : null;
    }
    return this.#pickOfMany(members, avoid);
  }

  #pickOfMany(members: readonly Member[], avoid: Channel | null): Channel | null {
    const now = this.#clock.now();
    const start = this.#next++;
    let second: Channel | null = null;
    let last: Channel | null = null;
    for (let i = 0; i < members.length; i++) {
      const { channel, suspectUntil } = members[(start + i) % members.length]!;
      if (channel.state !== "ready") continue;
      if (channel === avoid) last ??= channel;
      else if (suspectUntil <= now) return channel;
      else second ??= channel;
    }
    return second ?? last;
  }

  /** Until `channelReady` was called or `stopWaiting`. */
  wait(waiter: Waiter): void {
    this.#waiters.set(waiter, new Set());
    for (const { channel } of this.#members) channel.connect();
  }

  stopWaiting(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** The endpoint failed a call in a way that another one might not. */
  suspect(channel: Channel): void {
    const member = this.#members.find((other) => other.channel === channel);
    const now = this.#clock.now();
    // Calls that were on their way together count once.
    if (member === undefined || member.suspectUntil > now) return;
    member.restMs = Math.min(Math.max(restFirstMs, member.restMs * 2), restLastMs);
    member.suspectUntil = now + member.restMs; // BA2
  }

  /** A call succeeded there. */
  trust(channel: Channel): void {
    if (this.#members.length === 1) return;
    const member = this.#members.find((other) => other.channel === channel);
    if (member === undefined || member.restMs === 0) return;
    member.restMs = 0;
    member.suspectUntil = 0;
  }

  /** Keeps the connections of endpoints that stay. Calls on the others may end there. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    const left = new Map(this.#members.map((member) => [identity(member.endpoint), member]));
    const members: Member[] = [];
    for (const endpoint of endpoints) {
      const key = identity(endpoint);
      members.push(left.get(key) ?? this.#make(endpoint));
      left.delete(key);
    }
    this.#members = members;
    for (const { channel } of left.values()) channel.close();
    if (this.#isStarted) this.#start();
  }

  /** Why no endpoint is ready. */
  failure(): ConnectionError {
    const reasons = this.#members.map(({ channel }) => ({
      endpoint: channel.endpoint,
      reason: channel.lastError?.message ?? "not connected yet",
    }));
    const cause = this.#members.find(({ channel }) => channel.lastError !== null)?.channel;
    const names = reasons.map(({ endpoint }) => endpoint).join(", ");
    const text =
      reasons.length === 1
        ? reasons[0]!.reason
        : reasons.map(({ endpoint, reason }) => `${endpoint}: ${reason}`).join("; ");
    return new ConnectionError(names, text, { cause: cause?.lastError ?? undefined });
  }

  close(): void {
    this.#waiters.clear();
    for (const { channel } of this.#members) channel.close();
  }

  #make(endpoint: Endpoint): Member {
    const channel = this.#makeChannel(endpoint, (changed) => this.#changed(changed));
    return { endpoint, channel, suspectUntil: 0, restMs: 0 };
  }

  #start(): void {
    this.#isStarted = true; // BA1
    for (const { channel } of this.#members) channel.connect();
  }

  #changed(channel: Channel): void {
    if (channel.state === "ready") {
      const waiters = [...this.#waiters.keys()];
      this.#waiters.clear();
      for (const waiter of waiters) waiter.channelReady(); // BA3
    } else if (channel.state === "failed") {
      for (const [waiter, failed] of [...this.#waiters]) {
        failed.add(channel);
        const isAll = this.#members.every((member) => failed.has(member.channel));
        if (isAll) waiter.allFailed();
      }
    }
  }
}

/** Endpoints that are connected to in the same way are one. */
function identity({ target, tls }: Endpoint): string {
  return `${tls} ${target}`;
}
