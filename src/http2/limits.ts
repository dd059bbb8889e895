/** Every bound of the transport, by name. Counts "per second" are per sweep, see connection.ts. */
export interface Http2Limits {
  /** Streams a client may have open; etcd's default is no bound (memory is bounded by bytes). */
  readonly streamsMax: number;
  /** Sum of name + value + 32 over all fields of one request, as SETTINGS_MAX_HEADER_LIST_SIZE. */
  readonly headerListBytesMax: number;
  readonly headerCountMax: number;
  /** Encoded header block over HEADERS and CONTINUATION. */
  readonly headerBlockBytesMax: number;
  readonly continuationsMax: number;

  /** Receive window of a stream and of the connection. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** One gRPC message, before and after decompression. */
  readonly messageBytesMax: number;
  readonly httpBodyBytesMax: number;
  /** Unfinished messages and open streams of one connection (a stream counts streamCostBytes). */
  readonly receiveBytesMax: number;
  readonly streamCostBytes: number;

  /** send() answers false above high, writable() comes below low. */
  readonly pendingHighBytes: number;
  readonly pendingLowBytes: number;
  /** A stream whose service goes on sending above this is reset. */
  readonly pendingStreamBytesMax: number;
  /** Above this new streams of the connection are refused. */
  readonly pendingConnectionBytesMax: number;
  /** DATA of one stream, and of one connection, in one turn. */
  readonly streamTurnBytesMax: number;
  readonly connectionTurnBytesMax: number;
  /** Unsent bytes (socket full) above which reading stops. */
  readonly unsentBytesMax: number;

  readonly settingsPerSecondMax: number;
  readonly pingsPerSecondMax: number;
  readonly resetsPerSecondMax: number;
  /** Streams we reset for the client's faults. */
  readonly rejectedPerSecondMax: number;
  readonly emptyDataPerSecondMax: number;
  /** PRIORITY and unknown frame types. */
  readonly ignoredFramesPerSecondMax: number;
  /** Besides, each windowUpdateBytes of DATA sent earns one. */
  readonly windowUpdatesPerSecondMax: number;
  readonly windowUpdateBytes: number;

  /** From the connection's start to the whole preface and SETTINGS. */
  readonly firstFrameMs: number;
  /** Without streams; 0 = for ever, as etcd. */
  readonly idleMs: number;
  /** Output waits and not one byte leaves. */
  readonly slowReaderMs: number;
  /** From a GOAWAY for an error to the end of the socket. */
  readonly lingerMs: number;
  readonly keepAliveIntervalMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Longest wait of a PING's answer for output that it can leave with, once DATA left. */
  readonly pingAnswerDelayMs: number;
  /** Shortest interval of client pings while calls run. */
  readonly pingIntervalMinMs: number;
  /** The same without any call, unless pings without calls are permitted. */
  readonly pingIntervalIdleMs: number;
  readonly pingWithoutStreamPermitted: boolean;
  readonly pingStrikesMax: number;
}

const kib = 1024;
const mib = 1024 * kib;
const hourMs = 3_600_000;

export const http2Defaults: Http2Limits = {
  streamsMax: 0xffffffff,
  headerListBytesMax: 128 * kib,
  headerCountMax: 256,
  headerBlockBytesMax: 128 * kib,
  continuationsMax: 32,

  streamWindowBytes: mib,
  connectionWindowBytes: 4 * mib,
  messageBytesMax: 2 * mib,
  httpBodyBytesMax: 2 * mib,
  receiveBytesMax: 64 * mib,
  streamCostBytes: 512,

  pendingHighBytes: 64 * kib,
  pendingLowBytes: 16 * kib,
  pendingStreamBytesMax: 64 * mib,
  pendingConnectionBytesMax: 1024 * mib,
  streamTurnBytesMax: 256 * kib,
  connectionTurnBytesMax: mib,
  unsentBytesMax: mib,

  settingsPerSecondMax: 100,
  pingsPerSecondMax: 1000,
  resetsPerSecondMax: 2000,
  rejectedPerSecondMax: 1000,
  emptyDataPerSecondMax: 1000,
  ignoredFramesPerSecondMax: 1000,
  windowUpdatesPerSecondMax: 10_000,
  windowUpdateBytes: 256,

  firstFrameMs: 10_000,
  idleMs: 0,
  slowReaderMs: 120_000,
  lingerMs: 1000,
  keepAliveIntervalMs: 2 * hourMs,
  keepAliveTimeoutMs: 20_000,
  pingAnswerDelayMs: 5,
  pingIntervalMinMs: 5000,
  pingIntervalIdleMs: 2 * hourMs,
  pingWithoutStreamPermitted: false,
  pingStrikesMax: 2,
};
