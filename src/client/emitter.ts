/** Events of long-lived parts of the client. Unlike Node's emitter an unheard error is no crash. */
type Listener<Args extends readonly unknown[]> = (...args: Args) => void;

export class Emitter<Events extends { readonly [name: string]: readonly unknown[] }> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();

  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return this;
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    this.#listeners.get(name)?.delete(listener);
    return this;
  }

  protected emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as unknown as Listener<Events[Name]>)(...args);
      } catch (error) {
        // The fault is the listener's: the others hear the event all the same.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
