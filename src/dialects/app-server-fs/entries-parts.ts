/** Long lists in replies, as pieces of JSON text that are made a few at a time: one text of a list of 100,000 entries would hold up the server. Knows no file system. */
import { setImmediate as immediate } from 'node:timers/promises';
import type { DirectoryEntry } from '../../files/read-directory.js';
import { ResultParts } from '../../rpc/connection.js';

/** Items that are written before other work gets its turn. */
const ITEMS_AT_ONCE = 1000;

/** The result of `fs/readDirectory`, in every dialect. */
export function entriesParts(entries: readonly DirectoryEntry[]): Promise<ResultParts> {
  return listParts('entries', entries, ({ name, isDirectory, isFile }) => ({
    fileName: name.toString(),
    isDirectory,
    isFile,
  }));
}

/** An object with one long list, and further members behind it. */
export async function listParts<T>(
  name: string,
  items: readonly T[],
  write: (item: T) => object,
  more: Readonly<Record<string, unknown>> = {},
): Promise<ResultParts> {
  const parts = [Buffer.from(`{${JSON.stringify(name)}:[`)];
  for (let from = 0; from < items.length; from += ITEMS_AT_ONCE) {
    if (from > 0) await immediate();
    const texts = items.slice(from, from + ITEMS_AT_ONCE).map((item) => JSON.stringify(write(item)));
    parts.push(Buffer.from(`${from > 0 ? ',' : ''}${texts.join(',')}`));
  }
  const members = Object.entries(more).map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`);
  parts.push(Buffer.from(`]${members.join('')}}`));
  return new ResultParts(parts);
}
