/**
 * Counts this process's own descriptors and knows how many it may have, so that a start can be refused while there is still room:
 * at the limit libuv closes accepted connections without a word. It refuses nothing itself.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { givenDescriptorLimit } from './environment.js';
import { loadLibc } from './libc.js';

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

/** Soft limit of descriptors (Node raises its own to the hard one at start, see {@link keepDescriptorLimit}); undefined where unlimited or not known. */
export function descriptorLimit(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/**
 * Takes back what Node did to the limit of descriptors before any JavaScript ran: the server and its commands have what the server was given.
 * Does nothing where that is not known, or the C library cannot be called.
 */
export async function keepDescriptorLimit(): Promise<void> {
  const given = givenDescriptorLimit();
  if (given === undefined || given === descriptorLimit()) return;
  (await loadLibc()).limitDescriptors?.(given);
}
