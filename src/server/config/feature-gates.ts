/** etcd 3.7.1's feature gates. */
import { parseBool, ValueError } from "./go-values.ts";

interface Gate {
  readonly stage: "ALPHA" | "BETA";
  readonly isOn: boolean;
  /** False while the feature is missing here: turning it on is refused, off is what it is. */
  readonly isSupported: boolean;
}

export const featureGates: Readonly<Record<string, Gate>> = {
  CompactHashCheck: { stage: "ALPHA", isOn: false, isSupported: false },
  FastLeaseKeepAlive: { stage: "BETA", isOn: true, isSupported: true },
  InitialCorruptCheck: { stage: "ALPHA", isOn: false, isSupported: false },
  LeaseCheckpoint: { stage: "ALPHA", isOn: false, isSupported: false },
  LeaseCheckpointPersist: { stage: "ALPHA", isOn: false, isSupported: false },
  PriorityRequest: { stage: "ALPHA", isOn: false, isSupported: false },
  SetMemberLocalAddr: { stage: "ALPHA", isOn: false, isSupported: false },
  StopGRPCServiceOnDefrag: { stage: "ALPHA", isOn: false, isSupported: false },
  TxnModeWriteWithSharedBuffer: { stage: "BETA", isOn: true, isSupported: true },
};

const groups: Readonly<Record<string, Gate["stage"]>> = { AllAlpha: "ALPHA", AllBeta: "BETA" };

/** Parses `A=true,B=false`; a group sets every gate of its stage that is not named itself. */
export function parseFeatureGates(text: string): ReadonlyMap<string, boolean> {
  const given = new Map<string, boolean>();
  for (const part of text.split(",").map((p) => p.trim())) {
    if (part === "") continue;
    const [name = "", value] = part.split("=", 2).map((p) => p.trim());
    if (value === undefined) throw new ValueError(`missing bool value for ${name}`);
    const on = parseBool(value);
    if (on === null) {
      const quoted = JSON.stringify(value);
      throw new ValueError(
        `invalid value of ${name}=${value}, err: strconv.ParseBool: parsing ${quoted}: invalid syntax`,
      );
    }
    if (featureGates[name] === undefined && groups[name] === undefined) {
      throw new ValueError(`unrecognized feature gate: ${name}`);
    }
    given.set(name, on);
  }
  const result = new Map<string, boolean>();
  for (const [name, gate] of Object.entries(featureGates)) {
    const group = given.get(gate.stage === "ALPHA" ? "AllAlpha" : "AllBeta");
    result.set(name, given.get(name) ?? group ?? gate.isOn);
  }
  return result;
}
