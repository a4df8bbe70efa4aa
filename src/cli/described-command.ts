/** Makes a command of a description: its help, the reading of its flags, and the one place where failures become exit codes. Knows no command. */
import type { CliCommand, Flag } from './command.js';
import { CliError, cliErrorOf, EXIT_BROKEN_PIPE } from './exit-codes.js';
import { type GivenFlags, readGivenFlags } from './given-flags.js';
import { BrokenPipeError } from './out-stream.js';
import { say } from './say.js';

/** A command as its file describes it. */
export interface CommandDescription {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What stands behind `execwire NAME`, such as `[flags] KEY`. */
  readonly usage: string;
  readonly flags: readonly Flag[];
  /** What the flags do not say; one paragraph or several. Default: nothing. */
  readonly notes?: string;
  /** Command lines with what they do. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Most words behind the flags; default: any number. */
  readonly maxWords?: number;
  readonly run: (given: GivenFlags) => Promise<number>;
}

const HELP: Flag = { name: 'help', short: 'h', description: 'Shows this text.' };

export function describedCommand(description: CommandDescription): CliCommand {
  const { name, summary, maxWords = Number.POSITIVE_INFINITY } = description;
  const flags = [...description.flags, HELP];
  const help = (): string => helpText(description, flags);
  return {
    name,
    summary,
    flags,
    help,
    async run(argv) {
      try {
        const given = readGivenFlags(name, argv, flags);
        if (given.has('help')) {
          process.stdout.write(help());
          return 0;
        }
        const excess = given.words[maxWords];
        if (excess !== undefined) throw new CliError(`unexpected word \`${excess}\`; see \`execwire ${name} --help\``);
        return await description.run(given);
      } catch (error) {
        if (error instanceof BrokenPipeError) return EXIT_BROKEN_PIPE;
        const known = cliErrorOf(error);
        if (known === undefined) throw error;
        say(known.message);
        return known.exitCode;
      }
    },
  };
}

/** The one word that a command needs. @throws {CliError} */
export function requiredWord(given: GivenFlags, command: string, what: string): string {
  const [word] = given.words;
  if (word === undefined || word === '')
    throw new CliError(`${command} needs a ${what}; see \`execwire ${command} --help\``);
  return word;
}

/** Column at which descriptions of flags begin. */
const DESCRIPTION_COLUMN = 26;

function helpText({ name, summary, usage, notes, examples }: CommandDescription, flags: readonly Flag[]): string {
  const parts = [`${summary}\n`, `Usage: execwire ${name} ${usage}\n`];
  if (notes !== undefined) parts.push(`${notes}\n`);
  parts.push(`Flags:\n${flags.map(flagText).join('')}`);
  parts.push(`Examples:\n${examples.map(([line, what]) => `  ${line}\n      ${what}\n`).join('')}`);
  return parts.join('\n');
}

function flagText({ name, short, placeholder, description }: Flag): string {
  const left = `  ${short === undefined ? '   ' : `-${short},`} --${name}${placeholder === undefined ? '' : ` ${placeholder}`}`;
  if (left.length < DESCRIPTION_COLUMN) return `${left.padEnd(DESCRIPTION_COLUMN)}${description}\n`;
  return `${left}\n${' '.repeat(DESCRIPTION_COLUMN)}${description}\n`;
}
