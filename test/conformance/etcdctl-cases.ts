// The etcdctl commands compared on both servers, in order: later ones see what earlier ones wrote.

export interface CtlCase {
  readonly args: readonly string[];
  readonly input?: string;
  readonly isInputOpen?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** A watch never ends by itself: it is ended when this text was printed. */
  readonly endAt?: string;
  /** Longest time; SIGTERM then ends it. */
  readonly timeoutMs?: number;
  /** Columns of sizes and raft positions are blanked. */
  readonly isStatus?: boolean;
}

/** Splits at blanks; `''` stands for an empty argument. */
export function words(line: string): readonly string[] {
  return line.split(" ").map((word) => (word === "''" ? "" : word));
}

export const run = (line: string): CtlCase => ({ args: words(line) });
export const runAll = (lines: string): CtlCase[] =>
  lines
    .trim()
    .split("\n")
    .map((l) => run(l.trim()));

export const formats = ["simple", "json", "fields", "protobuf", "table"] as const;
/**
 * `LEASE` in an argument is the newest lease of the server the command goes to, `MEMBER` the newest
 * member added there, `LOCAL` that server itself.
 */
export const inEachFormat = (line: string): CtlCase[] => formats.map((f) => run(`${line} -w ${f}`));

const txnInput = `mod("foo") > "0"
version("nokey") = "0"

put foo 1
get foo

del foo
put q 1

`;
const txnInputElse = `value("foo") = "zz"

put never 1

del foo
put q 1
get q

`;
const txnInputAll = `create("a/1") > "0"
ver("a/1") = "1"
val("a/1") != "y"
mod("a/1") < "100000"

get a/ b

`;

const seed = runAll(`
  put foo bar
  put a/1 x
  put a/2 y
  put a/3 z
  put b 1
  put b 2
  put b 3
  put - dash
  del a/3
`);

const keyValue = [
  ...inEachFormat("put foo bar2 --prev-kv"),
  ...inEachFormat("get a/ --prefix"),
  ...inEachFormat("get foo --hex"),
  ...inEachFormat("get nokey"),
  ...inEachFormat("del foo --prev-kv"),
  ...inEachFormat("get b --rev 6"),
  ...inEachFormat("get a/ --prefix --limit 1"),
  ...inEachFormat("get a/ --prefix --stream"),
  ...inEachFormat("get a/ --prefix --count-only"),
  ...inEachFormat("get a/ --prefix --keys-only"),
  ...runAll(`
    put foo again
    get a/1 a/3
    get a/1 a/3 --print-value-only
    get a b c
    get a --from-key
    get '' --prefix --keys-only
    get '' --from-key --keys-only
    get a/ --prefix --order DESCEND
    get a/ --prefix --order ASCEND --sort-by VALUE
    get a/ --prefix --order DESCEND --sort-by CREATE
    get a/ --prefix --sort-by MODIFY -w json
    get '' --prefix --sort-by VERSION --order DESCEND --limit 1 -w json
    get a/ --prefix --consistency s
    get a/ --prefix --consistency l
    get a/ --prefix --min-mod-rev 4 -w json
    get a/ --prefix --max-mod-rev 3 -w json
    get a/ --prefix --min-create-rev 4 -w json
    get a/ --prefix --max-create-rev 3 -w json
    get a/ --prefix --keys-only --print-value-only
    get --prefix --from-key a
    get nokey --order FOO
    get nokey --sort-by FOO
    get nokey --consistency x
    get a -w foo
    get b --rev 100000
    get b --rev -1
    put a
    put k v --ignore-value
    put foo --ignore-value -w json
    put nokey2 --ignore-value
    put foo v --ignore-lease
    put nokey3 v --ignore-lease
    put '' v
    put lk2 v --lease zz
    put lk2 v --lease 99
    get ''
    del ''
    del nokey
    del a/1 a/2 --range
    del zz --from-key
    del a/ --prefix --prev-kv -w json
    put a/1 x
    put a/2 y
  `),
  { args: ["put", "stdin"], input: "from standard input\nsecond line" },
  run("get stdin -w json"),
];

const txns = [
  ...formats.map((f) => ({ args: ["txn", "-w", f], input: txnInput })),
  ...formats.map((f) => ({ args: ["txn", "-w", f], input: txnInputElse })),
  ...formats.map((f) => ({ args: ["txn", "-w", f], input: txnInputAll })),
  { args: ["txn"], input: "\n\n\n" },
  { args: ["txn"], input: "bad line\n\n\n\n" },
  { args: ["txn"], input: `\nput x 1\nput x 2\n\n\n` },
];

const watches: CtlCase[] = [
  ...runAll(`
    put w1 1
    put w1 2
    put w2 1
    del w1
    put wend end
  `),
  { args: words("watch w --prefix --rev 1 --prev-kv"), endAt: "wend\nend" },
  { args: words("watch w --prefix --rev 1"), endAt: "wend\nend" },
  { args: words("watch w --prefix --rev 1 -w json"), endAt: "d2VuZA==" },
  { args: words("watch w --prefix --rev 1 --prev-kv -w fields"), endAt: '"wend"' },
  { args: words("watch wend --rev 1 -w protobuf"), endAt: "wend" },
  { args: words("watch w1 x --rev 1"), endAt: "wend\nend" },
  { args: words("watch wend --rev 1 -- echo ran"), endAt: "ran\n" },
  run("watch"),
];

const leases: CtlCase[] = [
  run("lease grant 600"),
  run("put lk v --lease LEASE"),
  run("get lk -w simple"),
  run("lease timetolive LEASE"),
  run("lease timetolive LEASE --keys"),
  run("lease timetolive LEASE --keys -w json"),
  run("lease timetolive LEASE --keys -w fields"),
  run("lease timetolive LEASE -w table"),
  run("lease timetolive 1"),
  run("lease timetolive 1 -w json"),
  run("lease timetolive zz"),
  run("lease list"),
  run("lease list -w json"),
  run("lease list -w fields"),
  run("lease keep-alive --once LEASE"),
  run("lease keep-alive --once LEASE -w json"),
  run("lease keep-alive --once LEASE -w fields"),
  run("lease keep-alive --once 99"),
  run("lease revoke LEASE"),
  run("lease revoke LEASE"),
  run("lease revoke 99"),
  run("get lk"),
  run("lease grant abc"),
  run("lease grant 600 -w json"),
  run("lease grant 600 -w fields"),
  run("lease grant 9000000001"),
  run("lease grant"),
];

const maintenance: CtlCase[] = [
  ...inEachFormat("endpoint hashkv"),
  run("endpoint hashkv --rev 5 -w json"),
  run("endpoint hashkv --rev 100000"),
  ...inEachFormat("member list"),
  run("member list --hex -w json"),
  run("member list --consistency s"),
  ...inEachFormat("endpoint health"),
  ...formats.map((f) => ({ args: words(`endpoint status -w ${f}`), isStatus: true })),
  ...inEachFormat("alarm list"),
  run("compaction 4"),
  run("compaction 4"),
  run("compaction 6 --physical"),
  run("compaction 100000"),
  run("compaction zz"),
  run("compaction"),
  run("get b --rev 3"),
  run("endpoint hashkv -w json"),
  run("defrag"),
  run("endpoint hashkv -w json"),
  { args: words("watch b --rev 2"), endAt: "never" },
  { args: words("watch b --rev 2 -w json"), endAt: "never" },
  run("version"),
  run("get '' --prefix -w json"),
];

/** Changes of a cluster of one, and of the learner it gets. Nobody answers at these URLs. */
const membership: CtlCase[] = runAll(`
  member add m2
  member add m2 --peer-urls=bad
  member add m2 --peer-urls=http://127.0.0.1:1/path
  member remove 1234
  member remove zz
  member remove LOCAL
  member promote 1234
  member promote LOCAL
  member update 1234 --peer-urls=http://127.0.0.1:5
  move-leader 1234
  move-leader LOCAL
  member add m2 --peer-urls=http://127.0.0.1:5999 --learner
  member add m3 --peer-urls=http://127.0.0.1:5998 --learner
  member add m3 --peer-urls=http://127.0.0.1:5999
  member promote MEMBER
  move-leader MEMBER
  member update MEMBER --peer-urls=http://127.0.0.1:5997
  member update LOCAL --peer-urls=http://127.0.0.1:5997
  member remove MEMBER
  member remove MEMBER
  member promote MEMBER
  member update MEMBER --peer-urls=http://127.0.0.1:5996
  member list
  member update LOCAL --peer-urls=http://127.0.0.1:5995
  member list -w json
`);

export const ctlCases: readonly CtlCase[] = [
  ...seed,
  ...keyValue,
  ...txns,
  ...watches,
  ...maintenance,
  ...leases, // after all that, since their random ids change the hash
  ...membership,
];
