/**
 * The property that pictures of terminals have: a client that gets the picture at any place in the output, and then the rest of the output, shows the same
 * as a client that got all output. Does not know which tests try it, or how often.
 */
import { isDeepStrictEqual } from 'node:util';
import { makeHeadlessTerminal } from '../../src/commands/screen-terminal.js';
import { fc } from './property.js';
import { ShownTerminal } from './shown-terminal.js';
import { terminalPieces } from './terminal-output.js';

const SIZE = { rows: 6, cols: 20 };
/** Bytes that the server's terminal gets at a time. So few that a sequence may begin in one piece and be unfinished in the next. */
const PIECE_BYTES = 7;

type Division = [pieces: string[], at: number];

/** Divisions that were wrong once. */
export const KNOWN_DIVISIONS: Division[] = [
  [['a line that is longer than the window is wide', '\x1b[1K', '\x1b[31;1m'], 49],
  [['\x1b[31;1m', '\x1b7', '\x1b[?1049l', ' '], 9],
  [['a line that is longer than the window is wide', '\x1b[1K', ' ', '\x1b[31;1m'], 50],
  [['a line that is longer than the window is wide', '\x1b[1K', '  !', '\x1b[3 q'], 52],
  [[' ', '\x1b[31;1m', '漢字', '\b', '  '], 16],
  [['\x1b(0', '\x1b[?1049l', '\x0f', '`'], 11],
];

/** Compares what the two clients show. @throws {Error} when it differs */
async function compare([pieces, at]: Division): Promise<void> {
  const bytes = Buffer.from(pieces.join(''), 'utf8');
  const divided = at % (bytes.length + 1);
  const whole = new ShownTerminal(SIZE.rows, SIZE.cols);
  const back = new ShownTerminal(SIZE.rows, SIZE.cols);
  const server = await makeHeadlessTerminal(SIZE);
  for (let from = 0; from < divided; from += PIECE_BYTES) {
    await server.write(bytes.subarray(from, Math.min(from + PIECE_BYTES, divided)));
  }
  // Divided at the same place, because the library loses some characters that come in two pieces.
  await whole.write(bytes.subarray(0, divided));
  const wantedThen = whole.shown();
  await whole.write(bytes.subarray(divided));
  await back.write(server.picture().bytes);
  const gotThen = back.shown();
  await back.write(bytes.subarray(divided));
  const [wanted, got] = [whole.shown(), back.shown()];
  for (const terminal of [whole, back, server]) terminal.dispose();
  const isSame = isDeepStrictEqual(got, wanted) && isDeepStrictEqual(gotThen, wantedThen);
  if (isSame) return;
  const differing = isDeepStrictEqual(gotThen, wantedThen) ? [got, wanted] : [gotThen, wantedThen];
  throw new Error(`divided at ${divided}:\n${differing.map((shown) => JSON.stringify(shown)).join('\n')}`);
}

/** Tries this many divisions, and the known ones. @throws {Error} with a counterexample that is as small as possible */
export function tryDivisions(times: number, seed?: number): Promise<void> {
  const property = fc.asyncProperty(fc.array(terminalPieces, { maxLength: 25 }), fc.nat(), (pieces, at) =>
    compare([pieces, at]),
  );
  return fc.assert(property, { numRuns: times, examples: KNOWN_DIVISIONS, ...(seed === undefined ? {} : { seed }) });
}
