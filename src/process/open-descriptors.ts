/**
 * Counts this process's own descriptors and knows how many it may have, so that a start can be refused while there is still room:
 * at the limit libuv closes accepted connections without a word. It refuses nothing itself.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Where the platform has a directory of the calling process's descriptors. */
const DESCRIPTOR_DIRECTORY = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd';

/** Descriptors open at the moment, or undefined where that cannot be known. Some tens of microseconds. */
export function countOpenDescriptors(): number | undefined {
  try {
    // The directory that is being read is one of them.
    return readdirSync(DESCRIPTOR_DIRECTORY).length - 1;
  } catch {
    return undefined;
  }
}

/** Soft limit of descriptors (Node raises its own to the hard one at start); undefined where unlimited or not known. */
export function descriptorLimit(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
