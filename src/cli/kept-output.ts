/** What a server still keeps of a command's output, and how much of it is missing. Knows no flag. */
import { fieldOf } from '../../client/src/errors.js';
import type { Box, OutputGap, StreamName, StreamRange } from '../../client/src/node.js';
import { CliError } from './exit-codes.js';

/** The positions of each stream that are kept. */
export type Kept = Readonly<Record<StreamName, StreamRange>>;

/**
 * What is kept at the first attachment. Call it BEFORE the attachment: the server says it once.
 * @throws {CliError} where the server says no positions
 */
export function keptAtAttachment(box: Box): Promise<Kept> {
  const kept = new Promise<Kept>((resolve, reject) => {
    box.on('command/exec/attached', (attached) => {
      const [stdout, stderr] = [fieldOf(attached, 'stdout'), fieldOf(attached, 'stderr')];
      if (isRange(stdout) && isRange(stderr)) resolve({ stdout, stderr });
      else reject(new CliError('the server does not say what it keeps of the output; is it an execwire server?'));
    });
  });
  kept.catch(() => {});
  return kept;
}

/** A line for each stream whose beginning is not kept. */
export function droppedTexts(kept: Kept): string[] {
  return (['stdout', 'stderr'] as const)
    .filter((stream) => kept[stream].oldest > 0)
    .map((stream) => gapText({ stream, from: 0, to: kept[stream].oldest }));
}

/** Output that was lost: at the beginning, or on the way. */
export function gapText({ stream, from, to }: OutputGap): string {
  if (from === 0) return `the first ${to} bytes of ${stream} are not kept any more`;
  return `${to - from} bytes of ${stream} are lost: the server no longer keeps them`;
}

function isRange(value: unknown): value is StreamRange {
  return typeof fieldOf(value, 'oldest') === 'number' && typeof fieldOf(value, 'next') === 'number';
}
