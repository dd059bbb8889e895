import { createRandom } from "../../src/base/random.ts";
import { SimBackendDisk } from "../sim/backend.ts";
import { backendContract } from "./contract.ts";
import { createQuickClock } from "./quick-clock.ts";

backendContract(
  "simulated",
  () => {
    const disk = new SimBackendDisk();
    const random = createRandom(1);
    const clock = createQuickClock();
    return {
      open: () => disk.open({ clock, random }),
      preparedPath: (name) => name,
      takePrepared: (path) => disk.takePrepared(path),
      dispose: () => {},
    };
  },
  50,
);
