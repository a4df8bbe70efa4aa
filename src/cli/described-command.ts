/** Makes a command of a description: its help, its flags, and the one place where failures become a line, a document and an exit code. Knows no command. */
import type { CliCommand, Flag } from './command.js';
import { CliError, cliErrorOf, EXIT_BROKEN_PIPE, EXIT_FAILURE, unforeseenText } from './exit-codes.js';
import { requireUtf8Words } from './given-bytes.js';
import { asksForJson, type GivenFlags, readGivenFlags } from './given-flags.js';
import { BrokenPipeError, printJson, printText } from './out-stream.js';
import { safeLine, say } from './say.js';

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
          return await printHelp(help());
        }
        const excess = given.words[maxWords];
        requireUtf8Words(argv);
        if (excess !== undefined) throw new CliError(`unexpected word \`${excess}\`; see \`execwire ${name} --help\``);
        return await description.run(given);
      } catch (error) {
        return tellFailure(error, asksForJson(argv, flags));
      }
    },
  };
}

/** Prints a text that was asked for in place of running anything. @returns the exit code */
export async function printHelp(text: string): Promise<number> {
  try {
    await printText(text);
    return 0;
  } catch (error) {
    return tellFailure(error, false);
  }
}

/** Says what went wrong in one line, and in a document where one was asked for. @returns the exit code */
async function tellFailure(error: unknown, asDocument: boolean): Promise<number> {
  if (error instanceof BrokenPipeError) return EXIT_BROKEN_PIPE;
  const { message, exitCode, details } = cliErrorOf(error) ?? new CliError(unforeseenText(error), EXIT_FAILURE);
  say(message);
  if (asDocument) {
    const { reason = null, document } = details;
    // Standard error has said it, also where this cannot be written.
    await printJson({ ...document, error: { message: safeLine(message), exitCode, reason } }).catch(() => {});
  }
  return exitCode;
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
