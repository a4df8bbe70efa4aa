/** Waits for what a tool was told to wait for: a match, silence, output, or the end of a command. Knows no tool. */
import type { AgentCommand } from './agent-command.js';
import { BoundedMatch } from './bounded-match.js';
import { shownText, wholeLength } from './whole-text.js';

/** Bytes that a match may span: the search begins so far before what is new. */
const MATCH_BYTES = 4_096;
/** Bytes looked through at once; a command that writes faster is looked through in several turns. */
const LOOK_BYTES = 1024 * 1024;
/** Milliseconds between two looks for a match, so that a command with much output does not cost one for each piece. */
const LOOK_EVERY_MS = 20;

/** What to wait for. Its end always ends the wait, too. */
export type WaitFor = 'none' | 'output' | 'idle' | 'match' | 'exit';

export interface Wait {
  readonly waitFor: WaitFor;
  /** A regular expression; with `match`. */
  readonly match?: string | undefined;
  /** Silence in milliseconds; with `idle`. */
  readonly idleMs: number;
  readonly timeoutMs: number;
  /** Offset behind which output is new. */
  readonly from: number;
}

/** Why a wait is over. */
export interface WaitEnd {
  readonly why: 'none' | 'output' | 'idle' | 'match' | 'exit' | 'timeout';
  /** The text that matched. */
  readonly matched?: string;
}

/**
 * Waits.
 * @throws {ToolError} for a pattern that is none or takes too long @throws the reason of the signal when the agent cancels
 */
export async function waitFor(command: AgentCommand, wait: Wait, signal: AbortSignal): Promise<WaitEnd> {
  signal.throwIfAborted();
  const search = wait.waitFor === 'match' ? new Search(command, wait) : undefined;
  const startedAtMs = performance.now();
  // Silence before this wait says nothing: the answer to an input just sent is still to come.
  const silentMs = (): number => Math.min(command.silentMs, performance.now() - startedAtMs);
  const reached = (): WaitEnd | undefined => {
    const matched = search?.look();
    if (matched !== undefined) return { why: 'match', matched };
    if (command.ending !== undefined && (search === undefined || search.isDone)) return { why: 'exit' };
    if (wait.waitFor === 'none') return { why: 'none' };
    if (wait.waitFor === 'output' && command.output.end > wait.from) return { why: 'output' };
    if (wait.waitFor === 'idle' && silentMs() >= wait.idleMs) return { why: 'idle' };
    return undefined;
  };
  const timeoutAtMs = startedAtMs + wait.timeoutMs;
  for (;;) {
    const end = reached();
    if (end !== undefined) return end;
    const leftMs = timeoutAtMs - performance.now();
    if (leftMs <= 0) return { why: 'timeout' };
    if (search !== undefined && !search.isDone) await pause(0, signal);
    else {
      const silenceMs = wait.waitFor === 'idle' ? Math.max(1, wait.idleMs - silentMs()) : leftMs;
      await change(command, Math.min(leftMs, silenceMs), signal);
      if (search !== undefined) await pause(Math.min(LOOK_EVERY_MS, leftMs), signal);
    }
  }
}

/** Looks through output once, however long it becomes. */
class Search {
  readonly #command: AgentCommand;
  readonly #pattern: BoundedMatch;
  readonly #from: number;
  #searchedTo: number;

  constructor(command: AgentCommand, { match = '', from }: Wait) {
    this.#command = command;
    this.#pattern = new BoundedMatch(match);
    this.#from = from;
    this.#searchedTo = from;
  }

  /** Whether everything that came was looked through. */
  get isDone(): boolean {
    return this.#searchedTo >= this.#command.output.end;
  }

  /** Looks through the next part. @returns the text that matched */
  look(): string | undefined {
    const { output, isTerminal, ending } = this.#command;
    const start = Math.max(this.#from, this.#searchedTo - MATCH_BYTES);
    const { at, bytes } = output.read(start, LOOK_BYTES);
    const next = at + bytes.length;
    this.#searchedTo = next > this.#searchedTo ? next : output.end;
    const whole = ending === undefined && next >= output.end ? wholeLength(bytes) : bytes.length;
    return this.#pattern.find(shownText(bytes.subarray(0, whole), 'text', isTerminal).text);
  }
}

/** Resolves when something came, or after some time. @throws the reason of the signal */
function change(command: AgentCommand, limitMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (settled: () => void): void => {
      clearTimeout(timer);
      remove();
      signal.removeEventListener('abort', abort);
      settled();
    };
    const abort = (): void => settle(() => reject(signal.reason));
    const timer = setTimeout(() => settle(resolve), limitMs);
    const remove = command.onChange(() => settle(resolve));
    signal.addEventListener('abort', abort);
  });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  signal.throwIfAborted();
}
