/** The text of `--help`, made from the table of options. */
import { flagOf, options, variableOf } from '../config/config.js';
import type { Option } from '../config/option-kinds.js';
import { version } from '../version.js';

/** All flags with their variables and defaults. */
export function helpText(): string {
  const lines = Object.entries<Option<unknown>>(options).map(([name, option]) => {
    const value = option.placeholder === undefined ? '' : ` ${option.placeholder}`;
    const fallback =
      option.defaultText === undefined || option.defaultText === '' ? '' : ` Default: ${option.defaultText}.`;
    return `  ${flagOf(name)}${value}\n      ${option.description}${fallback} [${variableOf(name)}]`;
  });
  return `execwire ${version}: runs commands and terminals for JSON-RPC clients over WebSocket or stdio

Usage: execwire [serve] [--listen URL] [flags]
       execwire --help | --version

Flags of serve (each can be set by the variable in brackets, the flag wins; durations: 250ms, 30s, 5m, or seconds; bytes: 512k, 16m):
${lines.join('\n')}

A first SIGINT, SIGTERM or SIGHUP drains, a second SIGINT or SIGTERM ends at once. Exit codes: 0 ended in order, 1 could not
start, 2 wrong flags, 130 and 143 ended at once.
`;
}
