/** The disk and the backend with their times measured, for the metrics dashboards watch first. */
import type { Gauge, Histogram } from "../../base/metrics.ts";
import type { Clock, Disk, Done, File } from "../../base/ports.ts";
import type { Backend } from "../backend/backend.ts";

interface DiskMeters {
  readonly walSyncSeconds: Histogram;
}

/** The WAL's disk: durable writes are timed, everything else passes through. */
export function measureDisk(disk: Disk, clock: Clock, meters: DiskMeters): Disk {
  return {
    open(path, mode, done) {
      disk.open(path, mode, (error, file) => {
        done(error, error === null ? new MeasuredFile(file, clock, meters) : file);
      });
    },
    list: (directory, done) => {
      disk.list(directory, done);
    },
    mkdir: (directory, done) => {
      disk.mkdir(directory, done);
    },
    rename: (from, to, done) => {
      disk.rename(from, to, done);
    },
    remove: (path, done) => {
      disk.remove(path, done);
    },
    syncDir: (directory, done) => {
      disk.syncDir(directory, done);
    },
  };
}

class MeasuredFile implements File {
  readonly #file: File;
  readonly #clock: Clock;
  readonly #meters: DiskMeters;

  constructor(file: File, clock: Clock, meters: DiskMeters) {
    this.#file = file;
    this.#clock = clock;
    this.#meters = meters;
  }

  writeDurable(at: number, bytes: Uint8Array, done: Done): void {
    const startedAt = this.#clock.now();
    this.#file.writeDurable(at, bytes, (error) => {
      this.#observe(startedAt);
      done(error);
    });
  }

  writeDurableNow(at: number, bytes: Uint8Array): void {
    const startedAt = this.#clock.now();
    this.#file.writeDurableNow(at, bytes);
    this.#observe(startedAt);
  }

  #observe(startedAt: number): void {
    this.#meters.walSyncSeconds.observe((this.#clock.now() - startedAt) / 1000);
  }

  size(done: Done<number>): void {
    this.#file.size(done);
  }

  read(at: number, length: number, done: Done<Uint8Array>): void {
    this.#file.read(at, length, done);
  }

  write(at: number, bytes: Uint8Array, done: Done): void {
    this.#file.write(at, bytes, done);
  }

  sync(done: Done): void {
    this.#file.sync(done);
  }

  truncate(size: number, done: Done): void {
    this.#file.truncate(size, done);
  }

  close(done: Done): void {
    this.#file.close(done);
  }
}

interface BackendMeters {
  readonly commitSeconds: Histogram;
  readonly defragSeconds: Histogram;
  readonly defragInflight: Gauge;
}

/** The backend with commits and defragmentations timed. */
export function measureBackend(backend: Backend, clock: Clock, meters: BackendMeters): Backend {
  return {
    commit(batch, done) {
      const startedAt = clock.now();
      backend.commit(batch, (error) => {
        meters.commitSeconds.observe((clock.now() - startedAt) / 1000);
        done(error);
      });
    },
    view: () => backend.view(),
    size: () => backend.size(),
    defragment(done) {
      const startedAt = clock.now();
      meters.defragInflight.value = 1;
      backend.defragment((error) => {
        meters.defragInflight.value = 0;
        meters.defragSeconds.observe((clock.now() - startedAt) / 1000);
        done(error);
      });
    },
    exportImage: (done) => {
      backend.exportImage(done);
    },
    importImage: (path) => backend.importImage(path),
    replace: (path, done) => {
      backend.replace(path, done);
    },
    close: (done) => {
      backend.close(done);
    },
  };
}
