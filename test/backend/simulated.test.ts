import { createRandom } from "../../src/base/random.ts";
import { SimBackendDisk } from "../sim/backend.ts";
import { backendContract, contractOn } from "./contract.ts";
import { imageContract } from "./image-contract.ts";
import { createQuickClock } from "./quick-clock.ts";

const contract = contractOn("simulated", () => {
  const disk = new SimBackendDisk();
  const random = createRandom(1);
  const clock = createQuickClock();
  return {
    open: () => disk.open({ clock, random }),
    preparedPath: (name) => name,
    takePrepared: (path) => disk.takePrepared(path),
    dispose: () => {},
  };
});
backendContract(contract, 50);
imageContract(contract);
