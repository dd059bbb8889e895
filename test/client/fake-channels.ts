/** Connections that a test plays by hand. */
import { Metadata, status as grpcStatus } from "@grpc/grpc-js";

import type { EtcdError as Constant } from "../../src/base/etcd-errors.ts";
import type { CallListener, Channel, ChannelState, RawCall } from "../../src/client/channel.ts";
import { clientSettings, type ClientOptions } from "../../src/client/client-options.ts";
import { Connection } from "../../src/client/connection.ts";
import { HandClock } from "./scripted-caller.ts";

function toStatus(code: number): grpcStatus {
  return grpcStatus[grpcStatus[code] as keyof typeof grpcStatus];
}

/** A call as it would be on the wire. */
export class FakeCall implements RawCall {
  readonly path: string;
  readonly headers: ReturnType<Metadata["toHttp2Headers"]>;
  readonly sent: string[] = [];
  readonly #listener: CallListener;
  readonly #callbacks: (() => void)[] = [];
  isHalfClosed = false;
  isCanceled = false;
  readsAsked = 0;

  constructor(path: string, metadata: Metadata, listener: CallListener) {
    this.path = path;
    this.headers = metadata.toHttp2Headers();
    this.#listener = listener;
  }

  cancelWithStatus(code: grpcStatus, details: string): void {
    this.isCanceled = true;
    queueMicrotask(() => this.status(code, details));
  }
  sendMessageWithContext(context: { callback?: () => void }, message: Buffer): void {
    this.sent.push(message.subarray(5).toString());
    if (context.callback !== undefined) this.#callbacks.push(context.callback);
  }
  startRead(): void {
    this.readsAsked++;
  }
  halfClose(): void {
    this.isHalfClosed = true;
  }

  /** The transport took what was sent. */
  flush(): void {
    for (const callback of this.#callbacks.splice(0)) callback();
  }
  message(text: string): void {
    this.#listener.onReceiveMessage(Buffer.concat([Buffer.alloc(5), Buffer.from(text)]));
  }
  raw(bytes: Buffer): void {
    this.#listener.onReceiveMessage(bytes);
  }
  status(code: number, details: string, rstCode?: number): void {
    const about = rstCode === undefined ? {} : { rstCode };
    const metadata = new Metadata();
    this.#listener.onReceiveStatus({
      code: toStatus(code),
      details,
      metadata,
      ...about,
    });
  }
  answer(text: string): void {
    this.message(text);
    this.status(0, "");
  }
  refuse({ code, message }: Constant): void {
    this.status(code, message);
  }
}

export class FakeChannel implements Channel {
  readonly endpoint: string;
  state: ChannelState = "idle";
  lastError: Error | null = null;
  readonly calls: FakeCall[] = [];
  readonly #onChange: (channel: Channel) => void;

  constructor(endpoint: string, onChange: (channel: Channel) => void) {
    this.endpoint = endpoint;
    this.#onChange = onChange;
  }

  connect(): void {
    if (this.state === "idle") this.state = "connecting";
  }
  start(path: string, metadata: Metadata, listener: CallListener): RawCall | null {
    if (this.state !== "ready") return null;
    const call = new FakeCall(path, metadata, listener);
    this.calls.push(call);
    return call;
  }
  close(): void {
    this.state = "closed";
  }

  ready(): void {
    this.state = "ready";
    this.#onChange(this);
  }
  fail(reason: string): void {
    this.state = "failed";
    this.lastError = new Error(reason);
    this.#onChange(this);
  }
  get last(): FakeCall {
    return this.calls.at(-1)!;
  }
}

export interface FakeWorld {
  readonly clock: HandClock;
  readonly connection: Connection;
  readonly channels: FakeChannel[];
}

/** A connection to endpoints a:1, b:1 ..., all ready unless said otherwise. */
export function fakeWorld(
  count: number,
  options: ClientOptions & { readonly isReady?: boolean } = {},
): FakeWorld {
  const clock = new HandClock();
  const channels: FakeChannel[] = [];
  const endpoints = ["a:1", "b:1", "c:1"].slice(0, count);
  const settings = clientSettings({ endpoints, clock, random: () => 0.5, ...options });
  const connection = new Connection(settings, ({ text }, onChange) => {
    const channel = new FakeChannel(text, onChange);
    if (options.isReady !== false) channel.state = "ready";
    channels.push(channel);
    return channel;
  });
  return { clock, connection, channels };
}
