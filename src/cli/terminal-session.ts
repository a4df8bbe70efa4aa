/**
 * Shows one remote terminal in the local one: sends keys and sizes, prints output, and gives the local terminal back however it ends. Knows no flag.
 *
 *     shown → ended (exit code of the command) | detached (0) | disconnected (255) | told to end (128 + signal; 255 without an answer)
 */
import type { Terminal } from '../../client/src/node.js';
import type { Connection } from './connection.js';
import { EXIT_UNKNOWN, exitCodeOfResult, exitCodeOfSignal } from './exit-codes.js';
import { forgetEnded } from './kept-commands.js';
import { LocalTerminal } from './local-terminal.js';
import { standardOutput } from './out-stream.js';
import { asUnknown, unansweredError } from './pipe-session.js';
import { say, sayOnRawTerminal, writeToStderr } from './say.js';
import { Insistence, isAnsweredInTime, takeEndSignals } from './told-to-end.js';
import { TypedKeys } from './typed-keys.js';

/** How a terminal is shown. */
export interface TerminalSessionOptions {
  readonly detachKeys: Buffer;
  /** `types`: keys are sent; `watches`: keys are only looked at for those that leave; `ignores`: standard input is not read. */
  readonly input: 'types' | 'watches' | 'ignores';
  /** Whether the remote window follows the local one. Default true. */
  readonly setsSize?: boolean;
  /** What becomes of the command when this program is told to end: it ends; it ends unless the local terminal is lost; or it goes on. */
  readonly whenToldToEnd: 'ends' | 'survivesHangup' | 'goesOn';
  /** Milliseconds that the command lives when it is left; undefined where that is not known. */
  readonly ttlMs?: number | undefined;
}

/** Bytes of keys on their way before no more are read: a paste of megabytes must not be held here. */
const MAX_UNSENT_BYTES = 256 * 1024;
const CTRL_C = 0x03;
const HELP_LINES = ['~.  disconnects (exit code 255)', '~?  shows this list', '~~  types ~'];
/** Further signals that end a program by default. They are handled, because the terminal must be given back first. */
const OTHER_SIGNALS = [
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
  'SIGXCPU',
  'SIGSYS',
  'SIGABRT',
] as const satisfies readonly NodeJS.Signals[];

/** @returns the exit code @throws {RpcError | LostError | UnknownOutcomeError | CliError} with the terminal given back */
export async function showTerminal(
  terminal: Terminal,
  connection: Connection,
  options: TerminalSessionOptions,
): Promise<number> {
  const session = new TerminalSession(terminal, connection, options);
  try {
    return await session.run();
  } finally {
    session.end();
  }
}

class TerminalSession {
  readonly #terminal: Terminal;
  readonly #connection: Connection;
  readonly #options: TerminalSessionOptions;
  readonly #local = new LocalTerminal();
  readonly #keys: TypedKeys;
  readonly #undo: (() => void)[] = [];
  readonly #insistence = new Insistence();
  #giveSignalsBack: () => void = () => {};
  #unsentBytes = 0;
  #isToldToEnd = false;
  #finish: (code: number) => void = () => {};
  #fail: (error: Error) => void = () => {};
  readonly #left = new Promise<number>((resolve, reject) => {
    this.#finish = resolve;
    this.#fail = reject;
  });

  constructor(terminal: Terminal, connection: Connection, options: TerminalSessionOptions) {
    this.#terminal = terminal;
    this.#connection = connection;
    this.#options = options;
    this.#keys = new TypedKeys(options.detachKeys);
  }

  get #setsSize(): boolean {
    return this.#options.setsSize ?? true;
  }

  async run(): Promise<number> {
    const { input } = this.#options;
    this.#connection.onAway = sayOnRawTerminal;
    // BEFORE the terminal is changed: a signal that ends this program at once would leave it so.
    this.#takeSignals();
    const takesKeys = input !== 'ignores';
    if (takesKeys) {
      this.#local.enterRaw();
      this.#undo.push(this.#local.onKeys((bytes) => this.#onKeys(bytes)));
      // The terminal is gone.
      process.stdin.once('end', () => void this.#toldToEnd('SIGHUP'));
    }
    if (this.#setsSize)
      this.#undo.push(this.#local.onResize((size) => void this.#terminal.resize(size).catch(() => {})));
    process.on('SIGCONT', this.#onContinue);
    return await Promise.race([this.#untilEnd(), this.#left]);
  }

  /** Gives everything back, but for the signals where one has ended the session: a further one must not change the exit code. */
  end(): void {
    this.#leave();
    if (!this.#isToldToEnd) this.#giveSignalsBack();
  }

  /** Gives the terminal back. Signals still come here: a second one must end this program while it waits for an answer. */
  #leave(): void {
    process.off('SIGCONT', this.#onContinue);
    this.#local.restore();
    for (const undo of this.#undo.splice(0)) undo();
    this.#connection.onAway = say;
  }

  #takeSignals(): void {
    const told = (signal: NodeJS.Signals): void => void this.#toldToEnd(signal);
    const giveBack = takeEndSignals(told);
    for (const signal of OTHER_SIGNALS) process.on(signal, told);
    this.#giveSignalsBack = () => {
      giveBack();
      for (const signal of OTHER_SIGNALS) process.off(signal, told);
    };
  }

  async #untilEnd(): Promise<number> {
    const output = standardOutput();
    const pieces = this.#terminal.chunks[Symbol.asyncIterator]();
    for (;;) {
      // A failure of the command is reported by its result below.
      const next = await pieces.next().catch(() => undefined);
      if (next === undefined || next.done === true) break;
      const { bytes, isScreen } = next.value;
      if (isScreen === true) await output.write(this.#local.clearSequence());
      this.#local.follow(bytes);
      await output.write(bytes);
    }
    await output.flush();
    const result = await this.#terminal.result.catch((error: unknown) => {
      throw asUnknown(error, this.#terminal);
    });
    const { key } = this.#terminal;
    if (this.#options.whenToldToEnd === 'ends' && key !== undefined) await forgetEnded(this.#connection.box, key);
    return exitCodeOfResult(result);
  }

  #onKeys(bytes: Buffer): void {
    const { input } = this.#options;
    if (input === 'watches' && bytes.includes(CTRL_C)) this.#finish(exitCodeOfSignal('SIGINT'));
    for (const typed of this.#keys.push(bytes)) {
      if (typed.kind === 'send' && input === 'types') this.#send(typed.bytes);
      else if (typed.kind === 'detach') void this.#detach();
      else if (typed.kind === 'disconnect') this.#disconnect();
      else if (typed.kind === 'help') this.#showHelp();
    }
  }

  #send(bytes: Buffer): void {
    this.#unsentBytes += bytes.length;
    if (this.#unsentBytes > MAX_UNSENT_BYTES) process.stdin.pause();
    const sent = (): void => {
      this.#unsentBytes -= bytes.length;
      if (this.#unsentBytes <= MAX_UNSENT_BYTES) process.stdin.resume();
    };
    // Keys that the command no longer reads are lost, as in any terminal.
    this.#terminal.write(bytes).then(sent, sent);
  }

  async #detach(): Promise<void> {
    const { key } = this.#terminal;
    if (key === undefined) {
      sayOnRawTerminal('this command ends with its connection, and cannot be detached; ~. disconnects');
      return;
    }
    await isAnsweredInTime(this.#terminal.detach());
    this.#leave();
    writeToStderr(`${ownLine()}detached: ${key}\n`);
    const { ttlMs } = this.#options;
    if (ttlMs !== undefined)
      say(`it is kept for ${durationText(ttlMs)} with nobody attached; \`execwire attach ${key}\` comes back`);
    this.#finish(0);
  }

  #disconnect(): void {
    this.#leave();
    const { key } = this.#terminal;
    writeToStderr(ownLine());
    say(`disconnected${key === undefined ? '' : `; \`execwire attach ${key}\` comes back while it is kept`}`);
    this.#finish(EXIT_UNKNOWN);
  }

  /** Ends the command, or leaves it where it is kept, and then this program. */
  async #toldToEnd(signal: NodeJS.Signals): Promise<void> {
    // FIRST: the terminal is given back, whatever the server does.
    this.#leave();
    const isInsisting = this.#insistence.isInsisting(signal);
    if (this.#isToldToEnd) {
      if (isInsisting) this.#fail(unansweredError(signal, this.#terminal));
      return;
    }
    this.#isToldToEnd = true;
    const { whenToldToEnd } = this.#options;
    const endsCommand = whenToldToEnd === 'ends' || (whenToldToEnd === 'survivesHangup' && signal !== 'SIGHUP');
    if (!endsCommand || (await isAnsweredInTime(this.#terminal.kill('SIGTERM'))))
      this.#finish(exitCodeOfSignal(signal));
    else this.#fail(unansweredError(signal, this.#terminal));
  }

  readonly #onContinue = (): void => {
    this.#local.reenterRaw();
    const size = LocalTerminal.size();
    if (size !== undefined && this.#setsSize) void this.#terminal.resize(size).catch(() => {});
  };

  #showHelp(): void {
    sayOnRawTerminal(
      ['keys at the start of a line:', ...HELP_LINES, `${this.#detachText()}detaches (exit code 0)`].join('\n  '),
    );
  }

  #detachText(): string {
    const names = [...this.#options.detachKeys].map((code) =>
      code < 0x20 ? `ctrl-${String.fromCharCode(code | 0x60)}` : String.fromCharCode(code),
    );
    return `${names.join(' ')}  `;
  }
}

/** Goes in front of a line that stands behind the output of a program, which may have stopped in the middle of a line. */
function ownLine(): string {
  return process.stderr.isTTY === true ? '\n' : '';
}

/** A duration as people say it. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
