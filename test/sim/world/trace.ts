/** A rolling hash of everything that happened: equal for equal runs. */

export class Trace {
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;
  /** One line per event, when somebody wants to read them. */
  print: ((line: string) => void) | null = null;

  number(value: number): void {
    this.#a = Math.imul(this.#a ^ (value | 0), 0x01000193);
    const fraction = Math.floor((value % 1) * 0x40000000);
    this.#b = Math.imul(this.#b ^ fraction ^ (value / 0x100000000), 0x85ebca6b) + this.#a;
  }

  bytes(bytes: Uint8Array): void {
    let hash = this.#a;
    for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    this.#a = hash;
    this.#b = (Math.imul(this.#b, 0x85ebca6b) + hash) | 0;
  }

  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.number(text.charCodeAt(i));
  }

  line(at: number, text: string): void {
    this.number(at);
    this.text(text);
    this.print?.(`${at.toFixed(3).padStart(12)} ${text}`);
  }

  get hash(): string {
    const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
    return hex(this.#a) + hex(this.#b);
  }
}

export function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash >>> 0;
}
