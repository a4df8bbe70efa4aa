/** `execwire exec-server`: serves one agent on standard input and output, as a child of it. The agent's `initialize` chooses the protocol. */
import { readRequest } from '../config/flags.js';
import { version } from '../version.js';
import type { CliCommand } from './command.js';
import { printHelp } from './described-command.js';
import { say } from './say.js';
import { EXIT_USAGE, serve } from './serve.js';
import { serveCommand } from './serve-command.js';

const LISTEN_FLAG = 'listen';

export const execServerCommand: CliCommand = {
  name: 'exec-server',
  summary: 'Serves one agent on standard input and output.',
  flags: serveCommand.flags.filter(({ name }) => name !== LISTEN_FLAG),
  help: () => `Usage: execwire exec-server [flags]

Serves one agent, such as Codex, on standard input and output, and ends with its input.

Flags:
  Those of \`execwire serve\` except --listen and --files, which need a listener; see \`execwire serve --help\`.

Examples:
  execwire exec-server
      The program of an environment in the agent's environments.toml: program = "execwire", args = ["exec-server"].
  ssh box execwire exec-server
      The same on another machine.
`,
  async run(argv) {
    const request = readRequest(argv);
    if (request !== undefined) return printHelp(request === 'help' ? execServerCommand.help() : `${version}\n`);
    if (argv.some((word) => word === `--${LISTEN_FLAG}` || word.startsWith(`--${LISTEN_FLAG}=`))) {
      say('exec-server serves standard input and output; for a listener use `execwire serve --listen URL`');
      return EXIT_USAGE;
    }
    // The flag wins over a variable that names a listener.
    return serve([`--${LISTEN_FLAG}`, 'stdio://', ...argv]);
  },
};
