/** `execwire shell`: opens the user's own shell there, in this terminal. */
import { CONNECTION_FLAGS, withConnection } from './connection.js';
import { describedCommand } from './described-command.js';
import { CliError } from './exit-codes.js';
import { LocalTerminal } from './local-terminal.js';
import { OWN_SHELL } from './own-shell.js';
import { requireSandboxes } from './sandbox-flags.js';
import { isKept, SHELL_FLAGS, startOptions } from './start-options.js';
import { openTerminal, TERMINAL_FLAGS } from './start-terminal.js';

export const shell = describedCommand({
  name: 'shell',
  summary: 'Opens a shell on the server in this terminal.',
  usage: '[flags]',
  flags: [...SHELL_FLAGS, ...TERMINAL_FLAGS, ...CONNECTION_FLAGS],
  notes: `The shell is that of the server's user. It ends with the shell's own exit code. ctrl-p ctrl-q detaches, ~. at the start of a line
disconnects, ~? lists such keys; the shell is then kept for 60 s, or for --ttl.`,
  examples: [
    ['execwire shell', 'Opens it.'],
    [
      'execwire shell --key "my-own-workspace" -w /srv',
      'Opens it in /srv; the same line comes back to it within an hour.',
    ],
  ],
  maxWords: 0,
  async run(given) {
    const kept = isKept(given, { isTerminal: true });
    const start = startOptions(given);
    if (!LocalTerminal.isThere)
      throw new CliError('shell needs a terminal on standard input; `execwire exec -i -- sh` reads from a pipe');
    return withConnection(given, { key: given.text('key') }, async (connection) => {
      requireSandboxes(connection, start.sandboxPolicy);
      return openTerminal(given, connection, OWN_SHELL, { start, kept, input: 'types' });
    });
  },
});
