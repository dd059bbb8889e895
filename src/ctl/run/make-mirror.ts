import type { FlagSet } from "../../cli/flag.ts";
import { KvArea } from "../../client/kv.ts";
import { op } from "../../client/op.ts";
import type { Kv, Op, WatchEvent } from "../../client/types.ts";
import { MirrorSyncer } from "../../client/wrap/mirror.ts";
import type { CtlCall } from "../commands/spec.ts";
import { looseBytes } from "../input/loose-text.ts";
import type { Session } from "../session.ts";
import { openSession } from "../session.ts";
import type { Settings } from "../settings.ts";
import { readLimits, splitLogin } from "../settings.ts";
import { areasOf } from "./areas.ts";
import { badUse } from "./get.ts";

/** How often the number of keys copied is printed. */
const reportMs = 30_000;
/** Keys of the base on their way at once. */
const putsMax = 32;

export async function runMakeMirror(call: CtlCall): Promise<void> {
  const [destination] = call.args;
  if (destination === undefined || call.args.length !== 1) {
    throw badUse("make-mirror takes one destination argument");
  }
  const target = await destinationSettings(call, destination);
  const session = await openSession(call);
  const rename = renaming(call.flags);
  const patience = session.patient;
  await session.run(
    async (there) =>
      session.run(async (here) => {
        const kv = new KvArea(there.caller);
        const copy = new Copy(kv, rename, call.flags.int("max-txn-ops"), patience);
        const timer = setInterval(() => {
          session.print(`${copy.total}\n`);
        }, reportMs);
        try {
          await mirror(session, areasOf(here.caller), copy);
        } finally {
          clearInterval(timer);
        }
      }),
    {},
    target,
  );
}

async function destinationSettings(call: CtlCall, endpoint: string): Promise<Settings> {
  const { flags, context } = call;
  const ask = (): Promise<string> => context.stdin.hiddenLine("Destination Password: ");
  return {
    endpoints: [endpoint],
    secure: {
      cert: flags.string("dest-cert"),
      key: flags.string("dest-key"),
      cacert: flags.string("dest-cacert"),
      serverName: "",
      isInsecureTransport: flags.bool("dest-insecure-transport"),
      isVerifySkipped: false,
    },
    login: await splitLogin(flags.string("dest-user"), flags.string("dest-password"), ask),
    ...readLimits(flags),
  };
}

type Rename = (key: Uint8Array) => Uint8Array;

/** How keys are called at the destination. @throws ExitError */
function renaming(flags: FlagSet): Rename {
  const given = flags.string("dest-prefix");
  const hasNone = flags.bool("no-dest-prefix");
  if (hasNone && given !== "") {
    throw badUse(
      "`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one",
    );
  }
  const from = looseBytes(flags.string("prefix"));
  const to = hasNone ? new Uint8Array(0) : given === "" ? from : looseBytes(given);
  return (key) => {
    const rest = key.subarray(from.length);
    const renamed = new Uint8Array(to.length + rest.length);
    renamed.set(to);
    renamed.set(rest, to.length);
    return renamed;
  };
}

/** With a revision to begin at there is no base: only changes are copied. */
async function mirror(
  session: Session,
  areas: ReturnType<typeof areasOf>,
  copy: Copy,
): Promise<void> {
  const { flags } = session.call;
  const before = Math.max(flags.int("rev") - 1, 0);
  const syncer = new MirrorSyncer(areas, looseBytes(flags.string("prefix")), before);
  if (before === 0) {
    const waiting = new Set<Promise<void>>();
    for await (const { key, value } of syncer.base(session.patient)) {
      const put = copy.put(key, value).finally(() => waiting.delete(put));
      waiting.add(put);
      if (waiting.size >= putsMax) await Promise.race(waiting);
    }
    await Promise.all(waiting);
  }
  for await (const { events } of syncer.updates()) await copy.apply(events);
}

/** Writes at the destination. */
class Copy {
  /** Keys and changes copied so far. */
  total = 0;
  readonly #kv: Kv;
  readonly #rename: Rename;
  readonly #opsMax: number;
  readonly #options: { readonly timeoutMs?: number };

  constructor(kv: Kv, rename: Rename, opsMax: number, options: { readonly timeoutMs?: number }) {
    this.#kv = kv;
    this.#rename = rename;
    this.#opsMax = opsMax;
    this.#options = options;
  }

  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    await this.#kv.put(this.#rename(key), value, this.#options);
    this.total++;
  }

  /** One transaction for each revision, or for as much of it as a transaction may hold. */
  async apply(events: readonly WatchEvent[]): Promise<void> {
    let revision = 0;
    let ops: Op[] = [];
    const flush = async (): Promise<void> => {
      if (ops.length > 0)
        await this.#kv
          .txn()
          .then(...ops)
          .commit(this.#options);
      ops = [];
    };
    for (const { type, kv } of events) {
      if (kv.modRevision > revision || ops.length === this.#opsMax) await flush();
      revision = kv.modRevision;
      const key = this.#rename(kv.key);
      ops.push(type === "put" ? op.put(key, kv.value) : op.delete(key));
      this.total++;
    }
    await flush();
  }
}
