// What the machine itself can do: one durable write and one round trip over loopback.
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { benchLimits } from "./limits.ts";
import { quantile } from "./statistics.ts";

export interface Floor {
  readonly syncP50Us: number;
  readonly syncP99Us: number;
  readonly roundTripP50Us: number;
}

/** Latencies of O_DSYNC writes into blocks that are already allocated, in microseconds. */
function durableWrites(): number[] {
  const folder = mkdtempSync(join(tmpdir(), "quorate-floor-"));
  const path = join(folder, "log");
  const block = Buffer.alloc(benchLimits.floorWriteBytes, 1);
  const plain = openSync(path, "w");
  for (let i = 0; i < benchLimits.floorSamples; i++) writeSync(plain, block);
  closeSync(plain);
  const durable = openSync(path, constants.O_WRONLY | constants.O_DSYNC);
  const latencies: number[] = [];
  for (let i = 0; i < benchLimits.floorSamples; i++) {
    const started = performance.now();
    writeSync(durable, block, 0, block.length, i * block.length);
    latencies.push((performance.now() - started) * 1_000);
  }
  closeSync(durable);
  rmSync(folder, { recursive: true });
  return latencies;
}

/** One byte there and back between two sockets of this process, in microseconds. */
function roundTrips(): Promise<number[]> {
  return new Promise((resolve) => {
    const server = createServer({ noDelay: true }, (socket) => socket.pipe(socket));
    server.listen(0, "127.0.0.1", () => {
      const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
      client.setNoDelay(true);
      const latencies: number[] = [];
      let started = 0;
      const send = (): void => {
        started = performance.now();
        client.write("x");
      };
      client.on("connect", send);
      client.on("data", () => {
        latencies.push((performance.now() - started) * 1_000);
        if (latencies.length < benchLimits.floorSamples) {
          send();
          return;
        }
        client.destroy();
        server.close();
        resolve(latencies);
      });
    });
  });
}

export async function measureFloor(): Promise<Floor> {
  const writes = durableWrites();
  const trips = await roundTrips();
  return {
    syncP50Us: quantile(writes, 0.5),
    syncP99Us: quantile(writes, 0.99),
    roundTripP50Us: quantile(trips, 0.5),
  };
}
