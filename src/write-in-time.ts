/** Writes a text to a descriptor before the program goes on, and gives one that is full a limited time. Knows neither what is written nor who reads. */
import { writeSync } from 'node:fs';

/** Milliseconds between two looks at a descriptor that is full. */
const LOOK_AGAIN_MS = 10;

/**
 * Writes at once; a descriptor that takes nothing in time, or never will, gets the rest no more. The thread sleeps while it waits.
 * @param patienceMs milliseconds that a full pipe or a stopped terminal may take in all
 * @returns whether everything is written
 */
export function writeInTime(fd: number, text: string | Uint8Array, patienceMs: number): boolean {
  const deadlineMs = performance.now() + patienceMs;
  let rest = typeof text === 'string' ? Buffer.from(text) : text;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      // With anything but EAGAIN a further attempt fails, too: EPIPE, ENOSPC, EBADF.
      const leftMs = deadlineMs - performance.now();
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || leftMs <= 0) return false;
      sleep(Math.min(LOOK_AGAIN_MS, leftMs));
    }
  }
  return true;
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, ms);
}
