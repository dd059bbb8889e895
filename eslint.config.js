import tseslint from "typescript-eslint";

const ban = (name, instead) => ({ name, message: `Use ${instead}.` });

/** The core takes the world as arguments, so that a whole member can be simulated. */
const worldGlobals = [
  ban("Date", "Clock.wall() of base/ports.ts"),
  ban("performance", "Clock.now() of base/ports.ts"),
  ban("setTimeout", "Clock.after() of base/ports.ts"),
  ban("setInterval", "Clock.after() of base/ports.ts"),
  ban("setImmediate", "Turn of base/ports.ts"),
  ban("process", "an argument from main.ts"),
  ban("Buffer", "Uint8Array"),
  ban("FinalizationRegistry", "an explicit close()"),
];

const worldProperties = [
  { object: "Math", property: "random", message: "Use Random of base/ports.ts." },
  { object: "crypto", property: "randomBytes", message: "Use Random of base/ports.ts." },
  { object: "crypto", property: "randomUUID", message: "Use Random of base/ports.ts." },
  { object: "AbortSignal", property: "timeout", message: "Use Clock.after() of base/ports.ts." },
];

const localeCompare = {
  selector: "MemberExpression[property.name='localeCompare']",
  message: "Order by bytes: etcd's keys are not text.",
};

export default tseslint.config(
  {
    ignores: [
      "dist/",
      "packages/",
      "node_modules/",
      "src/gen/",
      ".cache/",
      "coverage/",
      "test/conformance/go/",
    ],
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: "error", noInlineConfig: true },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "no-console": "error",
      "max-depth": ["error", 4],
      "no-restricted-syntax": [
        "error",
        localeCompare,
        { selector: "ExportDefaultDeclaration", message: "Named exports only." },
      ],
      // Byte work indexes typed arrays all the time; `!` states what the loop bound proves.
      "@typescript-eslint/no-non-null-assertion": "off",
      // Numbers, bigints and booleans print the same everywhere; only objects surprise.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true, allowArray: true },
      ],
      // Reports bounds checks on indexed data that the wire can break.
      "@typescript-eslint/no-unnecessary-condition": "off",
      // `() => call()` is how a callback discards a result.
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      // Simulated and stub ports have empty methods by nature.
      "@typescript-eslint/no-empty-function": "off",
      // Ports are passed as objects and their methods called on them; tests hand them around.
      "@typescript-eslint/unbound-method": "off",
    },
  },
  {
    files: ["src/{base,cli,codec,http2,raft,bbolt,server}/**/*.ts"],
    ignores: [
      "**/*.test.ts",
      // The composition root and the sockets are where the core meets the process.
      "src/server/{main,server,member-dir,client-port}.ts",
      "src/server/rpc/listener.ts",
      "src/server/peer/listener.ts",
      "src/server/backend/lmdb*.ts",
    ],
    rules: {
      "no-restricted-globals": ["error", ...worldGlobals],
      "no-restricted-properties": ["error", ...worldProperties],
      "no-restricted-imports": ["error", { paths: ["node:fs", "node:fs/promises", "node:timers"] }],
    },
  },
  {
    files: ["examples/**/*.ts"],
    rules: { "no-console": "off" },
  },
  {
    files: ["**/*.test.ts", "test/**/*.ts"],
    rules: {
      // Test data is plain ASCII.
      "@typescript-eslint/no-misused-spread": "off",
      // node:test registers the promise that `test` returns.
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { from: "package", name: ["test", "it", "suite", "describe"], package: "node:test" },
          ],
        },
      ],
    },
  },
);
