// Two members in one process: what a stopped member leaves behind.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Histogram } from "../../src/base/metrics.ts";
import type { Logger } from "../../src/base/log.ts";
import { createNodeClock, createNodeTurn } from "../../src/io/node-clock.ts";
import { nodeProcessStats } from "../../src/io/node-process-stats.ts";
import { createNodeRandom } from "../../src/io/node-random.ts";
import { readConfig, type ServerConfig } from "../../src/server/config/config.ts";
import { startServer } from "../../src/server/server.ts";
import { freePort } from "../conformance/servers.ts";

interface Place {
  readonly name: string;
  readonly peerUrl: string;
  readonly clientUrl: string;
}

async function place(name: string): Promise<Place> {
  const url = async (): Promise<string> => `http://127.0.0.1:${String(await freePort())}`;
  return { name, peerUrl: await url(), clientUrl: await url() };
}

function configure(own: Place, all: readonly Place[], directory: string): ServerConfig {
  const args = Object.entries({
    name: own.name,
    "data-dir": join(directory, own.name),
    "listen-peer-urls": own.peerUrl,
    "initial-advertise-peer-urls": own.peerUrl,
    "listen-client-urls": own.clientUrl,
    "advertise-client-urls": own.clientUrl,
    "initial-cluster": all.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(),
  }).map(([flag, value]) => `--${flag}=${value}`);
  const outcome = readConfig({ args, env: {}, readFile: () => assert.fail(), versionText: "" });
  assert.equal(outcome.kind, "run");
  return outcome.config;
}

/** Keeps the messages. */
function listening(messages: string[]): Logger {
  const write = (message: string): void => {
    messages.push(message);
  };
  const fatal = (message: string): never => assert.fail(message);
  return { debug: write, info: write, warn: write, error: write, fatal };
}

test("a stop ends what goes on between members, and every socket", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorate-stop-"));
  const places = [await place("m1"), await place("m2")];
  const messages: string[] = [];
  const servers = await Promise.all(
    places.map((own) => {
      const turnSeconds = new Histogram([1]);
      const turn = createNodeTurn(turnSeconds);
      return startServer(configure(own, places, directory), {
        ...{ clock: createNodeClock(turn), turn, turnSeconds, log: listening(messages) },
        ...{ random: createNodeRandom(), processStats: nodeProcessStats },
        ...{ overlayBytesMax: 2 ** 26, ready: () => undefined, removed: () => undefined },
      });
    }),
  );
  for (const server of servers) await server.close();
  assert.equal(messages.filter((message) => message === "stopped remote peer").length, 2);
  const left = (): string[] =>
    process.getActiveResourcesInfo().filter((name) => /TCP|MessagePort/.test(name));
  // Sockets that were destroyed end in the next turns.
  for (let turn = 0; turn < 1000 && left().length > 0; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(left(), []);
  rmSync(directory, { recursive: true });
});
