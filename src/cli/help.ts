/** The texts of `--help`: those of `serve` from the table of options, the overview from the table of commands. */
import { options } from '../config/config.js';
import { flagOf, variableOf } from '../config/flags.js';
import type { Option } from '../config/option-kinds.js';
import { version } from '../version.js';
import type { CliCommand } from './command.js';

/** Column at which what a command does begins. */
const SUMMARY_COLUMN = 14;

/** The commands, and what holds for all of them. */
export function overviewText(commands: readonly CliCommand[]): string {
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(SUMMARY_COLUMN)}${summary}`);
  return `execwire ${version}: runs commands and terminals inside a container for programs and people who are elsewhere

Usage: execwire COMMAND [flags]; without a command \`serve\` is meant
       execwire help [COMMAND] | --help | --version

Commands:
${lines.join('\n')}

\`execwire COMMAND --help\` has the flags of each, with examples. Commands that talk to a server take --url or EXECWIRE_URL
(ws://, wss:// or unix:///PATH), and --token-file or EXECWIRE_TOKEN.
`;
}

/** All flags of `serve` with their variables and defaults, and examples. */
export function serveHelpText(): string {
  const lines = Object.entries<Option<unknown>>(options).map(([name, option]) => {
    const value = option.placeholder === undefined ? '' : ` ${option.placeholder}`;
    const fallback =
      option.defaultText === undefined || option.defaultText === '' ? '' : ` Default: ${option.defaultText}.`;
    return `  ${flagOf(name)}${value}\n      ${option.description}${fallback} [${variableOf(name)}]`;
  });
  return `Usage: execwire [serve] [--listen URL] [flags]

Flags of serve (each can be set by the variable in brackets, the flag wins; durations: 250ms, 30s, 5m, or seconds; bytes: 512k, 16m):
${lines.join('\n')}

A first SIGINT, SIGTERM or SIGHUP drains, a second SIGINT or SIGTERM ends at once. Exit codes: 0 ended in order, 1 could not
start or met an unforeseen error, 2 wrong flags, 125 unknown command, 130 and 143 ended at once.

Examples:
  execwire serve --listen ws://127.0.0.1:4500
      Serves this machine's programs; \`execwire exec --url ws://127.0.0.1:4500 -- uname\` is a first command.
  execwire serve --listen unix:///run/execwire.sock
      Serves whoever may open that socket file.
  execwire serve --listen ws://0.0.0.0:4500 --ws-auth capability-token --ws-token-file /run/secrets/token
      Serves other machines, with a token.
`;
}
