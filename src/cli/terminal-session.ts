/**
 * Shows one remote terminal in the local one: sends keys and sizes, prints output, and gives the local terminal back however it ends. Knows no flag.
 *
 *     shown → ended (exit code of the command) | detached (0) | disconnected (255) | told to end (128 + signal; 255 without an answer)
 */
import type { Terminal } from '../../client/src/node.js';
import type { Connection } from './connection.js';
import { EXIT_UNKNOWN, exitCodeOfResult, exitCodeOfSignal } from './exit-codes.js';
import { giveUpStart, notStartedError } from './given-up-start.js';
import { forgetEnded, keptCommand } from './kept-commands.js';
import { gapText } from './kept-output.js';
import { LocalTerminal, type WindowSize } from './local-terminal.js';
import { standardOutput } from './out-stream.js';
import { asUnknown, unansweredError } from './pipe-session.js';
import { say, sayOnRawTerminal, writeToStderr } from './say.js';
import { Insistence, isAnsweredInTime, takeAllEndSignals } from './told-to-end.js';
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
  /** Whether no server has taken the command yet, although one was asked. Default: one has. */
  readonly isStartWaiting?: () => boolean;
  /** Milliseconds that the command lives when it is left; undefined where that is not known. */
  readonly ttlMs?: number | undefined;
}

/** Bytes of keys on their way before no more are read: a paste of megabytes must not be held here. */
const MAX_UNSENT_BYTES = 256 * 1024;
const CTRL_C = 0x03;
const HELP_LINES = ['~.  disconnects (exit code 255)', '~?  shows this list', '~~  types ~'];
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
  /** Settles when the last keys are with the server. */
  #lastWrite: Promise<void> = Promise.resolve();
  #isToldToEnd = false;
  /** Whether the local terminal has been given back: what still comes would change it again. */
  #hasLeft = false;
  #isResizing = false;
  /** The size that waits for the answer to the one before. */
  #nextSize: WindowSize | undefined;
  /** Whether the user leaves the command: its result then only says so. */
  #isLeaving = false;
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
    // A terminal that shows both streams is in the middle of a line.
    this.#connection.tell = process.stderr.isTTY === true ? sayOnRawTerminal : say;
    this.#undo.push(this.#terminal.onGap((gap) => this.#connection.tell(gapText(gap))));
    // BEFORE the terminal is changed: a signal that ends this program at once would leave it so.
    this.#takeSignals();
    const takesKeys = input !== 'ignores';
    if (takesKeys) {
      this.#local.enterRaw();
      this.#undo.push(this.#local.onKeys((bytes) => this.#onKeys(bytes)));
      // The terminal is gone.
      process.stdin.once('end', () => void this.#toldToEnd('SIGHUP'));
    }
    if (this.#setsSize) this.#undo.push(this.#local.onResize((size) => void this.#resize(size)));
    process.on('SIGCONT', this.#onContinue);
    const ended = this.#untilEnd().catch((error: unknown) => {
      // Told to end, it may end before its start.
      if (this.#isLeaving || this.#isToldToEnd) return this.#left;
      throw error;
    });
    return await Promise.race([ended, this.#left]);
  }

  /** Gives everything back, but for the signals where one has ended the session: a further one must not change the exit code. */
  end(): void {
    this.#leave();
    if (!this.#isToldToEnd) this.#giveSignalsBack();
  }

  /** Gives the terminal back. Signals still come here: a second one must end this program while it waits for an answer. */
  #leave(): void {
    this.#hasLeft = true;
    process.off('SIGCONT', this.#onContinue);
    this.#local.restore();
    for (const undo of this.#undo.splice(0)) undo();
    this.#connection.tell = say;
  }

  #takeSignals(): void {
    this.#giveSignalsBack = takeAllEndSignals((signal) => void this.#toldToEnd(signal));
  }

  async #untilEnd(): Promise<number> {
    const output = standardOutput();
    const pieces = this.#terminal.chunks[Symbol.asyncIterator]();
    for (;;) {
      // A failure of the command is reported by its result below.
      const next = await pieces.next().catch(() => undefined);
      if (next === undefined || next.done === true) break;
      if (this.#hasLeft) continue;
      const { bytes, isScreen } = next.value;
      if (isScreen === true) await output.write(this.#local.clearSequence());
      if (this.#hasLeft) continue;
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
      else if (typed.kind === 'disconnect') void this.#disconnect();
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
    this.#lastWrite = this.#terminal.write(bytes).then(sent, sent);
  }

  async #detach(): Promise<void> {
    const { key } = this.#terminal;
    if (key === undefined) {
      sayOnRawTerminal('this command ends with its connection, and cannot be detached; ~. disconnects');
      return;
    }
    await this.#detachInOrder();
    this.#leave();
    writeToStderr(`${ownLine()}detached: ${key}\n`);
    say(`${await this.#howLong(key)}; \`execwire attach ${key}\` comes back`);
    this.#finish(0);
  }

  async #disconnect(): Promise<void> {
    this.#isLeaving = true;
    this.#leave();
    const { key } = this.#terminal;
    writeToStderr(ownLine());
    // The server says how long it is kept only once nobody is attached.
    if (this.#options.ttlMs === undefined && !this.#connection.isAway) await this.#detachInOrder();
    if (key === undefined) say('disconnected; the command ends with its connection');
    else say(`disconnected; ${await this.#howLong(key)}; \`execwire attach ${key}\` comes back`);
    this.#finish(EXIT_UNKNOWN);
  }

  /** Detaches when the keys that were typed before are with the server. A server that does not answer is not waited for. */
  async #detachInOrder(): Promise<void> {
    this.#isLeaving = true;
    const detach = async (): Promise<void> => {
      await this.#lastWrite;
      await this.#terminal.detach();
    };
    await isAnsweredInTime(detach());
  }

  /** How long the command is kept when it is left; the server is asked where another client has started it. */
  async #howLong(key: string): Promise<string> {
    const { ttlMs } = this.#options;
    if (ttlMs !== undefined) return `it is kept for ${durationText(ttlMs)} with nobody attached`;
    let expiresAtMs: number | null | undefined;
    const asked = async (): Promise<void> => {
      ({ expiresAtMs } = await keptCommand(this.#connection.box, key));
    };
    if (!this.#connection.isAway) await isAnsweredInTime(asked());
    if (expiresAtMs === null) return 'it is kept while others are attached';
    return expiresAtMs === undefined
      ? 'it is kept for a while'
      : `it is kept for ${durationText(Math.max(0, expiresAtMs - Date.now()))} with nobody attached`;
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
    const { whenToldToEnd, isStartWaiting = () => false } = this.#options;
    if (isStartWaiting()) {
      const given = await giveUpStart(this.#terminal);
      if (given === 'notStarted') this.#fail(notStartedError(signal));
      else if (given === 'unanswered') this.#fail(unansweredError(signal, this.#terminal));
      else this.#finish(exitCodeOfSignal(signal));
      return;
    }
    const endsCommand = whenToldToEnd === 'ends' || (whenToldToEnd === 'survivesHangup' && signal !== 'SIGHUP');
    if (!endsCommand || (await isAnsweredInTime(this.#terminal.kill('SIGTERM'))))
      this.#finish(exitCodeOfSignal(signal));
    else this.#fail(unansweredError(signal, this.#terminal));
  }

  readonly #onContinue = (): void => {
    this.#local.reenterRaw();
    const size = LocalTerminal.size();
    if (size === undefined || !this.#setsSize) return;
    // The shell has written over the picture: a program draws it again when its window gets another size.
    if (size.rows > 1) void this.#terminal.resize({ ...size, rows: size.rows - 1 }).catch(() => {});
    void this.#terminal.resize(size).catch(() => {});
  };

  /** Sends the newest size once the one before has been answered: a window that is dragged gets hundreds. */
  async #resize(size: WindowSize): Promise<void> {
    this.#nextSize = size;
    if (this.#isResizing) return;
    this.#isResizing = true;
    for (let next: WindowSize | undefined = size; next !== undefined; next = this.#nextSize) {
      this.#nextSize = undefined;
      await this.#terminal.resize(next).catch(() => {});
    }
    this.#isResizing = false;
  }

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
