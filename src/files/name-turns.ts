/**
 * Lets changes of one name happen one after the other in this server, so that nothing is put there between a check and the rename that follows it. Other
 * programs are not held back. Knows no operation.
 */
import { stat } from 'node:fs/promises';

/** A name in a folder. */
export interface Place {
  /** Names the folder for calls of `node:fs`. */
  readonly folder: Buffer;
  readonly name: Buffer;
}

/** The end of the last change that was asked for, of each name that is being changed. */
const lastChanges = new Map<string, Promise<void>>();

/** Changes these names when nothing else of this server changes one of them. To be held for a check and a rename, and never while a client sends. */
export async function inTurn<T>(places: readonly Place[], change: () => Promise<T>): Promise<T> {
  const keys = await Promise.all(places.map(keyOf));
  // In one order, so that two changes of the same names never wait for each other.
  const inOrder = [...new Set(keys)].sort();
  return inOrder.reduceRight((inner, key) => () => queued(key, inner), change)();
}

/** The same for every path and every mount that leads there. */
async function keyOf({ folder, name }: Place): Promise<string> {
  const { dev, ino } = await stat(folder, { bigint: true });
  return `${dev}:${ino}/${name.toString('latin1')}`;
}

async function queued<T>(key: string, change: () => Promise<T>): Promise<T> {
  const running = (lastChanges.get(key) ?? Promise.resolve()).then(change);
  const ended = running.then(
    () => {},
    () => {},
  );
  lastChanges.set(key, ended);
  try {
    return await running;
  } finally {
    if (lastChanges.get(key) === ended) lastChanges.delete(key);
  }
}
