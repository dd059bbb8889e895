/**
 * Names to addresses through the system's resolver, which occupies a thread of the pool that also
 * syncs the WAL. A resolver that hangs must not take them all.
 *
 * LU1  Requests for one name that is being looked up share the answer.
 * LU2  At most one name is looked up at a time; dialling has a deadline of its own.
 */
import { lookup, type LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";

type Waiter = (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void;

export function createSharedLookup(): LookupFunction {
  const waiting = new Map<string, Waiter[]>();
  const runFirst = (): void => {
    const name = waiting.keys().next().value; // LU2: the first one is under way
    if (name === undefined) return;
    lookup(name, { all: true }, (error, found) => {
      const waiters = waiting.get(name) ?? [];
      waiting.delete(name);
      for (const waiter of waiters) waiter(error, found);
      runFirst();
    });
  };
  return (name, options, callback) => {
    const waiter: Waiter = (error, found) => {
      const first = found?.[0];
      if (error !== null || first === undefined) {
        callback(error ?? new Error(`no address for ${name}`), "", 0);
      } else if (options.all === true) callback(null, found);
      else callback(null, first.address, first.family);
    };
    const others = waiting.get(name);
    if (others !== undefined) {
      others.push(waiter); // LU1
      return;
    }
    waiting.set(name, [waiter]);
    if (waiting.size === 1) runFirst();
  };
}
