/** Writes of many clients at once, measured: what the checks are made of. */
import { ExitError, exitCode } from "../../cli/run.ts";
import type { Connection } from "../../client/connection.ts";
import { KvArea } from "../../client/kv.ts";
import { MaintenanceArea } from "../../client/maintenance.ts";
import { goQuote } from "../../cli/go-quote.ts";
import { connect } from "../connect.ts";
import { goErrorText } from "../go-error.ts";
import type { Session } from "../session.ts";
import { clientOptions } from "../settings.ts";

const models: Readonly<Record<string, string>> = {
  ...{ s: "s", small: "s", m: "m", medium: "m" },
  ...{ l: "l", large: "l", xl: "xl", xLarge: "xl" },
};

/** @throws ExitError for a load that is none. */
export function chooseLoad<T>(loads: Readonly<Record<string, T>>, name: string): T {
  const model = Object.hasOwn(models, name) ? models[name] : undefined;
  if (model === undefined) {
    throw new ExitError(exitCode.badFeature, `unknown load option ${name}`);
  }
  return loads[model]!;
}

/** Cleaning up is given up after this time. */
const cleanUpMs = 30_000;

export class LoadClients {
  readonly #session: Session;
  readonly #connections: readonly Connection[];
  readonly #areas: readonly KvArea[];

  constructor(session: Session, count: number) {
    this.#session = session;
    const options = clientOptions(session.settings);
    this.#connections = Array.from({ length: count }, () => connect(options));
    this.#areas = this.#connections.map(({ caller }) => new KvArea(caller));
  }

  get first(): KvArea {
    return this.#areas[0]!;
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** @throws ExitError when keys of another use are below the prefix. */
  async refuseUsed(prefix: string, command: string): Promise<void> {
    const { kvs } = await this.first.get(prefix, { prefix: true, limit: 1, timeoutMs: Infinity });
    if (kvs.length === 0) return;
    const text = `prefix ${goQuote(prefix)} has keys. Delete with ${command} first`;
    throw new ExitError(exitCode.invalidInput, text);
  }

  /** Every client takes the next value as soon as it has done the one before. */
  async write(next: () => Promise<Uint8Array | null>, value: Uint8Array): Promise<Measured> {
    const measured = new Measured();
    const work = async (kv: KvArea): Promise<void> => {
      for (let key = await next(); key !== null; key = await next()) {
        const started = performance.now();
        let failure: unknown;
        try {
          await kv.put(key, value, { timeoutMs: Infinity });
        } catch (error) {
          failure = error;
        }
        measured.add((performance.now() - started) / 1_000, failure);
      }
    };
    await Promise.all(this.#areas.map(work));
    measured.end();
    return measured;
  }

  /** Removes what was written; returns the revision of that. */
  async remove(prefix: string, timeoutMs = cleanUpMs): Promise<number> {
    const { header } = await this.first.delete(prefix, { prefix: true, timeoutMs });
    return header.revision;
  }

  async compact(revision: number): Promise<void> {
    this.#session.print(`Compacting with revision ${revision}\n`);
    await this.first.compact(revision, { physical: true, timeoutMs: cleanUpMs });
    this.#session.print(`Compacted with revision ${revision}\n`);
  }

  async defragment(): Promise<void> {
    const maintenance = new MaintenanceArea(this.#connections[0]!.caller);
    for (const endpoint of this.#session.settings.endpoints) {
      const shown = goQuote(endpoint);
      this.#session.print(`Defragmenting ${shown}\n`);
      await maintenance.defragment({ endpoint, timeoutMs: cleanUpMs });
      this.#session.print(`Defragmented ${shown}\n`);
    }
  }
}

/** Times of the writes that succeeded, and what the others failed with. */
export class Measured {
  readonly errors = new Map<string, number>();
  readonly #seconds: number[] = [];
  readonly #startedAt = performance.now();
  #totalSeconds = 0;

  add(seconds: number, failure: unknown): void {
    if (failure === undefined) {
      this.#seconds.push(seconds);
      return;
    }
    const text = goErrorText(failure);
    this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
  }

  end(): void {
    this.#totalSeconds = (performance.now() - this.#startedAt) / 1_000;
  }

  get perSecond(): number {
    return this.#seconds.length / this.#totalSeconds;
  }

  get slowest(): number {
    return this.#seconds.reduce((most, seconds) => Math.max(most, seconds), 0);
  }

  get deviation(): number {
    const count = this.#seconds.length;
    const average = this.#seconds.reduce((sum, seconds) => sum + seconds, 0) / count;
    const squares = this.#seconds.reduce((sum, seconds) => sum + (seconds - average) ** 2, 0);
    return Math.sqrt(squares / count);
  }

  /** The failures as lines. */
  errorLines(): string {
    if (this.errors.size === 0) return "";
    const lines = [...this.errors].map(([text, count]) => `FAIL: ERROR(${text}) -> ${count}\n`);
    return `FAIL: too many errors\n${lines.join("")}`;
  }
}

/** A key below the prefix: a random number, filled up with zero bytes. */
export function randomKey(prefix: Uint8Array, keyBytes: number): Uint8Array {
  const key = new Uint8Array(prefix.length + keyBytes);
  key.set(prefix);
  crypto.getRandomValues(key.subarray(prefix.length, prefix.length + randomBytes));
  return key;
}

const randomBytes = 9;
