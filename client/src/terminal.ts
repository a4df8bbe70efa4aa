/** The handle of one terminal. Knows no connection. */
import { CommandHandle, type RunSettings } from './command-handle.js';
import type { CommandPlan } from './command-plan.js';
import type { CommandHome } from './remote-command.js';
import type { Result } from './result.js';

/**
 * How a terminal ended.
 *
 * @example
 * import type { TerminalResult } from 'execwire-client';
 * const { result } = box.terminal(['sh', '-c', 'exit 7']);
 * const { exitCode }: TerminalResult = await result;
 * console.log(exitCode); // 7
 */
export type TerminalResult = Pick<Result, 'command' | 'exitCode' | 'signal' | 'timedOut' | 'durationMs' | 'cause'>;

/** How a terminal behaves. */
export interface TerminalSettings extends RunSettings {
  /** Asks the server for a picture of it. */
  readonly screenOf: (terminal: CommandHandle) => Promise<string>;
}

/**
 * A terminal with a program in it.
 *
 * @example
 * const term = box.terminal(['sh'], { cols: 100, rows: 30, env: { PS1: '$ ' } });
 * await term.waitFor('$ ');
 * await term.write('stty size\n');
 * const { match } = await term.waitFor(/\d+ \d+/);
 * console.log(match); // 30 100
 * await term.write('exit 7\n');
 * console.log((await term.result).exitCode); // 7
 */
export class Terminal extends CommandHandle {
  readonly #screenOf: TerminalSettings['screenOf'];

  /** Use {@link Box.terminal} or {@link Box.attachTerminal}. */
  constructor(home: CommandHome, plan: CommandPlan, settings: TerminalSettings) {
    super(home, plan, settings);
    this.#screenOf = settings.screenOf;
    // Most programs do not ask how a terminal ended.
    this.outcome.catch(() => {});
  }

  /** How it ended, with any exit code. @throws {RpcError | LostError | UnknownOutcomeError} when there is no exit code */
  get result(): Promise<TerminalResult> {
    return this.outcome;
  }

  /** What it writes. A reader that pauses slows the program; one that leaves its loop does not. */
  get output(): AsyncIterable<Uint8Array> {
    return this.bytes(['stdout']);
  }

  /**
   * What is on the screen: text with escape sequences that draw it on an empty terminal of the same size.
   * @throws {Error} when the terminal is not detachable, because the server then keeps no screen
   */
  screen(): Promise<string> {
    return this.#screenOf(this);
  }
}
