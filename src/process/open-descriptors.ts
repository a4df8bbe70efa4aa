/**
 * Counts this process's own descriptors and knows how many it may have, so that a start can be refused in time: at the limit libuv closes accepted
 * connections without an answer. It refuses nothing itself.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { givenDescriptorLimit } from './environment.js';
import { loadLibc } from './libc.js';

/** Where the platform has a directory of the calling process's descriptors. */
const DESCRIPTOR_DIRECTORY = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd';

/** Open descriptors, or undefined if they cannot be counted. Takes some tens of microseconds. */
export function countOpenDescriptors(): number | undefined {
  try {
    // One of them is the directory that is being read.
    return readdirSync(DESCRIPTOR_DIRECTORY).length - 1;
  } catch {
    return undefined;
  }
}

/**
 * Soft limit of descriptors (Node raises its own to the hard one at the start, see {@link keepDescriptorLimit}); undefined if there is none or it is
 * not known.
 */
export function descriptorLimit(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/**
 * Takes back what Node did to the limit of descriptors before any JavaScript ran, so that the server and its commands have the limit that the server
 * was given. Does nothing if that limit is not known or the C library cannot be called.
 */
export async function keepDescriptorLimit(): Promise<void> {
  const given = givenDescriptorLimit();
  if (given === undefined || given === descriptorLimit()) return;
  (await loadLibc()).limitDescriptors?.(given);
}
