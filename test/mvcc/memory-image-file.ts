import type { ImageFile, ImageSink, ImageSource } from "../../src/server/mvcc/image-blocks.ts";

/** The index image's file in memory; a write beyond `bytesMax` is cut and fails. */
export class MemoryImageFile implements ImageFile {
  bytes: Uint8Array | null = null;
  bytesMax = Infinity;
  removals = 0;

  open(): ImageSource | null {
    const { bytes } = this;
    if (bytes === null) return null;
    let at = 0;
    return {
      size: bytes.length,
      read: (target) => {
        const part = bytes.subarray(at, at + target.length);
        target.set(part);
        at += part.length;
        return part.length === target.length;
      },
      close: () => undefined,
    };
  }

  create(): ImageSink {
    this.bytes = new Uint8Array(0);
    const written: Uint8Array[] = [];
    return {
      write: (parts) => {
        written.push(...parts.map((part) => part.slice()));
      },
      close: () => {
        const all = Buffer.concat(written);
        this.bytes = new Uint8Array(all.subarray(0, this.bytesMax));
        if (all.length > this.bytesMax) throw new Error("no space left on device");
      },
    };
  }

  remove(): void {
    this.bytes = null;
    this.removals++;
  }
}
