// What etcdutl and ours are asked, with the same arguments in folders of the same content. In a
// line `$db` is a saved snapshot, `$dir` a data directory of etcd; `""` an empty argument.

/** Of a file that commands before it have written anew. */
export const rewrittenLine = "snapshot status $bolt -w json";

/** Texts, output and exit code are equal to the byte. */
export const equalLines: readonly string[] = [
  ...["", "--help", "-h", "help", "help help", "help bogus", "help snapshot restore", "help sn st"],
  ...["snapshot", "snapshot --help", "snapshot status --help", "snapshot restore -h", "snap bogus"],
  ...["defrag --help", "hashkv --help", "migrate --help", "version --help", "completion --help"],
  ...["bogus", "snapsht", "vers", "version x", "version -w bogus", "-h version", "--help version"],
  ...["--bogus", "-z", "-w", "-wz", "--timeout x version", "--timeout 5 version", "--=x version"],
  ...["--timeout= version", "--timeout 1h2m3s version", "version --write-out"],
  ...["completion", "completion bogus", "completion bash zsh"],
  ...[
    "snapshot status",
    "snapshot status a b",
    "snapshot status none",
    "snapshot status none -w x",
  ],
  ...["snapshot status text", "snapshot status folder", "snapshot status empty"],
  ...["simple", "fields", "json", "table", "protobuf", "bogus"].flatMap((format) => [
    `snapshot status $db -w ${format}`,
    `hashkv $db --write-out=${format}`,
  ]),
  ...["snapshot status $plain", "snapshot status $bolt", "hashkv $bolt", "hashkv $plain --rev 0x9"],
  ...["hashkv", "hashkv a b", "hashkv none", "hashkv none -w x", "hashkv $db --rev x"],
  ...["hashkv $db --rev 1", "hashkv $db --rev 6", "hashkv $db --rev 8", "hashkv $db --rev 999"],
  ...["hashkv $db --rev -1", "hashkv $db --rev 9223372036854775808"],
  ...["defrag", "defrag --data-dir", "defrag --data-dir none", "defrag --data-dir $dir"],
  ...["migrate", "migrate --data-dir $dir", "migrate --data-dir none --target-version 3.6"],
  ...["3", "a.b", "3.x", ".5", "3.4", "2.9", "3.5.1", "3.8", "03.07"].map(
    (version) => `migrate --data-dir $dir --target-version ${version}`,
  ),
  ...["3.7", "3.6", "3.6", "3.5", "3.7", "3.8 --force", "3.9"].map(
    (version) => `migrate --data-dir $dir --target-version ${version}`,
  ),
  rewrittenLine,
  ...["snapshot restore", "snapshot restore a b", "snapshot restore none --data-dir r1"],
  ...["snapshot restore text --data-dir r2", "snapshot restore $plain --data-dir r3"],
  ...["snapshot restore $changed --data-dir r4", "snapshot restore $db --data-dir text"],
  ...[
    "snapshot restore $db --data-dir folder",
    "snapshot restore $db --data-dir r5 --wal-dir folder",
  ],
  ...["snapshot restore $db --bump-revision 5", "snapshot restore $db --mark-compacted"],
  ...["snapshot restore $db --bump-revision a", "snapshot restore $db --bump-revision=-1"],
  ...["snapshot restore $db --name other", "snapshot restore $db --initial-cluster garbage"],
  ...[
    "snapshot restore $db --initial-cluster default=x",
    "snapshot restore $db --skip-hash-check=x",
  ],
  "snapshot restore $db --initial-advertise-peer-urls x",
  "snapshot restore $db --initial-advertise-peer-urls http://127.0.0.1:7 --initial-cluster default=http://127.0.0.1:8",
  "snapshot restore $db --initial-cluster default=http://localhost:2380,b=http://localhost:2380",
  ...["h", "sn", "snapshot ", "snapshot restore --", "snapshot restore --i", "migrate ", "-w "].map(
    (begun) => `__complete ${begun}`,
  ),
  ...[
    "--write-out=",
    "migrate --data-dir ",
    "completion ",
    "help s",
    "bogus x",
    "version --help ",
  ].map((begun) => `__complete ${begun}`),
  ...["__completeNoDesc ", "__completeNoDesc snapshot restore --data-dir x --n", "__complete -w s"],
];

/** Restores that succeed: afterwards both results have the same HashKV. */
export const restores: readonly string[] = [
  "snapshot restore $db --data-dir $out",
  "snapshot restore $plain --data-dir $out --skip-hash-check",
  "snapshot restore $changed --data-dir $out --skip-hash-check",
  "snapshot restore $db --data-dir $out --bump-revision 1000 --mark-compacted",
  "snapshot restore $db --data-dir $out --wal-dir $out-wal",
  "snapshot restore $db --data-dir $out --name m2 --initial-cluster-token t --initial-memory-map-size 0 --initial-cluster m1=http://127.0.0.1:1,m2=http://127.0.0.1:2,m3=http://127.0.0.1:3 --initial-advertise-peer-urls http://127.0.0.1:2",
];

/** Where etcdutl ends with a fault of its own; ours with exit code 1 and the text that follows. */
export const ourLines: readonly (readonly [line: string, error: string])[] = [
  ["hashkv text", "Error: invalid database\n"],
  ["hashkv folder", "Error: invalid database\n"],
  ["hashkv $cut", "Error: the file has 2 pages, wanted "],
  ["snapshot status $cut", "Error: the file has 2 pages, wanted "],
  ["snapshot restore $cut --data-dir r9 --skip-hash-check", "the file has 2 pages, wanted "],
  ["migrate --data-dir $dir --target-version 4.0", "changing major storage version is not supp"],
];
