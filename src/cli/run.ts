/** The first word of a command line picks the command; a line that begins with a flag is one of `serve`. */

import { nearestWord } from '../../client/src/nearest.js';
import { readRequest } from '../config/flags.js';
import { version } from '../version.js';
import type { CliCommand } from './command.js';
import { completionCommand } from './completion.js';
import { EXIT_FAILURE } from './exit-codes.js';
import { overviewText } from './help.js';
import { START_PATIENCE_MS, writeToStderr } from './say.js';
import { schema } from './schema.js';
import { serveCommand } from './serve-command.js';

/** The commands that need the server's own code. */
const OWN_COMMANDS: readonly CliCommand[] = [serveCommand, schema, completionCommand(allCommands)];

/** Runs one command line. @param argv without the program @returns the exit code */
export async function run(argv: readonly string[]): Promise<number> {
  const [word = '', ...rest] = argv;
  if (word === '' || word.startsWith('-')) {
    const request = readRequest(argv);
    if (request === 'help') return print(overviewText(await allCommands()));
    return request === 'version' ? print(`${version}\n`) : serveCommand.run(argv);
  }
  if (word === 'help') return help(rest);
  if (word === 'version') return print(`${version}\n`);
  const own = OWN_COMMANDS.find(({ name }) => name === word);
  if (own !== undefined) return own.run(rest);
  const commands = await allCommands();
  return commands.find(({ name }) => name === word)?.run(rest) ?? unknown(word, commands);
}

/** Loaded when they are named: a server needs none of them. */
async function allCommands(): Promise<readonly CliCommand[]> {
  const { clientCommands } = await import('./client-commands.js');
  const { doctor } = await import('./doctor.js');
  return [...OWN_COMMANDS.slice(0, 1), ...clientCommands, doctor, ...OWN_COMMANDS.slice(1)];
}

async function help([name]: readonly string[]): Promise<number> {
  const commands = await allCommands();
  if (name === undefined || name.startsWith('-')) return print(overviewText(commands));
  const command = commands.find((candidate) => candidate.name === name);
  return command === undefined ? unknown(name, commands) : print(command.help());
}

function unknown(word: string, commands: readonly CliCommand[]): number {
  const nearest = nearestWord(word, [...commands.map(({ name }) => name), 'help']);
  const advice = nearest === undefined ? '' : ` did you mean \`${nearest}\`?`;
  writeToStderr(`execwire: unknown command \`${word}\`;${advice} see \`execwire help\`\n`, START_PATIENCE_MS);
  return EXIT_FAILURE;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
