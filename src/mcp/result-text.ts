/** What a tool says of a command: how it is or how it ended, and the part of its output that fits. Knows no tool by name but `read_output`. */
import type { CallToolResult } from '@modelcontextprotocol/server';
import type { AgentCommand, Ending } from './agent-command.js';
import type { Piece } from './kept-output.js';
import { headEnd, shownText, tailStart, type View, wholeLength } from './whole-text.js';

/** Part of a cut output that is taken from its beginning; the end says more, so it gets the rest. */
const HEAD_PART = 0.4;

/** Bytes in which something unfinished at the end begins. */
const LOOK_BACK_BYTES = 512;

/** Which output to show. */
export interface OutputRange {
  readonly from: number;
  /** Offset behind it. Default: all that came. */
  readonly to?: number;
  /** Most bytes. */
  readonly maxBytes: number;
  /** What longer output loses: its middle, or what follows the first bytes. */
  readonly cut: 'middle' | 'end';
  readonly view: View;
}

/** A part of output, and where to go on. */
export interface ShownOutput {
  readonly text: string;
  /** Sentences about what is missing or was changed. */
  readonly notes: readonly string[];
  /** Offset behind the last byte that is shown. */
  readonly next: number;
}

/** A result of a tool: what it says of the command, then the output in a text of its own, which cannot be mistaken for it. */
export function commandResult(status: readonly string[], output?: ShownOutput): CallToolResult {
  const said = [...status, ...(output?.notes ?? [])].join(' ');
  const texts = output === undefined || output.text === '' ? [said] : [said, output.text];
  return { content: texts.map((text) => ({ type: 'text', text })) };
}

/** How a command is, in one sentence. */
export function stateText(command: AgentCommand): string {
  const { id, pid, ending, startedAtMs } = command;
  if (ending !== undefined) return `Command ${id}: ${endingText(command, ending)}.`;
  const runs = `running for ${secondsText(performance.now() - startedAtMs)}`;
  return `Command ${id}: ${runs}${pid === undefined ? '' : `, pid ${pid}`}.`;
}

/** How a command ended, as a part of a sentence. */
export function endingText({ endedBy }: AgentCommand, { cause, exitCode, signal, durationMs, detail }: Ending): string {
  const after = `after ${secondsText(durationMs)}`;
  const bySignal = signal === undefined ? '' : ` by ${signal}`;
  switch (cause) {
    case 'timeout':
      return `timed out: ended${bySignal} ${after}; the output until then is kept`;
    case 'outOfMemory':
      return `ended for lack of memory ${after}`;
    case 'lost':
      return `lost ${after}: ${detail ?? 'the server has gone with it'}. It runs no longer, and no exit code is known`;
    case 'unknown':
      return `outcome unknown ${after}: ${detail ?? 'the server cannot be reached'}. It may still run`;
    case 'terminated':
      return `ended${bySignal} ${after}${WHO[endedBy ?? 'stop']}`;
    case 'signal':
      return `killed${bySignal} ${after}`;
    default:
      return `exit code ${exitCode} ${after}`;
  }
}

const WHO = {
  stop: ', as asked',
  cancelled: ', because its call was cancelled',
  ttl: ', because no tool had named it for its ttl_seconds',
};

/** The part of a command's output that is asked for. */
export function outputPart(command: AgentCommand, range: OutputRange): ShownOutput {
  const { output, ending } = command;
  const from = Math.min(range.from, output.end);
  let to = Math.min(range.to ?? output.end, output.end);
  // What has just begun waits for its rest.
  if (ending === undefined && to === output.end) to = endOfWhole(command, from, to);
  if (to - from <= range.maxBytes && output.has(from, to)) {
    return shown(command, range, [{ at: from, bytes: output.read(from, to - from).bytes }], to);
  }
  return range.cut === 'end' ? firstPart(command, range, from, to) : bothEnds(command, range, from, to);
}

function endOfWhole({ output }: AgentCommand, from: number, to: number): number {
  const start = Math.max(from, to - LOOK_BACK_BYTES);
  const { at, bytes } = output.read(start, to - start);
  return at + bytes.length === to ? at + wholeLength(bytes) : to;
}

function firstPart(command: AgentCommand, range: OutputRange, from: number, to: number): ShownOutput {
  const { at, bytes } = command.output.read(from, Math.min(range.maxBytes, to - from));
  const kept = bytes.subarray(0, Math.max(0, Math.min(bytes.length, to - at)));
  const isLast = at + kept.length >= to;
  const part = isLast ? kept : kept.subarray(0, headEnd(kept) || kept.length);
  const next = at + part.length;
  const notes = at > from ? [`Bytes ${from} to ${at} are not kept any more.`] : [];
  if (next < to) notes.push(`There is more: go on with from ${next}.`);
  return shown(command, range, [{ at, bytes: part }], next, notes);
}

function bothEnds(command: AgentCommand, range: OutputRange, from: number, to: number): ShownOutput {
  const { output, id } = command;
  const headBytes = Math.floor(range.maxBytes * HEAD_PART);
  const first = output.read(from, Math.min(headBytes, to - from));
  const head = first.at >= to ? { at: from, bytes: Buffer.alloc(0) } : cutHead(first);
  const afterHead = Math.max(from, head.at + head.bytes.length);
  const wanted = Math.max(afterHead, to - (range.maxBytes - headBytes));
  const last = output.read(wanted, to - wanted);
  const start = wanted > afterHead ? tailStart(last.bytes) : 0;
  const tail = { at: last.at + start, bytes: last.bytes.subarray(start, Math.max(start, to - last.at)) };
  const notes: string[] = [];
  if (head.at > from) notes.push(`Bytes ${from} to ${head.at} are not kept any more.`);
  if (tail.at > afterHead) {
    const isKept = output.has(afterHead, tail.at);
    const next = `read_output {"id": "${id}", "from": ${afterHead}} shows`;
    const isGone = output.read(afterHead, 1).at >= tail.at;
    const advice = isKept
      ? `${next} them`
      : isGone
        ? 'they are not kept any more'
        : `${next} those that are still kept`;
    notes.push(`Bytes ${afterHead} to ${tail.at} are left out; ${advice}.`);
  }
  return shown(command, range, [head, tail], to, notes);
}

function cutHead({ at, bytes }: Piece): Piece {
  return { at, bytes: bytes.subarray(0, headEnd(bytes)) };
}

function shown(
  { output, isTerminal, ending }: AgentCommand,
  { view, from }: OutputRange,
  pieces: readonly Piece[],
  next: number,
  notes: readonly string[] = [],
): ShownOutput {
  const texts = pieces.map(({ bytes }) => shownText(bytes, view, isTerminal));
  const invalid = texts.reduce((sum, text) => sum + text.invalid, 0);
  const [first, second] = pieces;
  let text = texts[0]?.text ?? '';
  if (second !== undefined && first !== undefined) {
    const missing = second.at - (first.at + first.bytes.length);
    const newline = text === '' || text.endsWith('\n') ? '' : '\n';
    const mark = missing > 0 ? `${newline}[… ${missing} bytes left out …]\n` : '';
    text = `${text}${mark}${texts[1]?.text ?? ''}`;
  }
  const beyond = from > output.end ? [`Only ${output.end} bytes have come: nothing begins at ${from} yet.`] : [];
  const binary = invalid === 0 ? [] : [`${placesText(invalid)}; pipe through base64 or xxd to see the bytes.`];
  return {
    text,
    notes: [
      rangeText(pieces, { next, end: output.end, isRunning: ending === undefined }),
      ...beyond,
      ...notes,
      ...binary,
    ],
    next,
  };
}

/** Which bytes are shown. */
function rangeText(
  pieces: readonly Piece[],
  { next, end, isRunning }: { readonly next: number; readonly end: number; readonly isRunning: boolean },
): string {
  const begin = pieces[0]?.at ?? next;
  if (end === 0) return isRunning ? 'No output yet.' : 'No output.';
  if (begin >= next) return isRunning ? 'No further output yet.' : 'No further output.';
  if (begin === 0 && next === end) return `Output: ${end} bytes.`;
  return `Output: bytes ${begin} to ${next} of ${end}.`;
}

/** What was no text, as a part of a sentence. */
export function placesText(invalid: number): string {
  return `${invalid === 1 ? '1 place is' : `${invalid} places are`} no UTF-8 and shown as \ufffd`;
}

/** A time as people say it. */
export function secondsText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
