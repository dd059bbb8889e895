import {
  lockRequest,
  lockResponse,
  unlockRequest,
  type LockResult,
} from "../codec/client/lock-election.ts";
import { headerOnly } from "../codec/client/schema.ts";
import type { Caller } from "./caller.ts";
import { toBytes, toLeaseId } from "./input.ts";
import { methodsOf, patient } from "./method.ts";
import type { Bytes, CallOptions, Header } from "./types.ts";

const method = methodsOf("v3lockpb.Lock");
const lock = method("Lock", "write", lockRequest, lockResponse);
const unlock = method("Unlock", "write", unlockRequest, headerOnly);

/** Locks that the server waits for: `client.lock`. A recipe of the client is `Mutex`. */
export class LockArea {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Waits for the lock of this name, without a deadline unless given one. It is held as long as
   * the lease lives; with lease 0n until it is unlocked. The same lease gets the same lock again.
   */
  async lock(name: Bytes, lease: bigint, options?: CallOptions): Promise<LockResult> {
    const request = { name: toBytes(name, "name"), lease: toLeaseId(lease) };
    return this.#caller.call(lock, request, patient(options));
  }

  /** `key`: what `lock` answered. */
  async unlock(key: Bytes, options?: CallOptions): Promise<{ readonly header: Header }> {
    return this.#caller.call(unlock, { key: toBytes(key, "key") }, options);
  }
}
