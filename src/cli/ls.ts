/** `execwire ls`: lists the commands that a server keeps for this principal. */
import { CONNECTION_FLAGS, JSON_FLAG, withConnection } from './connection.js';
import { describedCommand } from './described-command.js';
import { CliError } from './exit-codes.js';
import { commandLine, type KeptCommand, keptCommands, tableText } from './kept-commands.js';
import { printJson, printText } from './out-stream.js';
import { withoutControls } from './say.js';
import { durationText } from './terminal-session.js';

/** Characters of a command line; `--json` has all of it. */
const COMMAND_COLS = 60;

export const ls = describedCommand({
  name: 'ls',
  summary: 'Lists the commands that are kept on the server.',
  usage: '[flags]',
  flags: [
    { name: 'quiet', short: 'q', description: 'Prints only the keys, of commands that run.' },
    { name: 'all', short: 'a', description: 'With -q: the keys of those that have ended, too.' },
    JSON_FLAG,
    ...CONNECTION_FLAGS,
  ],
  notes: `STATE is running while somebody is attached, detached while nobody is, exiting while its last output is read, and ended, with the exit
code. EXPIRES is when it is ended or forgotten, unless somebody attaches. What an \`execwire exec\` runs at the moment is listed, too: to attach
to it takes it over. Commands of \`exec --no-reconnect\` have no key; \`execwire top\` shows them.`,
  examples: [
    ['execwire ls', 'Shows them with their state and age, for as long as they are kept.'],
    ['execwire kill $(execwire ls -q)', 'Ends all that run.'],
  ],
  maxWords: 0,
  async run(given) {
    if (given.has('json') && given.has('quiet'))
      throw new CliError('--json contradicts -q: each row of it has its key');
    const commands = await withConnection(given, {}, ({ box }) => keptCommands(box));
    if (given.has('json')) await printJson(commands);
    else if (given.has('quiet')) {
      const listed = commands.filter(({ state }) => given.has('all') || state !== 'ended');
      await printText(listed.map(({ key }) => `${withoutControls(key)}\n`).join(''));
    } else
      await printText(tableText([['KEY', 'STATE', 'AGE', 'ATTACHED', 'EXPIRES', 'COMMAND'], ...commands.map(rowOf)]));
    return 0;
  },
});

function rowOf(command: KeptCommand): string[] {
  const { key, state, exitCode, startedAtMs, attachments = 0, expiresAtMs } = command;
  const now = Date.now();
  const shown = state === 'ended' ? `ended (${exitCode ?? '?'})` : state;
  const expires = typeof expiresAtMs === 'number' ? `in ${durationText(Math.max(0, expiresAtMs - now))}` : '-';
  return [
    key,
    shown,
    durationText(Math.max(0, now - startedAtMs)),
    String(attachments),
    expires,
    commandLine(command, COMMAND_COLS),
  ];
}
