/** Starts a command, prints its key, and leaves it running, for `exec -d`. Knows nothing of the commands that come back to it. */
import { fieldOf } from '../../client/src/errors.js';
import type { Run, Terminal } from '../../client/src/node.js';
import type { Connection } from './connection.js';
import { CliError, cliErrorOf, EXIT_FAILURE, EXIT_UNKNOWN, exitCodeOfSignal } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';
import { giveUpStart, notStartedError } from './given-up-start.js';
import { type KeptCommand, keptCommand } from './kept-commands.js';
import { LocalTerminal } from './local-terminal.js';
import { printJson, printText } from './out-stream.js';
import { say } from './say.js';
import { hasStandardInput, sendStandardInput } from './standard-input.js';
import { keepingOptions, type StartOptions } from './start-options.js';
import { StartWatch } from './start-watch.js';
import { durationText } from './terminal-session.js';
import { type EndSignal, isAnsweredInTime, takeEndSignals } from './told-to-end.js';

/** Where a command is found. */
interface Place {
  readonly key: string;
  readonly pid: number | null;
}

/** @returns 0 @throws {CliError} also where the key cannot be printed; the command is then ended, since nobody would know of it */
export async function leaveThere(given: GivenFlags, connection: Connection, start: StartOptions): Promise<number> {
  const { box } = connection;
  const detachable = keepingOptions(given, connection);
  const command = [...given.words];
  const sendsInput = given.has('interactive') && !given.has('tty') && hasStandardInput();
  let wasThere = false;
  box.on('command/exec/attached', (attached) => {
    wasThere ||= fieldOf(attached, 'resumed') === true;
  });
  const { toldToEnd, giveSignalsBack } = untilToldToEnd();
  const left = given.has('tty')
    ? box.terminal(command, { ...start, detachable, ...LocalTerminal.size() })
    : box.exec(command, { ...start, detachable, stdin: given.has('interactive') ? 'pipe' : 'ignore', buffer: false });
  const watch = new StartWatch(left, connection);
  // A refused start rejects both the result and `started`. It is reported once.
  const result: PromiseLike<unknown> = 'result' in left ? left.result : left;
  result.then(undefined, () => {});
  try {
    const started = await Promise.race([left.started, toldToEnd]);
    if (typeof started === 'string')
      throw await (watch.isWaiting ? givenUpStart(left, started) : unansweredStart(started));
    const { key, pid } = started;
    if (typeof key !== 'string') throw new CliError('the server says no key of the command', EXIT_UNKNOWN);
    const existing = wasThere ? await keptCommand(box, key) : undefined;
    const place = { key, pid: pid ?? null };
    const orEnd = async (step: Promise<void>): Promise<void> => {
      try {
        await step;
      } catch (error) {
        throw wasThere ? error : await endedInstead(left, error, place);
      }
    };
    // A document is one only where nothing can fail behind it; a key is of use while the input is sent.
    const isJson = given.has('json');
    if (!isJson) await orEnd(printText(`${key}\n`));
    if (existing !== undefined) sayExisting(existing, sendsInput);
    else if (sendsInput) {
      const signal = await Promise.race([orEnd(sendStandardInput(left, { isAttached: false })), toldToEnd]);
      if (signal !== undefined) throw partlySent(signal, place);
    }
    if (isJson) {
      await orEnd(printJson({ ...place, resumed: existing !== undefined, exitCode: existing?.exitCode ?? null }));
    }
    // It may have ended already: then its end is kept.
    await isAnsweredInTime(left.detach());
    if (existing === undefined) sayHowLong(detachable.ttl);
    return 0;
  } finally {
    watch.stop();
    giveSignalsBack();
  }
}

function untilToldToEnd(): { toldToEnd: Promise<EndSignal>; giveSignalsBack: () => void } {
  let giveSignalsBack: () => void = () => {};
  const toldToEnd = new Promise<EndSignal>((resolve) => {
    giveSignalsBack = takeEndSignals(resolve);
  });
  return { toldToEnd, giveSignalsBack };
}

function unansweredStart(signal: EndSignal): CliError {
  const message = `left by ${signal} before the server said whether the command runs; \`execwire ls\` lists what runs there`;
  return new CliError(message, EXIT_UNKNOWN, { serverHangs: true });
}

/** Gives up a start that no server takes. */
async function givenUpStart(left: Run | Terminal, signal: EndSignal): Promise<CliError> {
  return (await giveUpStart(left)) === 'notStarted' ? notStartedError(signal) : unansweredStart(signal);
}

function partlySent(signal: EndSignal, place: Place): CliError {
  const message = `left by ${signal} before standard input was sent to its end; the command goes on, and waits for the rest: \`execwire attach ${place.key}\``;
  return new CliError(message, exitCodeOfSignal(signal), { document: place });
}

/** Ends a command that cannot be left as it was asked for. @returns the error to throw */
async function endedInstead(left: Run | Terminal, error: unknown, place: Place): Promise<unknown> {
  const isEnded = await isAnsweredInTime(left.kill('SIGTERM'));
  const known = cliErrorOf(error);
  if (known === undefined) return error;
  const document = { document: place };
  if (isEnded) return new CliError(`${known.message}; the command is ended`, EXIT_FAILURE, document);
  const message = `${known.message}; the server did not answer when it was told to end the command: \`execwire attach ${place.key}\` comes back to it`;
  return new CliError(message, EXIT_UNKNOWN, { ...document, serverHangs: true });
}

function sayExisting({ key, state, exitCode }: KeptCommand, hadInput: boolean): void {
  const input = hadInput ? ', and no input is sent' : '';
  if (state === 'ended')
    say(
      `${key} has run already and ended with exit code ${exitCode ?? 'unknown'}: nothing was started${input}; \`execwire logs ${key}\` shows its output`,
    );
  else say(`${key} runs already: nothing was started${input}`);
}

function sayHowLong(ttlMs: number): void {
  const expires = new Date(Date.now() + ttlMs).toISOString().replace(/\.\d+/, '');
  say(`kept until ${expires} unless somebody attaches before (${durationText(ttlMs)}, --ttl)`);
}
