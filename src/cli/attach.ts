/** `execwire attach`: comes to a command that is kept, with its output so far. */
import type { ListedCommand } from '../../client/src/node.js';
import { CONNECTION_FLAGS, type Connection, withConnection } from './connection.js';
import { describedCommand, requiredWord } from './described-command.js';
import { CliError } from './exit-codes.js';
import { keptCommand } from './kept-commands.js';
import { LocalTerminal } from './local-terminal.js';
import { asUnknown, runOnPipes } from './pipe-session.js';
import { detachKeysOf, TERMINAL_FLAGS } from './start-terminal.js';
import { showTerminal } from './terminal-session.js';

export const attach = describedCommand({
  name: 'attach',
  summary: 'Comes to a command that is kept on the server.',
  usage: '[flags] KEY',
  flags: [
    {
      name: 'observe',
      description: 'Only watches: types nothing, sends no signal, and leaves the other writer alone.',
    },
    { name: 'no-stdin', description: 'Does not send standard input.' },
    ...TERMINAL_FLAGS,
    ...CONNECTION_FLAGS,
  ],
  notes: `Shows the output that is kept, or the screen of a terminal, and goes on from there; ends with the command's own exit code. Another
client that writes to the command is sent away, unless you observe.

Of a command with a terminal ctrl-p ctrl-q detaches and ~. at the start of a line disconnects. To a command without one ctrl-c is sent as
SIGINT, which ends most commands: to look without that risk, use --observe or \`execwire logs -f\`. Standard input is sent to a command that
was started with -i.`,
  examples: [
    ['execwire attach "$key"', 'Comes back to what `execwire exec -d` started.'],
    ['execwire attach --observe "$key"', 'Watches it; ctrl-c leaves.'],
  ],
  maxWords: 1,
  async run(given) {
    const key = requiredWord(given, 'attach', 'KEY');
    const isObserver = given.has('observe');
    const detachKeys = detachKeysOf(given);
    const sendsInput = !isObserver && !given.has('no-stdin');
    return withConnection(given, { key }, async (connection) => {
      const command = await keptCommand(connection.box, key);
      if (!command.tty) return attachPipes(connection, key, { isObserver, sendsInput });
      return attachTerminal(connection, command, { key, isObserver, sendsInput, detachKeys });
    });
  },
});

async function attachPipes(
  connection: Connection,
  key: string,
  { isObserver, sendsInput }: { readonly isObserver: boolean; readonly sendsInput: boolean },
): Promise<number> {
  const run = connection.box.attach(key, { role: isObserver ? 'observer' : 'writer', buffer: false });
  try {
    const { code } = await runOnPipes(run, connection, {
      feedsInput: sendsInput && 'attached',
      printsOutput: true,
      onSignal: isObserver ? 'leave' : 'sendOn',
      isKept: true,
    });
    return code;
  } catch (error) {
    throw asUnknown(error, run);
  }
}

async function attachTerminal(
  connection: Connection,
  command: ListedCommand,
  how: {
    readonly key: string;
    readonly isObserver: boolean;
    readonly sendsInput: boolean;
    readonly detachKeys: Buffer;
  },
): Promise<number> {
  const { key, isObserver, sendsInput, detachKeys } = how;
  if (!isObserver && !LocalTerminal.isThere) {
    throw new CliError(`${key} has a terminal, and standard input is none: use --observe, or \`execwire logs ${key}\``);
  }
  // The screen of a command that has ended cannot change: its output is shown.
  const screen = command.state !== 'ended' && process.stdout.isTTY === true;
  const terminal = connection.box.attachTerminal(key, {
    role: isObserver ? 'observer' : 'writer',
    redraw: true,
    screen,
    ...(isObserver ? {} : LocalTerminal.size()),
  });
  const watches = LocalTerminal.isThere ? 'watches' : 'ignores';
  const input = sendsInput ? 'types' : watches;
  return showTerminal(terminal, connection, { detachKeys, input, setsSize: !isObserver, whenToldToEnd: 'goesOn' });
}
