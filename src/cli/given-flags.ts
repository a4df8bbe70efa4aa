/** Reads the flags of a command line from a command's table; they end at the first word that is none, or at `--`. Knows no flag. */
import { parseArgs } from 'node:util';
import type { Flag } from './command.js';
import { CliError } from './exit-codes.js';
import { flagAdvice } from './flag-advice.js';

/** What a command line said. */
export class GivenFlags {
  /** What stands behind the flags. */
  readonly words: readonly string[];
  readonly #texts: ReadonlyMap<string, readonly string[]>;

  constructor(texts: ReadonlyMap<string, readonly string[]>, words: readonly string[]) {
    this.#texts = texts;
    this.words = words;
  }

  has(name: string): boolean {
    return this.#texts.has(name);
  }

  /** The last value of a flag; undefined where it is not given. */
  text(name: string): string | undefined {
    return this.#texts.get(name)?.at(-1);
  }

  /** All values of a flag, in their order. */
  texts(name: string): readonly string[] {
    return this.#texts.get(name) ?? [];
  }

  /** A duration in milliseconds: `250ms`, `30s`, `5m`, `1h`, or seconds. @throws {CliError} */
  durationMs(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const [, digits = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? [];
    const ms = Number(digits) * (UNIT_MS[unit] ?? 0);
    if (ms > MAX_DURATION_MS) {
      const mostHours = Math.floor(MAX_DURATION_MS / HOUR_MS);
      throw new CliError(`--${name} ${text}: it is too long; the longest is ${mostHours}h`);
    }
    if (digits === '' || unit === 'd') {
      const days = digits === '' ? '' : `; ${digits} days are \`${ms / HOUR_MS}h\``;
      throw new CliError(`--${name} ${text}: expected a duration such as \`250ms\`, \`30s\`, \`5m\` or \`1h\`${days}`);
    }
    return Math.round(ms);
  }
}

const HOUR_MS = 3_600_000;
/** Days are no unit of a flag, and are known for the message only: the server's durations have none. */
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS };
/** Longest duration: what timers hold, 24 days. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** @throws {CliError} naming the flag, and the nearest right one */
export function readGivenFlags(command: string, argv: readonly string[], flags: readonly Flag[]): GivenFlags {
  const texts = new Map<string, string[]>();
  for (const token of tokensOf(argv, flags)) {
    if (token.kind === 'positional') return new GivenFlags(texts, argv.slice(token.index));
    if (token.kind === 'option-terminator') return new GivenFlags(texts, argv.slice(token.index + 1));
    const long = longNameWithOneDash(argv[token.index], flags);
    if (long !== undefined) throw new CliError(`unknown flag \`-${long}\` of ${command}; did you mean \`--${long}\`?`);
    const flag = flags.find(({ name }) => name === token.name);
    if (flag === undefined) throw unknownFlag(command, token.rawName, { word: argv[token.index] ?? '', flags });
    if (flag.placeholder === undefined && token.value !== undefined) {
      throw new CliError(`${token.rawName} takes no value; see \`execwire ${command} --help\``);
    }
    if (flag.placeholder !== undefined && token.value === undefined) {
      throw new CliError(`${token.rawName} needs a value: ${token.rawName} ${flag.placeholder}`);
    }
    texts.set(flag.name, [...(texts.get(flag.name) ?? []), token.value ?? '']);
  }
  return new GivenFlags(texts, []);
}

/** The long name in a word such as `-env`, which would otherwise be read as `-e` with the value `nv`. */
function longNameWithOneDash(word = '', flags: readonly Flag[]): string | undefined {
  const [, name] = /^-([a-z][a-z-]+)(=|$)/.exec(word) ?? [];
  return name !== 'help' && flags.some((flag) => flag.name === name) ? name : undefined;
}

/** Whether a command line asks for a JSON document, also where another flag of it is wrong. */
export function asksForJson(argv: readonly string[], flags: readonly Flag[]): boolean {
  if (!flags.some(({ name }) => name === 'json')) return false;
  for (const token of tokensOf(argv, flags)) {
    if (token.kind !== 'option') return false;
    if (token.name === 'json') return true;
  }
  return false;
}

function tokensOf(argv: readonly string[], flags: readonly Flag[]) {
  const options = Object.fromEntries(
    flags.map(({ name, short, placeholder }) => [
      name,
      {
        type: placeholder === undefined ? ('boolean' as const) : ('string' as const),
        ...(short === undefined ? {} : { short }),
      },
    ]),
  );
  // Not strict, so that the messages are this program's own.
  return parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

/** @param word the whole word, which may be several short flags */
function unknownFlag(
  command: string,
  given: string,
  { word, flags }: { readonly word: string; readonly flags: readonly Flag[] },
): CliError {
  const known = flags.map(({ name }) => `--${name}`);
  const advice = flagAdvice(command, given.startsWith('--') ? given : word, known);
  return new CliError(`unknown flag \`${given}\` of ${command};${advice} see \`execwire ${command} --help\``);
}
