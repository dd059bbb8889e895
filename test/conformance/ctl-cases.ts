// Commands on which our etcdctl is compared with Go's, besides those of etcdctl-cases.ts: error
// paths, prompts, environment, help, and what only Go etcd answers so far.
import type { CtlCase } from "./etcdctl-cases.ts";
import { formats, inEachFormat, run, runAll, words } from "./etcdctl-cases.ts";

/** Commands and topics whose help is compared. */
const helpTopics = [
  ...["alarm", "alarm list", "alarm disarm", "auth", "auth enable", "auth disable", "auth status"],
  ...["check", "check perf", "check datascale", "compaction", "completion", "defrag", "del"],
  ...["downgrade", "downgrade validate", "downgrade enable", "downgrade cancel", "elect"],
  ...["endpoint", "endpoint health", "endpoint status", "endpoint hashkv", "get", "lease"],
  ...["lease grant", "lease revoke", "lease timetolive", "lease list", "lease keep-alive", "lock"],
  ...["make-mirror", "member", "member add", "member remove", "member update", "member list"],
  ...["member promote", "move-leader", "options", "put", "role", "role add", "role delete"],
  ...["role get", "role list", "role grant-permission", "role revoke-permission", "snapshot"],
  ...["snapshot save", "txn", "user", "user add", "user delete", "user get", "user list"],
  ...["user passwd", "user grant-role", "user revoke-role", "version", "watch"],
];

/** Help, and lines that cannot be read: no server is asked. */
export const lineCases: readonly CtlCase[] = [
  { args: [] },
  run("--help"),
  run("help"),
  run("help nosuch"),
  run("help get"),
  run("help lease grant"),
  ...helpTopics.map((topic) => run(`${topic} --help`)),
  run("options"),
  run("version"),
  ...runAll(`
    nosuch
    gett
    m
    ge a --help
    lease nosuch
    lease
    --nosuch
    get --nosuch
    get -x
    get --limit
    get --limit x a
    get --limit 99999999999999999999 a
    get --prefix=maybe a
    get --command-timeout 5 a
    get --max-recv-bytes x a
    get -w
    get --=x
    make-mirror --max-txn-ops -1 x
    completion
    completion nosuch
    completion bash zsh
    __complete g
    __complete lease
    __complete get --sort-by
    __complete get --order ''
    __complete get --so
    __complete -w ''
    __complete completion ''
    __completeNoDesc member ''
    __complete nosuch ''
    __complete check perf --load ''
  `),
];

/** Commands refused before anything is asked. */
const refused = runAll(`
  get
  get --keys-only --count-only a
  get --prefix a b
  get a --min-create-rev 5 --max-create-rev 4
  get a --min-mod-rev 5 --max-mod-rev 4
  get a --order descend
  get a --sort-by value --order ascend
  del
  del a b c
  del --prefix --from-key a
  del --prefix a b
  put
  lease grant
  lease grant 1 2
  lease revoke
  lease revoke zz
  lease timetolive
  lease keep-alive
  lease keep-alive 12345678901234567
  alarm list x
  alarm disarm x
  member add
  member add m --peer-urls=
  member add m http://x:1 b
  member remove
  member remove 1 2
  member update
  member update 1
  member update zz --peer-urls=http://127.0.0.1:1
  member promote
  member promote zz
  member list --consistency x
  move-leader
  move-leader zz
  snapshot save
  snapshot save a b
  lock
  elect
  elect e
  elect e v -l
  elect e v w
  auth enable x
  auth disable x
  auth status x
  user add
  user add :pw
  user delete
  user get
  user list x
  user passwd
  user grant-role u
  user revoke-role u
  role add
  role delete
  role get
  role list x
  role grant-permission r read
  role grant-permission r nosuch k
  role grant-permission r read k e --prefix
  role grant-permission r read k e --from-key
  role grant-permission r read k --prefix --from-key
  role revoke-permission r
  downgrade validate
  downgrade validate 3.6 x
  downgrade validate ''
  downgrade enable
  check perf --load nosuch
  check datascale --load nosuch
  make-mirror
  make-mirror SERVER --prefix a --dest-prefix b --no-dest-prefix
  watch
  watch --prefix
  watch a b --prefix
  watch a --
  txn x
  compaction 1 2
`);

const settings: readonly CtlCase[] = [
  { args: words("get a"), env: { ETCDCTL_ENDPOINTS: "", ETCDCTL_NOSUCH: "x" } },
  { args: words("get a -w json"), env: { ETCDCTL_WRITE_OUT: "fields" } },
  { args: words("get a"), env: { ETCDCTL_WRITE_OUT: "json" } },
  { args: words("get a"), env: { ETCDCTL_WRITE_OUT: "nosuch" } },
  { args: words("get a"), env: { ETCDCTL_HEX: "maybe" } },
  { args: words("get a"), env: { ETCDCTL_HEX: "true" } },
  { args: words("get a --endpoints SERVER") },
  { args: words("get a --endpoints SERVER"), env: { ETCDCTL_ENDPOINTS: "127.0.0.1:1" } },
  { args: words("get a --endpoints http://SERVER,http://127.0.0.1:1") },
  { args: words("endpoint health"), env: { ETCDCTL_CLUSTER: "" } },
  ...runAll(`
    get a --endpoints=
    endpoint status --endpoints=
    endpoint health --endpoints= -w json
    get a --endpoints=127.0.0.1:1 --command-timeout 300ms
    put a b --endpoints=127.0.0.1:1 --command-timeout 300ms
    endpoint health --endpoints=127.0.0.1:1 --command-timeout 300ms
    endpoint health --endpoints=SERVER,127.0.0.1:1 --command-timeout 300ms -w fields
    endpoint status --endpoints=127.0.0.1:1 --command-timeout 300ms
    endpoint status --endpoints=127.0.0.1:1,SERVER --command-timeout 300ms -w fields
    endpoint hashkv --endpoints=127.0.0.1:1 --command-timeout 300ms
    defrag --endpoints=127.0.0.1:1 --command-timeout 300ms
    member list --endpoints=127.0.0.1:1 --command-timeout 300ms
    endpoint health --cluster --endpoints=127.0.0.1:1 --command-timeout 300ms
    lease grant 5 --endpoints=127.0.0.1:1 --command-timeout 300ms
    lease revoke 5 --endpoints=127.0.0.1:1 --command-timeout 300ms
    snapshot save FOLDER/s --endpoints=127.0.0.1:1 --command-timeout 300ms
    snapshot save FOLDER/s --endpoints=SERVER,127.0.0.1:1
    move-leader 1 --endpoints=127.0.0.1:1 --command-timeout 300ms
    get a --user u:p --endpoints=127.0.0.1:1 --dial-timeout 300ms
    get a --max-request-bytes 10 --max-recv-bytes 5
    get a --max-recv-bytes 5
    put a 0123456789 --max-request-bytes 5
    get a --cert=
    get a --key=
    get a --cacert=
    get a --cert FOLDER/nosuch
    get a --cert FOLDER/nosuch --key FOLDER/nosuch
    get a --cacert FOLDER/nosuch
    get a --write-out nosuch
    member list -w nosuch
  `).map((c) => ({ ...c, isStatus: true })),
];

const keys: readonly CtlCase[] = [
  ...runAll(`
    put a/1 x
    put a/2 y
    put b 1
    put b 2
    put - dash
    put -- -k -v
    get -- -k
    get a/1 --keys-only --print-value-only
    get a/1 --print-value-only -w json
    get a/1 --hex -w json
    get a/1 a/2 --hex
    get a/ --prefix --stream --keys-only
    get a/ --prefix --stream --order DESCEND
    get a/ --prefix --stream --limit 1 -w fields
    get b --stream --rev 100000
    get nokey --stream -w json
    del a/1 a/3
    del b --prev-kv --hex
    put -w fields c d --prev-kv
    put c e --prev-kv --hex
    lease keep-alive 99
    lease keep-alive 99 -w json
    lease timetolive 1 --hex -w fields
  `),
  { args: ["put", "tricky", '<&>\u2028\u00e9\u{1f600}\t\n"\\'] },
  run("get tricky -w json"),
  run("get tricky -w fields"),
  run("get tricky --hex"),
  { args: ["txn"], input: '\nput "\\x00\\xff" "\\xfe"\n\n\n' },
  { args: ["get", "", "--from-key", "--limit", "1", "-w", "json"] },
  { args: ["get", "", "--from-key", "--limit", "1", "-w", "fields"] },
  { args: ["get", "", "--from-key", "--limit", "1"] },
  { args: words("put frominput"), input: "line one\nline two\n" },
  { args: words("put frominput"), input: "" },
  run("get frominput -w json"),
];

const typedTxns: readonly CtlCase[] = [
  ...[
    'mod("a") = "1"\n',
    "",
    "\n",
    "\n\n",
    "nothing\n\n\n\n",
    'mod("a" = "1"\n\n\n\n',
    'mod("a") = 1\n\n\n\n',
    'mod("a")="1"\n\n\n\n',
    'mod("a") = "x"\n\n\n\n',
    'nosuch("a") = "1"\n\n\n\n',
    "c(`a`) = `0`\n\n\n\n",
    "\nput\n\n\n",
    "\nput x\n\n\n",
    "\nget a b c\n\n\n",
    "\nnosuch a\n\n\n",
    "\nput --nosuch a b\n\n\n",
    '\nput \'single quoted\' "double \\"quoted\\""\n\n\n',
    "\nget 'single quoted'\nget --prefix a\ndel 'single quoted' --prev-kv\n\n\n",
    "\nput x 1 --lease zz\n\n\n",
    "\nput x 1 --lease 99\n\n\n",
    "\nget x --order nosuch\n\n\n",
    "\ndel x y z\n\n\n",
  ].map((input): CtlCase => ({ args: ["txn"], input })),
  { args: ["txn", "-i"], input: 'ver("nokey") = "0"\n\nput t 1\n\nget t\n\n' },
  { args: words("txn -w json"), input: "\nget t\ndel t\n\n\n" },
];

const typedWatches: readonly CtlCase[] = [
  run("put w1 1"),
  run("put w1 2"),
  { args: words("watch -i"), input: "" },
  { args: words("watch -i"), input: "nosuch\n" },
  { args: words("watch -i"), input: "\n" },
  { args: words("watch -i"), input: "watch\n" },
  { args: words("watch -i"), input: "watch --nosuch a\n" },
  { args: words("watch -i"), input: "watch a b --prefix\n" },
  { args: words("watch -i"), input: "watch a --\n" },
  { args: words("watch -i"), input: "watch w1 --rev 1\n", isInputOpen: true, endAt: "w1\n2\n" },
  { args: words("watch"), env: { ETCDCTL_WATCH_RANGE_END: "x" } },
  { args: words("watch a"), env: { ETCDCTL_WATCH_KEY: "w1" } },
  { args: words("watch --rev 1"), env: { ETCDCTL_WATCH_KEY: "w1" }, endAt: "w1\n2\n" },
  {
    args: words("watch --rev 1 -w json"),
    env: { ETCDCTL_WATCH_KEY: "w", ETCDCTL_WATCH_RANGE_END: "x" },
    endAt: "Mg==",
  },
  {
    args: ["watch", "w1", "--rev", "1", "--", "sh", "-c", "env | grep ETCD_WATCH_ | sort"],
    endAt: 'VALUE="2"',
  },
  { args: words("watch w1 --rev 1 -- false"), endAt: "never" },
  { args: words("watch w1 --rev 1 -- nosuchprogram x"), endAt: "never" },
  { args: words("watch w1 --rev 1 --hex"), endAt: "\\x32" },
];

const recipes: readonly CtlCase[] = [
  { args: words("lock l1"), endAt: "l1/" },
  { args: words("lock l1 -w json"), endAt: "kvs" },
  { args: words("lock l2 echo held") },
  { args: words("lock l2 false") },
  { args: words("lock l2 nosuchprogram") },
  { args: ["lock", "l2", "--", "sh", "-c", "echo ${ETCD_LOCK_KEY%/*}; exit 7"] },
  { args: words("elect e1 proposal"), endAt: "proposal" },
  run("put e2/1 leader"),
  { args: words("elect -l e2"), endAt: "leader" },
  { args: words("elect -l e2 -w fields"), endAt: '"leader"' },
];

const snapshots: readonly CtlCase[] = [
  run("snapshot save FOLDER/snapshot"),
  run("snapshot save FOLDER/nosuch/snapshot"),
  run("snapshot save FOLDER/snapshot -w json"),
];

const mirrors: readonly CtlCase[] = [
  run("put m/1 one"),
  run("put m/2 two"),
  {
    args: words("make-mirror SERVER --prefix m/ --dest-prefix n/"),
    timeoutMs: 2_500,
    endAt: "never",
  },
  run("get n/ --prefix"),
];

const alarms: readonly CtlCase[] = [
  run("alarm disarm"),
  run("alarm disarm -w json"),
  run("alarm disarm -w fields"),
];

/** Roles and users, then with authentication on; at the end it is off again. */
const auth: readonly CtlCase[] = [
  ...inEachFormat("auth status"),
  run("auth enable"),
  ...formats.map((f) => run(`role add r${f} -w ${f}`)),
  ...formats.map((f) => run(`user add u${f} --no-password -w ${f}`)),
  ...formats.map((f) => run(`user grant-role u${f} rsimple -w ${f}`)),
  ...runAll(`
    role grant-permission rsimple read a b
    role grant-permission rsimple write c
    role grant-permission rsimple readwrite d/ --prefix
    role grant-permission rsimple READ e --from-key
    role grant-permission rsimple read '' --prefix
    role grant-permission rsimple read ''
    role grant-permission rjson read k -w json
    role grant-permission rfields read k -w fields
    role grant-permission nosuch read k
  `),
  ...inEachFormat("role get rsimple"),
  ...inEachFormat("role list"),
  ...inEachFormat("user list"),
  ...inEachFormat("user get usimple"),
  ...inEachFormat("user get usimple --detail"),
  ...runAll(`
    role get root
    role get nosuch
    user get nosuch
    user get nosuch --detail
    user delete nosuch
    user add usimple --no-password
    user grant-role nosuch rsimple
    user grant-role usimple nosuch
    user revoke-role usimple nosuch
    user revoke-role usimple rsimple
    user revoke-role ujson rsimple -w json
    role revoke-permission rsimple c
    role revoke-permission rsimple a b
    role revoke-permission rsimple d/ --prefix
    role revoke-permission rsimple e --from-key
    role revoke-permission rsimple nosuch
    role revoke-permission rjson k -w json
    role delete rjson -w json
    role delete nosuch
    user delete ujson -w json
    user add u1:secret
    user add u2 --new-user-password secret
  `),
  { args: words("user add u3"), input: "secret\nsecret\n" },
  { args: words("user add u4"), input: "secret\nother\n" },
  { args: words("user add u4"), input: "\n\n" },
  { args: words("user add u5 --interactive=false"), input: "secret\n" },
  { args: words("user passwd u5"), input: "new\nnew\n" },
  { args: words("user passwd u5 --interactive=false"), input: "newer\n" },
  { args: words("user passwd nosuch --interactive=false"), input: "newer\n" },
  ...runAll(`
    user add root:root
    user grant-role u1 rsimple
    auth enable
    auth enable
    get a
    get a --user u1:wrong
    get a --user nosuch:wrong
    get a --user root:root
    get a --user root --password root
    get zz --user u1:secret
    put zz 1 --user u1:secret
    endpoint health
    endpoint health --user u1:secret
    endpoint health --user u1:wrong
    endpoint status
    endpoint status --user root:root -w fields
    member list
    lease list
    alarm list
    snapshot save FOLDER/secured
    user list
    user list --user u1:secret
    user list --user root:root
    user get u1 --user u1:secret
    auth status
    auth status --user root:root
    defrag
    compaction 1
    lock l1
    elect e1 v
    get a --auth-jwt-token nosuch
    get a --user root:root --auth-jwt-token nosuch
    watch a
    watch a --user u1:wrong
    watch zz --user u1:secret
    watch zz --user u1:secret -w json
    txn --user u1:wrong
  `).map((c) => ({ ...c, isStatus: true })),
  { args: words("get a --user root"), input: "root\n" },
  { args: words("get a --user root"), input: "wrong\n" },
  run("auth disable --user u1:secret"),
  run("auth disable --user root:root"),
  run("get a --user root:root"),
];

const downgrades: readonly CtlCase[] = [
  ...inEachFormat("downgrade validate 3.6"),
  ...runAll(`
    downgrade validate 3.5
    downgrade validate nosuch
    downgrade cancel
    downgrade enable 3.6
    downgrade cancel
    downgrade cancel -w json
  `),
];

/** On any server. */
export const commonCases: readonly CtlCase[] = [
  ...refused,
  ...keys,
  ...settings,
  ...typedTxns,
  ...typedWatches,
  ...recipes,
  ...snapshots,
  ...mirrors,
  ...alarms,
];

/** On Go etcd: what Quorate does not serve yet. */
export const goOnlyCases: readonly CtlCase[] = [...downgrades, ...auth];
