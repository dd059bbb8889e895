/** A first-in first-out queue without shifting: a circular array that doubles when full. */
export class Ring<T> {
  private slots: (T | undefined)[] = new Array<T | undefined>(8).fill(undefined);
  private head = 0;
  size = 0;

  push(value: T): void {
    if (this.size === this.slots.length) this.grow();
    this.slots[(this.head + this.size) & (this.slots.length - 1)] = value;
    this.size++;
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const value = this.slots[this.head];
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.size--;
    return value;
  }

  private grow(): void {
    const wider = new Array<T | undefined>(this.slots.length * 2).fill(undefined);
    for (let i = 0; i < this.size; i++) {
      wider[i] = this.slots[(this.head + i) & (this.slots.length - 1)];
    }
    this.slots = wider;
    this.head = 0;
  }
}
