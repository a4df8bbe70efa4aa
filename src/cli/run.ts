/** The first word of a command line picks the command; a line that begins with a flag is one of `serve`. */
import { readRequest } from '../config/flags.js';
import { writeError } from '../log.js';
import { version } from '../version.js';
import type { CliCommand } from './command.js';
import { overviewText, serveHelpText } from './help.js';
import { nearestWord } from './nearest.js';
import { serve } from './serve.js';

/** The line names no command: as a shell's and docker's own failures are kept apart from those of what they run. */
const EXIT_NO_COMMAND = 125;

const serveCommand: CliCommand = {
  name: 'serve',
  summary: 'Serves clients until it is told to end.',
  help: serveHelpText,
  run: serve,
};
const COMMANDS: readonly CliCommand[] = [serveCommand];
const NAMES = [...COMMANDS.map(({ name }) => name), 'help'];

/** Runs one command line. @param argv without the program @returns the exit code */
export async function run(argv: readonly string[]): Promise<number> {
  const [word = '', ...rest] = argv;
  if (word === '' || word.startsWith('-')) {
    if (readRequest(argv) === 'help') return print(overviewText(COMMANDS));
    return runCommand(serveCommand, argv);
  }
  if (word === 'help') return help(rest);
  const command = named(word);
  return command === undefined ? unknown(word) : runCommand(command, rest);
}

async function runCommand(command: CliCommand, argv: readonly string[]): Promise<number> {
  const request = readRequest(argv);
  if (request === 'help') return print(command.help());
  return request === 'version' ? print(`${version}\n`) : command.run(argv);
}

function help([name]: readonly string[]): number {
  if (name === undefined || name.startsWith('-')) return print(overviewText(COMMANDS));
  const command = named(name);
  return command === undefined ? unknown(name) : print(command.help());
}

function named(name: string): CliCommand | undefined {
  return COMMANDS.find((command) => command.name === name);
}

function unknown(word: string): number {
  const nearest = nearestWord(word, NAMES);
  const advice = nearest === undefined ? '' : ` did you mean \`${nearest}\`?`;
  writeError(`unknown command \`${word}\`;${advice} see \`execwire help\`\n`);
  return EXIT_NO_COMMAND;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
