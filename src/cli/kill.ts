/** `execwire kill`: signals a command that is kept on a server. */
import { constants } from 'node:os';
import { nearestWord } from '../../client/src/nearest.js';
import { CONNECTION_FLAGS, JSON_FLAG, withConnection } from './connection.js';
import { describedCommand, requiredWord } from './described-command.js';
import { CliError } from './exit-codes.js';
import { keptCommand } from './kept-commands.js';
import { printJson } from './out-stream.js';

export const kill = describedCommand({
  name: 'kill',
  summary: 'Signals a command that is kept on the server.',
  usage: '[flags] KEY',
  flags: [
    { name: 'signal', short: 's', placeholder: 'SIGNAL', description: 'Name or number. Default TERM.' },
    JSON_FLAG,
    ...CONNECTION_FLAGS,
  ],
  notes: `TERM ends the command and everything it started, and is followed by KILL after 5 s; KILL does so at once; any other signal goes to the
command's process group. Ends with 125 when there is no such command, or it has ended.`,
  examples: [
    ['execwire kill "$key"', 'Ends it.'],
    ['execwire kill -s INT "$key"', 'Does what ctrl-c does.'],
  ],
  maxWords: 1,
  async run(given) {
    const key = requiredWord(given, 'kill', 'KEY');
    const signal = signalName(given.text('signal') ?? 'TERM');
    await withConnection(given, { key }, async ({ box }) => {
      const { state, exitCode } = await keptCommand(box, key);
      if (state === 'ended') throw new CliError(`${key} has ended already, with exit code ${exitCode ?? 'unknown'}`);
      await box.kill(key, signal);
    });
    if (given.has('json')) await printJson({ key, signal });
    return 0;
  },
});

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
