/** What the talker (test/fixtures/talker.mjs) writes, and how it is run. Knows no server. */
import { fileURLToPath } from 'node:url';

const TALKER = fileURLToPath(new URL('../fixtures/talker.mjs', import.meta.url));

/** Exit code of the talker at the end of its input. */
export const TALKER_END = 7;

/** The talker's command line. @param file to which it appends its input */
export function talkerCommand(file: string): [string, ...string[]] {
  return [process.execPath, TALKER, file];
}

/** Output of the talker up to some position; the same rule stands in its source. */
let known = Buffer.alloc(0);

/** The bytes that the talker writes to each of its streams, by position. */
export function talkerBytes(from: number, count: number): Buffer {
  if (known.length < from + count) {
    known = Buffer.allocUnsafe(2 * (from + count));
    for (let at = 0; at < known.length; at += 1) known[at] = (at * 7 + (at >> 8) + (at >> 16)) & 0xff;
  }
  return known.subarray(from, from + count);
}
