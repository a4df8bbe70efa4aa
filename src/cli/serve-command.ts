/** `execwire serve` as a command among the others: its flags come from the table of options. */
import { options } from '../config/config.js';
import { flagOf, readRequest } from '../config/flags.js';
import type { Option } from '../config/option-kinds.js';
import { version } from '../version.js';
import type { CliCommand } from './command.js';
import { printHelp } from './described-command.js';
import { serveHelpText } from './help.js';
import { serve } from './serve.js';

export const serveCommand: CliCommand = {
  name: 'serve',
  summary: 'Serves clients until it is told to end.',
  flags: Object.entries<Option<unknown>>(options).map(([name, { placeholder, description }]) => ({
    name: flagOf(name).slice('--'.length),
    description,
    ...(placeholder === undefined ? {} : { placeholder }),
  })),
  help: serveHelpText,
  async run(argv) {
    const request = readRequest(argv);
    if (request === undefined) return serve(argv);
    return printHelp(request === 'help' ? serveHelpText() : `${version}\n`);
  },
};
