/** Starts a command, prints its key, and leaves it running, for `exec -d`. Knows nothing of the commands that come back to it. */
import { fieldOf } from '../../client/src/errors.js';
import type { Run, Terminal } from '../../client/src/node.js';
import type { Connection } from './connection.js';
import { CliError, cliErrorOf, EXIT_UNKNOWN, exitCodeOfSignal } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';
import { type KeptCommand, keptCommand } from './kept-commands.js';
import { LocalTerminal } from './local-terminal.js';
import { printJson, printText } from './out-stream.js';
import { say } from './say.js';
import { hasStandardInput, sendStandardInput } from './standard-input.js';
import { keepingOptions, type StartOptions } from './start-options.js';
import { durationText } from './terminal-session.js';
import { type EndSignal, isAnsweredInTime, takeEndSignals } from './told-to-end.js';

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
  // A refused start rejects both the result and `started`. It is reported once.
  const result: PromiseLike<unknown> = 'result' in left ? left.result : left;
  result.then(undefined, () => {});
  try {
    const started = await Promise.race([left.started, toldToEnd]);
    if (typeof started === 'string') throw unansweredStart(started);
    const { key, pid } = started;
    if (typeof key !== 'string') throw new CliError('the server says no key of the command', EXIT_UNKNOWN);
    const existing = wasThere ? await keptCommand(box, key) : undefined;
    try {
      await printKey(given, { key, pid: pid ?? null, existing });
    } catch (error) {
      if (wasThere) throw error;
      throw await endedInstead(left, error);
    }
    if (existing !== undefined) sayExisting(existing, sendsInput);
    else if (sendsInput) {
      const sent = sendStandardInput(left, { isAttached: false }).catch(async (error) => {
        throw await endedInstead(left, error);
      });
      const signal = await Promise.race([sent, toldToEnd]);
      if (signal !== undefined) throw partlySent(signal, key);
    }
    // It may have ended already: then its end is kept.
    await isAnsweredInTime(left.detach());
    if (existing === undefined) sayHowLong(detachable.ttl);
    return 0;
  } finally {
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

function partlySent(signal: EndSignal, key: string): CliError {
  const message = `left by ${signal} before standard input was sent to its end; the command goes on, and waits for the rest: \`execwire attach ${key}\``;
  return new CliError(message, exitCodeOfSignal(signal));
}

async function printKey(
  given: GivenFlags,
  {
    key,
    pid,
    existing,
  }: { readonly key: string; readonly pid: number | null; readonly existing: KeptCommand | undefined },
): Promise<void> {
  if (!given.has('json')) return printText(`${key}\n`);
  await printJson({ key, pid, resumed: existing !== undefined, exitCode: existing?.exitCode ?? null });
}

/** Ends a command that cannot be left as it was asked for. @returns the error to throw */
async function endedInstead(left: Run | Terminal, error: unknown): Promise<unknown> {
  await isAnsweredInTime(left.kill('SIGTERM'));
  const known = cliErrorOf(error);
  return known === undefined ? error : new CliError(`${known.message}; the command is ended`);
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
