import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call, CommandSpec, ProgramSpec } from "./command.ts";
import { ExitError, runProgram } from "./run.ts";

interface Seen {
  name: string;
  args: readonly string[];
  dash: number;
  text: string;
}

const seen: Seen[] = [];
const record = (call: Call<undefined>): void => {
  const { command, args, argsBeforeDash: dash, flags } = call;
  const text = ["rev", "force", "write-out", "endpoints"]
    .map((name) => (flags.has(name) ? flags.text(name) : "-"))
    .join(" ");
  seen.push({ name: command.path, args, dash, text });
};

const root: CommandSpec<undefined> = {
  use: "tool",
  short: "A tool.",
  persistentFlags: [
    {
      name: "write-out",
      short: "w",
      type: "string",
      value: "simple",
      usage: "the format",
      complete: ["json", "simple"],
    },
    { name: "timeout", type: "duration", value: "10s", usage: "time to wait" },
    {
      name: "endpoints",
      type: "stringSlice",
      value: "127.0.0.1:2379",
      usage: "where to ask",
      isHidden: true,
    },
  ],
  commands: [
    {
      use: "hashkv <file>",
      short: "Prints a hash",
      long: "Prints a hash.\nOf a file.",
      flags: [
        { name: "rev", type: "int64", usage: "newest revision" },
        { name: "force", short: "f", type: "bool", usage: "do it" },
      ],
      args: { min: 1, max: 1 },
      run: record,
    },
    {
      use: "migrate",
      short: "Changes a directory",
      flags: [
        {
          name: "data-dir",
          type: "string",
          usage: "a directory",
          isRequired: true,
          complete: "directory",
        },
        { name: "target", type: "string", usage: "a version", isRequired: true },
      ],
      run: record,
    },
    {
      use: "snapshot <subcommand>",
      short: "Snapshots",
      commands: [{ use: "status <file>", short: "Tells of a file", run: record }],
    },
    {
      use: "shell [a|b]",
      short: "For shells",
      isUseComplete: true,
      validArgs: ["a", "b"],
      args: { min: 1, max: 1, isOnlyValid: true },
      run: record,
    },
    {
      use: "fail",
      short: "Fails",
      run: () => {
        throw new ExitError(4, "not possible");
      },
    },
  ],
};
const tool: ProgramSpec<undefined> = { root };

async function run(
  line: string,
  program = tool,
): Promise<{ out: string; err: string; code: number }> {
  let out = "";
  let err = "";
  const output = {
    out: (text: string | Uint8Array) => (out += String(text)),
    err: (text: string) => (err += text),
  };
  const code = await runProgram(program, line === "" ? [] : line.split(" "), output, undefined);
  return { out, err, code };
}

const globals = [
  "      --timeout duration   time to wait (default 10s)",
  '  -w, --write-out string   the format (default "simple")',
];

const rootUsage = [
  "Usage:",
  "  tool [command]",
  "",
  "Available Commands:",
  "  fail        Fails",
  "  hashkv      Prints a hash",
  "  help        Help about any command",
  "  migrate     Changes a directory",
  "  shell       For shells",
  "  snapshot    Snapshots",
  "",
  "Flags:",
  "  -h, --help               help for tool",
  ...globals,
  "",
  'Use "tool [command] --help" for more information about a command.',
  "",
].join("\n");

const hashUsage = [
  "Usage:",
  "  tool hashkv <file> [flags]",
  "",
  "Flags:",
  "  -f, --force     do it",
  "  -h, --help      help for hashkv",
  "      --rev int   newest revision",
  "",
  "Global Flags:",
  ...globals,
  "",
].join("\n");

test("help lists commands and flags by name", async () => {
  assert.deepEqual(await run(""), { out: `A tool.\n\n${rootUsage}`, err: "", code: 0 });
  const short = { ...tool, isHelpShort: true, helpFooter: "More: options" };
  assert.deepEqual(await run("--help", short), {
    out: `${rootUsage}More: options\n`,
    err: "",
    code: 0,
  });
  const described = `Prints a hash.\nOf a file.\n\n${hashUsage}`;
  for (const line of ["hashkv -h", "help hashkv", "hashkv --help x y", "hash --help"]) {
    assert.deepEqual(await run(line), { out: described, err: "", code: 0 }, line);
  }
  // The word after it is taken for its value while the command is looked for.
  assert.equal((await run("--help hashkv")).out, `A tool.\n\n${rootUsage}`);
  assert.match((await run("shell -h")).out, /^ {2}tool shell \[a\|b\]$/m);
});

test("flags may stand anywhere, in every form", async () => {
  const lines = [
    "hashkv f --rev 5 -f",
    "--write-out json hashkv --rev=5 -f=true f",
    "-wjson hashkv -f --rev 0x5 f",
    "hashkv -fwjson --rev 05 --force=T f",
    "hash -w=json -- f",
  ];
  seen.length = 0;
  for (const line of lines) assert.equal((await run(line)).code, 0, line);
  const name = "tool hashkv";
  assert.deepEqual(seen, [
    { name, args: ["f"], dash: -1, text: "5 true simple [127.0.0.1:2379]" },
    { name, args: ["f"], dash: -1, text: "5 true json [127.0.0.1:2379]" },
    { name, args: ["f"], dash: -1, text: "5 true json [127.0.0.1:2379]" },
    { name, args: ["f"], dash: -1, text: "5 true json [127.0.0.1:2379]" },
    { name, args: ["f"], dash: 0, text: "0 false json [127.0.0.1:2379]" },
  ]);
});

test("lists grow with every mention", async () => {
  seen.length = 0;
  await run("snapshot status --endpoints a,b --endpoints c x y");
  assert.deepEqual(seen, [
    { name: "tool snapshot status", args: ["x", "y"], dash: -1, text: "- - simple [a,b,c]" },
  ]);
});

test("a line that cannot be read is told with the usage", async () => {
  const cases: [string, string][] = [
    ["hashkv --bogus", "unknown flag: --bogus"],
    ["hashkv -fz", "unknown shorthand flag: 'z' in -z"],
    ["hashkv --rev", "flag needs an argument: --rev"],
    ["hashkv -fw", "flag needs an argument: 'w' in -w"],
    ["hashkv --=x", "bad flag syntax: --=x"],
    [
      "hashkv --rev a",
      'invalid argument "a" for "--rev" flag: strconv.ParseInt: parsing "a": invalid syntax',
    ],
    [
      "hashkv -f=maybe",
      'invalid argument "maybe" for "-f, --force" flag: ' +
        'strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    ["hashkv", "accepts 1 arg(s), received 0"],
  ];
  for (const [line, error] of cases) {
    const err = `Error: ${error}\n${hashUsage}\n`;
    assert.deepEqual(await run(line), { out: "", err, code: 1 }, line);
  }
  const repeated = await run("hashkv", { ...tool, isErrorRepeated: true });
  assert.match(repeated.err, /^Error: accepts 1[^]*\n\nError: accepts 1 arg\(s\), received 0\n$/);
  assert.match((await run("shell c")).err, /^Error: invalid argument "c" for "tool shell"\n/);
  assert.match(
    (await run("migrate")).err,
    /^Error: required flag\(s\) "data-dir", "target" not set\n/,
  );
});

test("an unknown command is told with names near it", async () => {
  assert.deepEqual(await run("snapsht"), {
    out: "",
    err:
      'Error: unknown command "snapsht" for "tool"\n\nDid you mean this?\n\tsnapshot\n\n' +
      "Run 'tool --help' for usage.\n",
    code: 1,
  });
  // Two commands begin with it.
  assert.match((await run("h")).err, /\thashkv\n\nRun/);
  const topic = await run("help bogus");
  const bare = rootUsage.replace(/.*help for tool\n/, "");
  assert.deepEqual(topic, { out: "", err: `Unknown help topic [\`bogus\`]\n${bare}`, code: 0 });
  // Below the root any word is an argument.
  assert.match((await run("snapshot bogus")).out, /^Snapshots\n\nUsage:\n {2}tool snapshot \[comm/);
});

test("a command ends the program with its own code", async () => {
  assert.deepEqual(await run("fail"), { out: "", err: "Error: not possible\n", code: 4 });
});

test("a shell is offered commands, flags and values", async () => {
  const cases: [string, string][] = [
    ["__complete h", "hashkv\tPrints a hash\nhelp\tHelp about any command\n:4\n"],
    ["__completeNoDesc snapshot ", "status\n:4\n"],
    ["__complete hashkv --r", "--rev\tnewest revision\n:4\n"],
    ["__complete hashkv -w ", "json\nsimple\n:0\n"],
    ["__complete migrate --data-dir ", ":16\n"],
    ["__complete migrate ", "--data-dir\ta directory\n--target\ta version\n:0\n"],
    ["__complete shell ", "a\nb\n:4\n"],
    ["__complete hashkv --help ", ":4\n"],
  ];
  for (const [line, out] of cases) assert.equal((await run(line)).out, out, line);
});
