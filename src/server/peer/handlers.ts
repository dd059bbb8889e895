/**
 * What the peer port answers, in etcd's words and order of checks (http.md 6, peers.md). Pure: the
 * listener gives it requests and carries its answers.
 */
import type { Logger } from "../../base/log.ts";
import { emptyBytes, utf8 } from "../../base/bytes.ts";
import type { Clock } from "../../base/ports.ts";
import { etcdVersion } from "../../base/version.ts";
import { checkMessage, isSnapshot } from "./message-check.ts";
import { readMessage } from "./message-frames.ts";
import { checkSender, clusterIdMismatch, hex, parseHexId } from "./peer-headers.ts";
import type { PeerInbound, StreamHold, StreamKind, StreamSink } from "./peer-options.ts";
import type { PeerReply, PeerService } from "./peer-port.ts";
import { FrameError } from "./frame-error.ts";
import { formatRfc3339 } from "./rfc3339.ts";
import { receiveSnapshot } from "./snapshot-receiver.ts";

/** One request on the peer port. */
export interface PeerExchange {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly remoteAddress: string;
  /** By lower-case name; empty when it is not there. */
  header(name: string): string;
  /** The whole body; null when it is larger. */
  readBody(bytesMax: number, done: (error: Error | null, body: Uint8Array | null) => void): void;
  /** The body in pieces; the next comes after `next`. */
  readPieces(pieces: BodyPieces): void;
  answer(reply: HttpReply): void;
  /** Answers 200 now; the body is what is written until the connection ends. */
  openStream(headers: readonly HeaderField[], opened: (sink: StreamSink) => StreamHold): void;
}

export interface BodyPieces {
  data(bytes: Uint8Array, next: () => void): void;
  end(): void;
  /** The body broke off. */
  abort(error: Error): void;
}

export type HeaderField = readonly [name: string, value: string];

export interface HttpReply {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly body: Uint8Array;
}

export interface HandlerDeps {
  readonly inbound: PeerInbound;
  readonly services: readonly PeerService[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** A plain refusal as Go's http.Error writes it. */
function plain(status: number, text: string, headers: readonly HeaderField[] = []): HttpReply {
  return {
    status,
    headers: [
      ...headers,
      ["Content-Type", "text/plain; charset=utf-8"],
      ["X-Content-Type-Options", "nosniff"],
    ],
    body: utf8(`${text}\n`),
  };
}

const streamsPath = "/raft/stream/";

export function handlePeerRequest(deps: HandlerDeps, exchange: PeerExchange): void {
  const { path } = exchange;
  if (path === "/raft") onPipeline(deps, exchange);
  else if (path.startsWith(streamsPath)) onStream(deps, exchange);
  else if (path === "/raft/snapshot") onSnapshot(deps, exchange);
  else if (path === "/raft/probing") onProbe(deps, exchange);
  else onService(deps, exchange);
}

function notAllowed(method: string): HttpReply {
  return plain(405, "Method Not Allowed", [["Allow", method]]);
}

function clusterIdHeader({ inbound }: HandlerDeps): HeaderField {
  return ["X-Etcd-Cluster-Id", hex(inbound.identity.clusterId)];
}

/** Who sends, as the request says: a member, or nobody known. */
function learnRemote({ inbound }: HandlerDeps, exchange: PeerExchange): bigint | null {
  const from = parseHexId(exchange.header("x-server-from"));
  const urls = exchange.header("x-peerurls");
  if (from !== null && urls !== "") inbound.addRemote(from, urls.split(","));
  return from;
}

function onPipeline(deps: HandlerDeps, exchange: PeerExchange): void {
  const { inbound, log } = deps;
  if (exchange.method !== "POST") {
    exchange.answer(notAllowed("POST"));
    return;
  }
  const headers = [clusterIdHeader(deps)];
  const mismatch = checkSender(exchange.header, inbound.identity, log);
  if (mismatch !== null) {
    exchange.answer(plain(412, mismatch, headers));
    return;
  }
  const sender = learnRemote(deps, exchange);
  exchange.readBody(inbound.limits.pipelineBodyBytesMax, (error, body) => {
    if (error !== null || body === null) {
      const reason = error?.message ?? "body is too large";
      refuseMessage(deps, exchange, "failed to read Raft message", reason);
      exchange.answer(plain(400, "error reading raft message", headers));
      return;
    }
    const refusal = step(deps, exchange, body, sender);
    if (refusal === null) exchange.answer({ status: 204, headers, body: emptyBytes });
    else exchange.answer(plain(refusal.status, refusal.text, headers));
  });
}

/** Gives raft the message, or says what to answer instead. */
function step(
  deps: HandlerDeps,
  exchange: PeerExchange,
  body: Uint8Array,
  sender: bigint | null,
): { readonly status: number; readonly text: string } | null {
  const { inbound, log } = deps;
  try {
    const message = readMessage(body);
    inbound.metrics.receivedBytes.with(hex(message.from)).value += body.length;
    const refusal = checkMessage(message, sender, inbound, log);
    if (refusal?.isSilent === true) return null;
    // Never 403: a member that is told so takes itself for removed.
    if (refusal !== null) return { status: 500, text: "error processing raft message" };
    if (isSnapshot(message)) return { status: 400, text: "wrong raft message type" };
    inbound.events.receive(message);
    return null;
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    refuseMessage(deps, exchange, "failed to unmarshal Raft message", error.message);
    return { status: 400, text: "error unmarshalling raft message" };
  }
}

function refuseMessage(
  { inbound, log }: HandlerDeps,
  exchange: PeerExchange,
  what: string,
  error: string,
): void {
  log.warn(what, { "local-member-id": hex(inbound.identity.localId), error });
  inbound.metrics.receivedFailures.with(exchange.remoteAddress).value++;
}

const streamKinds: Readonly<Record<string, StreamKind>> = {
  [`${streamsPath}msgapp`]: "msgapp",
  [`${streamsPath}message`]: "message",
};

function onStream(deps: HandlerDeps, exchange: PeerExchange): void {
  const { inbound, log } = deps;
  if (exchange.method !== "GET") {
    exchange.answer(notAllowed("GET"));
    return;
  }
  const headers: HeaderField[] = [["X-Server-Version", etcdVersion], clusterIdHeader(deps)];
  const refuse = (status: number, text: string): void => {
    exchange.answer(plain(status, text, headers));
  };
  const mismatch = checkSender(exchange.header, inbound.identity, log);
  if (mismatch !== null) {
    refuse(412, mismatch);
    return;
  }
  const slash = exchange.path.lastIndexOf("/");
  const kind = streamKinds[exchange.path.slice(0, slash)];
  if (kind === undefined) {
    refuse(404, "invalid path");
    return;
  }
  const local = {
    "local-member-id": hex(inbound.identity.localId),
    "remote-peer-id-stream-handler": hex(inbound.identity.localId),
  };
  const fromText = exchange.path.slice(slash + 1);
  const from = parseHexId(fromText);
  if (from === null) {
    log.warn("failed to parse path into ID", { ...local, path: fromText });
    refuse(404, "invalid from");
    return;
  }
  const who = { ...local, "remote-peer-id-from": hex(from) };
  if (inbound.events.isRemoved(from)) {
    log.warn("rejected stream from remote peer because it was removed", who);
    refuse(410, "removed member");
    return;
  }
  if (!inbound.isPeer(from)) {
    const urls = exchange.header("x-peerurls");
    if (urls !== "") inbound.addRemote(from, urls.split(","));
    const clusterId = hex(inbound.identity.clusterId);
    log.warn("failed to find remote peer in cluster", { ...who, "cluster-id": clusterId });
    refuse(404, "error sender not found");
    return;
  }
  const to = exchange.header("x-raft-to");
  if (to !== hex(inbound.identity.localId)) {
    log.warn("ignored streaming request; ID mismatch", { ...who, "remote-peer-id-header": to });
    refuse(412, "to field mismatch");
    return;
  }
  exchange.openStream(headers, (sink) => inbound.attach(from, kind, sink));
}

function onSnapshot(deps: HandlerDeps, exchange: PeerExchange): void {
  const { inbound, log } = deps;
  const failures = inbound.metrics.snapshotReceiveFailures;
  if (exchange.method !== "POST") {
    failures.with(unknownSender).value++;
    exchange.answer(notAllowed("POST"));
    return;
  }
  const headers = [clusterIdHeader(deps)];
  const mismatch = checkSender(exchange.header, inbound.identity, log);
  if (mismatch !== null) {
    failures.with(unknownSender).value++;
    exchange.answer(plain(412, mismatch, headers));
    return;
  }
  const sender = learnRemote(deps, exchange);
  receiveSnapshot(deps, exchange, sender, (status, text) => {
    if (status === 204) exchange.answer({ status, headers, body: emptyBytes });
    else exchange.answer(plain(status, text, headers));
  });
}

const unknownSender = "UNKNOWN_SNAPSHOT_SENDER";

/** Any method; the wall clock lets the peer see how far ours is from its own. */
function onProbe({ clock }: HandlerDeps, exchange: PeerExchange): void {
  const body = utf8(`{"OK":true,"Now":"${formatRfc3339(clock.wall())}"}\n`);
  exchange.answer({ status: 200, headers: [["Content-Type", plainText]], body });
}

const plainText = "text/plain; charset=utf-8";

function onService(deps: HandlerDeps, exchange: PeerExchange): void {
  const { method, path } = exchange;
  const service = findService(deps.services, path);
  if (service === undefined) {
    exchange.answer(plain(404, "404 page not found"));
    return;
  }
  const isLease = path.startsWith("/leases");
  if (method !== service.method) {
    // etcd's lease handler names no method.
    const refusal = isLease ? plain(405, "Method Not Allowed") : notAllowed(service.method);
    exchange.answer(refusal);
    return;
  }
  const { inbound } = deps;
  const theirs = exchange.header("x-etcd-cluster-id");
  const isHash = path === "/members/hashkv";
  if (isHash && theirs !== "" && theirs !== hex(inbound.identity.clusterId)) {
    exchange.answer(plain(412, clusterIdMismatch));
    return;
  }
  exchange.readBody(inbound.limits.serviceBodyBytesMax, (error, body) => {
    if (error !== null) exchange.answer(plain(400, "error reading body"));
    else if (body === null) exchange.answer(plain(413, "request body too large"));
    else {
      const authorization = exchange.header("authorization");
      service.handle({ path, body, authorization }, (reply) => {
        exchange.answer(serviceReply(deps, path, reply));
      });
    }
  });
}

function findService(services: readonly PeerService[], path: string): PeerService | undefined {
  return (
    services.find((service) => service.path === path) ??
    services.find(({ path: prefix }) => prefix.endsWith("/") && path.startsWith(prefix))
  );
}

/** X-Etcd-Cluster-ID goes with what tells of members: a joining member insists on it. */
function serviceReply(deps: HandlerDeps, path: string, reply: PeerReply): HttpReply {
  const { status, body, contentType } = reply;
  const headers: HeaderField[] = [["Content-Type", contentType]];
  const isTold = path.startsWith("/members") || path.startsWith("/downgrade");
  const isFailedHash = path === "/members/hashkv" && status !== 200;
  if (isTold && !isFailedHash) headers.push(clusterIdHeader(deps));
  if (status >= 400) headers.push(["X-Content-Type-Options", "nosniff"]);
  return { status, headers, body };
}
