/** `execwire exec`: runs one command on the server, through pipes or in a terminal, or leaves it there. */
import { fieldOf } from '../../client/src/errors.js';
import { type DetachableOptions, RpcError, type Run } from '../../client/src/node.js';
import { commandText, type Result } from '../../client/src/result.js';
import { CONNECTION_FLAGS, type Connection, JSON_FLAG, withConnection } from './connection.js';
import { describedCommand } from './described-command.js';
import { CliError, cliErrorOf, EXIT_NOT_FOUND } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';
import { forgetEnded } from './kept-commands.js';
import { leaveThere } from './leave-there.js';
import { LocalTerminal } from './local-terminal.js';
import { printJson } from './out-stream.js';
import { asUnknown, type HeldEnd, runOnPipes } from './pipe-session.js';
import { resultDocument } from './result-document.js';
import { requireSandboxes } from './sandbox-flags.js';
import { say } from './say.js';
import { isKept, keepingOptions, START_FLAGS, startOptions } from './start-options.js';
import { detachKeysOf, openTerminal, TERMINAL_FLAGS } from './start-terminal.js';

export const exec = describedCommand({
  name: 'exec',
  summary: 'Runs a command on the server.',
  usage: '[flags] [--] COMMAND [ARGUMENT]…',
  flags: [
    { name: 'interactive', short: 'i', description: 'Sends standard input to the command.' },
    { name: 'tty', short: 't', description: 'Gives it a terminal; with -i the local one shows it and types into it.' },
    { name: 'detach', short: 'd', description: 'Leaves it running there, and prints its key.' },
    ...START_FLAGS,
    {
      name: 'timeout',
      placeholder: 'TIME',
      description: 'Ends it after so long, with exit code 124: 250ms, 30s, 5m, 1h; a bare number is seconds.',
    },
    ...TERMINAL_FLAGS,
    { name: 'no-reconnect', description: 'Ends it with the connection, in place of coming back for 60 s.' },
    JSON_FLAG,
    ...CONNECTION_FLAGS,
  ],
  notes: `Nothing passes through a shell unless you name one. Standard output and standard error stay apart, and the exit code is the command's own.
Without -it SIGINT, SIGTERM, SIGHUP and SIGQUIT are sent to the command; where the server does not answer, a second one ends execwire
with 255. With -it ctrl-p ctrl-q detaches, ~. at the start of a line disconnects, and ~? lists such keys; the command is then kept for
60 s, or for --ttl.

-d with -i first sends standard input to its end, when that is a pipe or a file. From a terminal or /dev/null, and with -t, it sends nothing:
the command's input stays open for \`execwire attach\`. -d with the --key of a command that is there starts nothing and says so.

Exit codes: the command's own; 128+n when signal n ended it; 124 after --timeout; 125 when execwire failed (wrong flag, no server,
refused, output that cannot be written); 126 when the program cannot be executed; 127 when there is none; 141 when nobody reads the
output; 255 when the connection is lost and nobody knows the outcome.`,
  examples: [
    ['execwire exec -- uname -a', 'Runs uname.'],
    ['tar c src | execwire exec -i -w /tmp -- tar x', 'Pipes data through.'],
    ["execwire exec -e LANG=C -- sh -c 'make 2>&1 | tail'", 'Uses a shell there.'],
    ['execwire exec -it -- vim notes.txt', 'Edits a file there.'],
    [
      'execwire exec --sandbox workspaceWrite -- npm test',
      "Lets it write the server's folder and /tmp, and reach no network.",
    ],
    ['key=$(execwire exec -d -- make)', 'Leaves make running; `execwire logs -f "$key"` shows its output.'],
  ],
  run: runExec,
});

async function runExec(given: GivenFlags): Promise<number> {
  if (given.words.length === 0) throw new CliError('exec needs a command: execwire exec [flags] -- COMMAND…');
  const isDetached = given.has('detach');
  const isTerminal = given.has('tty');
  const kept = isKept(given, { isTerminal });
  if (isTerminal && given.has('json') && !isDetached) throw new CliError('--json needs pipes: leave -t out');
  if (isTerminal && !isDetached && !LocalTerminal.isThere) {
    throw new CliError('-t needs a terminal on standard input, and there is none: leave it out to use pipes');
  }
  const start = startOptions(given);
  // A wrong value is named, also where it would not be used.
  detachKeysOf(given);
  const reconnects = !given.has('no-reconnect');
  const key = given.text('key');
  return withConnection(given, { reconnects, key }, async (connection) => {
    requireSandboxes(connection, start.sandboxPolicy);
    try {
      if (isDetached) return await leaveThere(given, connection, start);
      if (isTerminal) {
        const input = given.has('interactive') ? 'types' : 'ignores';
        return await openTerminal(given, connection, given.words, { start, kept, input });
      }
      return await execOnPipes(given, connection, { start, kept });
    } catch (error) {
      throw withShellHint(error, given.words);
    }
  });
}

/** A line of a shell in one word is no program: its error says how to run it. */
function withShellHint(error: unknown, words: readonly string[]): unknown {
  const known = cliErrorOf(error);
  const [line = ''] = words;
  if (known?.exitCode !== EXIT_NOT_FOUND || words.length > 1 || !/[\s|&;<>$*]/.test(line)) return error;
  const hint = `for the syntax of a shell: execwire exec -- ${commandText(['sh', '-c', line])}`;
  return new CliError(`${known.message}; ${hint}`, known.exitCode, known.details);
}

async function execOnPipes(
  given: GivenFlags,
  connection: Connection,
  { start, kept }: { readonly start: ReturnType<typeof startOptions>; readonly kept: boolean },
): Promise<number> {
  const isJson = given.has('json');
  const feedsInput = given.has('interactive');
  const begin = (detachable: boolean | DetachableOptions): Run =>
    connection.box.exec([...given.words], {
      ...start,
      detachable,
      stdin: feedsInput ? 'pipe' : 'ignore',
      buffer: isJson,
      stripFinalNewline: false,
    });
  const hold = (run: Run): Promise<HeldEnd> =>
    runOnPipes(run, connection, { feedsInput, printsOutput: !isJson, onSignal: 'sendOn', isKept: kept });
  const byDefault = !given.has('no-reconnect') && connection.keepsCommands;
  let run = begin(kept ? keepingOptions(given, connection) : byDefault);
  try {
    let end: HeldEnd;
    try {
      end = await hold(run);
    } catch (error) {
      if (kept || !lacksReplayBudget(error)) throw error;
      say('the server has no room to keep output: this command ends with its connection');
      run = begin(false);
      end = await hold(run);
    }
    if (!kept && run.key !== undefined) await forgetEnded(connection.box, run.key);
    if (isJson) await printJson(resultDocument(end.result));
    return end.code;
  } catch (error) {
    const failure = asUnknown(error, run);
    const result = error instanceof Error && 'result' in error ? (error.result as Result | undefined) : undefined;
    const known = cliErrorOf(failure);
    if (result === undefined || known === undefined) throw failure;
    throw new CliError(known.message, known.exitCode, { ...known.details, document: resultDocument(result) });
  }
}

function lacksReplayBudget(error: unknown): boolean {
  return error instanceof RpcError && fieldOf(error.data, 'bound') === 'replayBudget';
}
