/**
 * One remote terminal shown in the local one: keys go there, output comes here, sizes follow, and the local terminal is as it was on every way out.
 * Knows no flag.
 *
 *     shown → ended (exit code of the command) | detached (0) | disconnected (255) | told to end (128 + signal)
 */
import type { Terminal } from '../../client/src/node.js';
import type { Connection } from './connection.js';
import { EXIT_UNKNOWN, exitCodeOfResult, exitCodeOfSignal } from './exit-codes.js';
import { LocalTerminal } from './local-terminal.js';
import { standardOutput } from './out-stream.js';
import { asUnknown } from './pipe-session.js';
import { say, writeToStderr } from './say.js';
import { takeEndSignals } from './told-to-end.js';
import { TypedKeys } from './typed-keys.js';

/** How a terminal is shown. */
export interface TerminalSessionOptions {
  readonly detachKeys: Buffer;
  /** `types`: keys are sent; `watches`: keys are only looked at for those that leave; `ignores`: standard input is not read. */
  readonly input: 'types' | 'watches' | 'ignores';
  /** Whether the remote window follows the local one. Default true. */
  readonly setsSize?: boolean;
  /** What becomes of the command when this program is told to end: it ends, too; it ends but for the loss of the local terminal; or it goes on. */
  readonly whenToldToEnd: 'ends' | 'survivesHangup' | 'goesOn';
  /** Milliseconds that the command lives when it is left; undefined where that is not known. */
  readonly ttlMs?: number | undefined;
}

/** Bytes of keys on their way before no more are read: a paste of megabytes must not be held here. */
const MAX_UNSENT_BYTES = 256 * 1024;
/** Milliseconds that a last request may take when this program ends next. */
const LAST_WORDS_MS = 2_000;
const CTRL_C = 0x03;
const HELP_LINES = ['~.  disconnects (exit code 255)', '~?  shows this list', '~~  types ~'];
/** Signals that end a program by default, beside those that ask it to: the terminal must be given back first. */
const OTHER_SIGNALS = [
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGXCPU',
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
    session.leave();
  }
}

class TerminalSession {
  readonly #terminal: Terminal;
  readonly #connection: Connection;
  readonly #options: TerminalSessionOptions;
  readonly #local = new LocalTerminal();
  readonly #keys: TypedKeys;
  readonly #undo: (() => void)[] = [];
  #unsentBytes = 0;
  #finish: (code: number) => void = () => {};
  readonly #left = new Promise<number>((resolve) => {
    this.#finish = resolve;
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
    this.#connection.onAway = (text) => this.#show(text);
    // BEFORE the terminal is changed: a signal that ends this program at once would leave it so.
    this.#undo.push(takeEndSignals((signal) => void this.#toldToEnd(signal)));
    for (const signal of OTHER_SIGNALS) process.on(signal, this.#onOtherSignal);
    const takesKeys = input !== 'ignores';
    if (takesKeys) {
      this.#local.enterRaw();
      this.#undo.push(this.#local.onKeys((bytes) => this.#onKeys(bytes)));
      // The terminal is gone, and with it whoever typed.
      process.stdin.once('end', () => void this.#toldToEnd('SIGHUP'));
    }
    if (this.#setsSize)
      this.#undo.push(this.#local.onResize((size) => void this.#terminal.resize(size).catch(() => {})));
    process.on('SIGCONT', this.#onContinue);
    return await Promise.race([this.#untilEnd(), this.#left]);
  }

  /** Gives everything back. */
  leave(): void {
    process.off('SIGCONT', this.#onContinue);
    this.#local.restore();
    for (const undo of this.#undo.splice(0)) undo();
    for (const signal of OTHER_SIGNALS) process.off(signal, this.#onOtherSignal);
    this.#connection.onAway = say;
  }

  async #untilEnd(): Promise<number> {
    const output = standardOutput();
    const pieces = this.#terminal.chunks[Symbol.asyncIterator]();
    for (;;) {
      // A failure of the command is told by its result.
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
    // Kept for whoever comes back, and nobody will.
    if (this.#options.whenToldToEnd === 'ends' && key !== undefined)
      void this.#connection.box.forget(key).catch(() => {});
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
    // What the command does not read any more is lost, as in any terminal.
    this.#terminal.write(bytes).then(sent, sent);
  }

  async #detach(): Promise<void> {
    const { key } = this.#terminal;
    if (key === undefined) {
      this.#show('this command ends with its connection, and cannot be detached; ~. disconnects');
      return;
    }
    await this.#lastly(this.#terminal.detach());
    this.leave();
    writeToStderr(`detached: ${key}\n`);
    const { ttlMs } = this.#options;
    if (ttlMs !== undefined)
      say(`it is kept for ${durationText(ttlMs)} with nobody attached; \`execwire attach ${key}\` comes back`);
    this.#finish(0);
  }

  #disconnect(): void {
    this.leave();
    const { key } = this.#terminal;
    say(`disconnected${key === undefined ? '' : `; \`execwire attach ${key}\` comes back while it is kept`}`);
    this.#finish(EXIT_UNKNOWN);
  }

  /** Ends the command, or leaves it where it is kept, and then this program. */
  async #toldToEnd(signal: NodeJS.Signals): Promise<void> {
    // FIRST: whatever the server does, the terminal is given back.
    this.leave();
    const { whenToldToEnd } = this.#options;
    if (whenToldToEnd === 'ends' || (whenToldToEnd === 'survivesHangup' && signal !== 'SIGHUP')) {
      await this.#lastly(this.#terminal.kill('SIGTERM'));
    }
    this.#finish(exitCodeOfSignal(signal));
  }

  readonly #onOtherSignal = (signal: NodeJS.Signals): void => void this.#toldToEnd(signal);

  readonly #onContinue = (): void => {
    this.#local.reenterRaw();
    const size = LocalTerminal.size();
    if (size !== undefined && this.#setsSize) void this.#terminal.resize(size).catch(() => {});
  };

  #showHelp(): void {
    this.#show(
      ['keys at the start of a line:', ...HELP_LINES, `${this.#detachText()}detaches (exit code 0)`].join('\r\n  '),
    );
  }

  #detachText(): string {
    const names = [...this.#options.detachKeys].map((code) =>
      code < 0x20 ? `ctrl-${String.fromCharCode(code | 0x60)}` : String.fromCharCode(code),
    );
    return `${names.join(' ')}  `;
  }

  /** One line between the output of the program: a raw terminal needs its own carriage return. */
  #show(text: string): void {
    writeToStderr(`\r\nexecwire: ${text}\r\n`);
  }

  async #lastly(request: Promise<unknown>): Promise<void> {
    await Promise.race([request.catch(() => {}), new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
  }
}

/** A duration as people say it. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
