/** The peer's SETTINGS: what they may say, and what they change here (RFC 9113 section 6.5.2). */
import {
  frameBytesDefault,
  frameBytesLargest,
  h2Error,
  readU32,
  setting,
  windowBytesMax,
} from "./frame.ts";
import type { Outbound } from "./outbound.ts";
import type { Stream } from "./stream.ts";

export interface SettingsTarget {
  readonly outbound: Outbound;
  readonly streams: ReadonlyMap<number, Stream>;
}

const settingBytes = 6;

/** Applies `bytes[start..end)` in order. The code of the connection error they make, 0 for none. */
export function applySettings(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: SettingsTarget,
): number {
  for (let at = start; at < end; at += settingBytes) {
    const id = (bytes[at]! << 8) | bytes[at + 1]!;
    const error = applySetting(id, readU32(bytes, at + 2), target);
    if (error !== h2Error.noError) return error;
  }
  return h2Error.noError;
}

function applySetting(id: number, value: number, target: SettingsTarget): number {
  switch (id) {
    case setting.headerTableSize:
      target.outbound.encoder.setPeerTableBytes(value);
      return h2Error.noError;
    case setting.enablePush:
      return value > 1 ? h2Error.protocol : h2Error.noError;
    case setting.initialWindowSize:
      return setInitialWindow(value, target) ? h2Error.noError : h2Error.flowControl;
    case setting.maxFrameSize: {
      // We go on sending frames of the default size: larger ones make turns between streams
      // coarser.
      const isAllowed = value >= frameBytesDefault && value <= frameBytesLargest;
      return isAllowed ? h2Error.noError : h2Error.protocol;
    }
    default:
      return h2Error.noError;
  }
}

/** Moves the window of every open stream by the difference. False: one would overflow. */
function setInitialWindow(value: number, target: SettingsTarget): boolean {
  if (value > windowBytesMax) return false;
  const outbound = target.outbound;
  const change = value - outbound.initialSendWindow;
  outbound.initialSendWindow = value;
  for (const stream of target.streams.values()) {
    stream.sendWindow += change;
    if (stream.sendWindow > windowBytesMax) return false;
    if (change > 0) outbound.schedule(stream);
  }
  return true;
}
