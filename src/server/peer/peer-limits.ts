/** Every bound of the peer protocol. Times and sizes that etcd has are etcd's. */

export interface PeerLimits {
  /** A stream that brings nothing for so long is broken. */
  readonly readTimeoutMs: number;
  /** A write that does not end for so long breaks its stream. */
  readonly writeTimeoutMs: number;
  /** Connecting, TLS included. etcd: a second and the election timeout. */
  readonly dialTimeoutMs: number;
  /** From one attempt to dial a stream to the next. */
  readonly dialIntervalMs: number;
  /** Must be shorter than the read timeout, so that the probed connection stays. */
  readonly probeIntervalMs: number;
  /** Messages of one stream that wait for its connection. */
  readonly streamMessagesMax: number;
  /** Their bytes; one message alone may be larger. */
  readonly streamBytesMax: number;
  /** Given to the socket in one piece; the next follows when it is gone. */
  readonly writeBytesMax: number;
  readonly pipelineConnectionsMax: number;
  readonly pipelineMessagesMax: number;
  readonly pipelineBytesMax: number;
  /** A message on a stream, and all entries of an append together. */
  readonly messageBytesMax: number;
  /** Entries of one append. */
  readonly appendEntriesMax: number;
  /** The message before a database file. */
  readonly snapshotMessageBytesMax: number;
  /** Body of a request to /raft. */
  readonly pipelineBodyBytesMax: number;
  /** Body of a request to a PeerService. */
  readonly serviceBodyBytesMax: number;
  /** Body of an answer to a request of ours. */
  readonly answerBytesMax: number;
  /** Requests to services of one peer under way. */
  readonly callsMax: number;
  /** A database file of which no byte moves for so long is given up. */
  readonly snapshotStallMs: number;
  /** After the last byte of a database file: for verifying and installing it. */
  readonly snapshotAnswerTimeoutMs: number;
  readonly connectionsMax: number;
  /** Until a request's headers are whole. */
  readonly headersTimeoutMs: number;
  /** Until a short request's body is whole. */
  readonly bodyTimeoutMs: number;
  readonly headerBytesMax: number;
  /** Members learnt of from requests. */
  readonly remotesMax: number;
}

const mib = 1024 * 1024;

export const peerLimits: PeerLimits = {
  readTimeoutMs: 5_000,
  writeTimeoutMs: 5_000,
  dialTimeoutMs: 2_000,
  dialIntervalMs: 100,
  probeIntervalMs: 4_000,
  streamMessagesMax: 4_096,
  streamBytesMax: 32 * mib,
  writeBytesMax: mib,
  pipelineConnectionsMax: 4,
  pipelineMessagesMax: 64,
  pipelineBytesMax: 32 * mib,
  messageBytesMax: 512 * mib,
  appendEntriesMax: 1_000_000,
  snapshotMessageBytesMax: 64 * mib,
  pipelineBodyBytesMax: 64 * mib,
  serviceBodyBytesMax: 64 * 1024,
  answerBytesMax: 16 * mib,
  callsMax: 1_024,
  snapshotStallMs: 30_000,
  snapshotAnswerTimeoutMs: 300_000,
  connectionsMax: 4_096,
  headersTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  headerBytesMax: 16 * 1024,
  remotesMax: 64,
};
