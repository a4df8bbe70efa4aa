/** `execwire kill`: signals commands that are kept on a server. */
import { constants } from 'node:os';
import { ConnectError } from '../../client/src/errors.js';
import { nearestWord } from '../../client/src/nearest.js';
import { CONNECTION_FLAGS, JSON_FLAG, withConnection } from './connection.js';
import { describedCommand, requiredWord } from './described-command.js';
import { CliError, cliErrorOf } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';
import { keptCommand } from './kept-commands.js';
import { printJson } from './out-stream.js';
import { safeLine, say } from './say.js';
import { isKey } from './start-options.js';

export const kill = describedCommand({
  name: 'kill',
  summary: 'Signals commands that are kept on the server.',
  usage: '[flags] KEY…',
  flags: [
    { name: 'signal', short: 's', placeholder: 'SIGNAL', description: 'Name or number. Default TERM.' },
    JSON_FLAG,
    ...CONNECTION_FLAGS,
  ],
  notes: `TERM ends the command and everything it started, and is followed by KILL after 5 s; KILL does so at once; any other signal goes to the
command's process group. Ends with 125 when there is no such command, or it has ended. Of several keys each is tried; --json then prints
an array.`,
  examples: [
    ['execwire kill "$key"', 'Ends it.'],
    ['execwire kill -s INT "$key"', 'Does what ctrl-c does.'],
    ['execwire kill $(execwire ls -q)', 'Ends all that run.'],
  ],
  async run(given) {
    const key = requiredWord(given, 'kill', 'KEY');
    const signal = signalName(given.text('signal') ?? 'TERM');
    if (given.words.length > 1) return killEach(given, signal);
    await killOne(given, key, signal);
    if (given.has('json')) await printJson({ key, signal });
    return 0;
  },
});

/** A connection for each: behind a balancer each key leads to its own server. */
async function killOne(given: GivenFlags, key: string, signal: string): Promise<void> {
  await withConnection(given, { key }, async ({ box }) => {
    const { state, exitCode } = await keptCommand(box, key);
    if (state === 'ended') throw new CliError(`${key} has ended already, with exit code ${exitCode ?? 'unknown'}`);
    await box.kill(key, signal);
  });
}

/** @returns 0, or the exit code of the last failure @throws {ConnectError} since without a server no other key has a chance */
async function killEach(given: GivenFlags, signal: string): Promise<number> {
  // A key may begin with a dash, too.
  const misplaced = given.words.find((word) => word.startsWith('-') && !isKey(word));
  if (misplaced !== undefined) throw new CliError(`${misplaced}: flags stand before the keys`);
  const rows: object[] = [];
  let code = 0;
  for (const key of given.words) {
    try {
      await killOne(given, key, signal);
      rows.push({ key, signal });
    } catch (error) {
      const known = error instanceof ConnectError ? undefined : cliErrorOf(error);
      if (known === undefined) throw error;
      const { message, exitCode, details } = known;
      say(message);
      rows.push({ key, error: { message: safeLine(message), exitCode, reason: details.reason ?? null } });
      code = exitCode;
    }
  }
  if (given.has('json')) await printJson(rows);
  return code;
}

/** @throws {CliError} naming the nearest right one */
function signalName(given: string): string {
  const names = Object.keys(constants.signals);
  const byNumber = names.find((name) => String(constants.signals[name as NodeJS.Signals]) === given);
  const name = byNumber ?? `SIG${given.toUpperCase().replace(/^SIG/, '')}`;
  if (names.includes(name)) return name;
  const isNumber = /^\d+$/.test(given);
  const nearest = isNumber
    ? undefined
    : nearestWord(
        name.slice('SIG'.length),
        names.map((each) => each.slice('SIG'.length)),
      );
  const advice = nearest === undefined ? 'expected a name such as TERM, or its number' : `did you mean ${nearest}?`;
  throw new CliError(`-s ${given}: there is no such signal; ${advice}`);
}
