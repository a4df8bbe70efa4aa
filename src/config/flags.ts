/** How settings are named on the command line and in the environment, and how a command line is read. Knows no setting by name. */
import { parseArgs } from 'node:util';
import type { Option } from './option-kinds.js';

/** The flags of a command line. */
export interface GivenFlags {
  /** The texts of each setting, in their order. */
  readonly texts: ReadonlyMap<string, readonly string[]>;
  /** One sentence for each mistake. */
  readonly problems: readonly string[];
}

/** How flags are read. */
export interface FlagReading {
  /** What to write in place of an unknown flag, with a space in front; empty for no advice. Default: none. */
  readonly adviceOn?: (flag: string, known: readonly string[]) => string;
}

/** `drainTimeoutMs` → `--drain-timeout`. */
export function flagOf(name: string): string {
  return `--${name
    .replace(/Ms$/, '')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()}`;
}

/** `drainTimeoutMs` → `EXECWIRE_DRAIN_TIMEOUT`. */
export function variableOf(name: string): string {
  return `EXECWIRE_${flagOf(name).slice(2).replaceAll('-', '_').toUpperCase()}`;
}

/** Reads the flags of a table of settings. Mistakes are reported and skipped, so that all of them are reported at once. */
export function readFlags(
  argv: readonly string[],
  options: Readonly<Record<string, Option<unknown>>>,
  { adviceOn = () => '' }: FlagReading = {},
): GivenFlags {
  const names = new Map(Object.keys(options).map((name) => [flagOf(name).slice(2), name]));
  const kinds = [...names].map(([flag, name]) => {
    const isSwitch = options[name]?.placeholder === undefined;
    return [flag, { type: isSwitch ? ('boolean' as const) : ('string' as const) }];
  });
  // Not strict, so that the messages are this program's own and one mistake does not hide the others.
  const { tokens } = parseArgs({ args: [...argv], options: Object.fromEntries(kinds), strict: false, tokens: true });
  const texts = new Map<string, string[]>();
  const problems: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      problems.push(`unexpected argument \`${token.value}\`; see \`execwire serve --help\``);
      continue;
    }
    const name = token.rawName.startsWith('--') ? names.get(token.name) : undefined;
    const option = name === undefined ? undefined : options[name];
    if (name === undefined || option === undefined) {
      const advice = adviceOn(
        token.rawName,
        [...names.keys()].map((flag) => `--${flag}`),
      );
      problems.push(`unknown flag \`${token.rawName}\` of serve;${advice} see \`execwire serve --help\``);
      continue;
    }
    const text = token.value ?? (option.placeholder === undefined ? 'true' : undefined);
    if (text === undefined) problems.push(`${token.rawName} needs a value: ${token.rawName} ${option.placeholder}`);
    else texts.set(name, [...(texts.get(name) ?? []), text]);
  }
  return { texts, problems };
}

/** Whether a command line asks for help or for the version. It counts anywhere before a `--`. */
export function readRequest(argv: readonly string[]): 'help' | 'version' | undefined {
  const end = argv.indexOf('--');
  const words = new Set(end < 0 ? argv : argv.slice(0, end));
  if (words.has('--help') || words.has('-h')) return 'help';
  return words.has('--version') || words.has('-V') ? 'version' : undefined;
}
