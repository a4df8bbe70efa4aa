/** The first word of a command line picks the command; a line that begins with a flag is one of `serve`. */

import { nearestWord } from '../../client/src/nearest.js';
import { readRequest } from '../config/flags.js';
import { version } from '../version.js';
import { CLIENT_WORDS } from './client-words.js';
import type { CliCommand } from './command.js';
import { completionCommand } from './completion.js';
import { printHelp } from './described-command.js';
import { execServerCommand } from './exec-server.js';
import { EXIT_FAILURE } from './exit-codes.js';
import { overviewText } from './help.js';
import { install } from './install.js';
import { startOwnServer } from './own-server.js';
import { say } from './say.js';
import { schema } from './schema.js';
import { serveCommand } from './serve-command.js';

/** The commands that are part of the server's bundle. */
const OWN_COMMANDS: readonly CliCommand[] = [
  serveCommand,
  execServerCommand,
  install,
  schema,
  completionCommand(allCommands),
];

/** Runs one command line. @param argv without the program @returns the exit code */
export async function run(argv: readonly string[]): Promise<number> {
  const [word = '', ...rest] = argv;
  if (word === '' || word.startsWith('-')) {
    const misplaced = await commandBehindFlags(argv);
    if (misplaced !== undefined) {
      say(
        `the flags of ${misplaced} stand behind it: execwire ${misplaced} [flags]; see \`execwire ${misplaced} --help\``,
      );
      return EXIT_FAILURE;
    }
    const request = readRequest(argv);
    if (request === 'help') return printHelp(overviewText(await allCommands()));
    return request === 'version' ? printHelp(`${version}\n`) : serveCommand.run(argv);
  }
  if (word === 'help') return help(rest);
  if (word === 'version') return printHelp(`${version}\n`);
  const own = OWN_COMMANDS.find(({ name }) => name === word);
  if (own !== undefined) return own.run(rest);
  const commands = await allCommands();
  return commands.find(({ name }) => name === word)?.run(rest) ?? unknown(word, commands);
}

/**
 * The first word behind flags, where it is the name of a command that talks to a server. `serve` itself has no words.
 * @returns undefined where `serve` is meant
 */
async function commandBehindFlags(argv: readonly string[]): Promise<string | undefined> {
  // A server starts without loading the other commands.
  if (!argv.some((word) => CLIENT_WORDS.includes(word))) return undefined;
  const flags = (await allCommands()).flatMap((command) => command.flags);
  const valued = new Set(flags.filter(({ placeholder }) => placeholder !== undefined).map(({ name }) => `--${name}`));
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--') return undefined;
    if (!word.startsWith('-')) return CLIENT_WORDS.includes(word) ? word : undefined;
    // The value of a flag may be the name of a command.
    if (valued.has(word)) index += 1;
  }
  return undefined;
}

/** Loads the other commands, which a server does not need. */
async function allCommands(): Promise<readonly CliCommand[]> {
  const { clientCommands } = await import('./client-commands.js');
  const { doctor } = await import('./doctor.js');
  const { mcpCommand } = await import('./mcp.js');
  return [...OWN_COMMANDS.slice(0, 2), ...clientCommands, doctor, mcpCommand(startOwnServer), ...OWN_COMMANDS.slice(2)];
}

async function help([name]: readonly string[]): Promise<number> {
  const commands = await allCommands();
  if (name === undefined || name.startsWith('-')) return printHelp(overviewText(commands));
  const command = commands.find((candidate) => candidate.name === name);
  return command === undefined ? unknown(name, commands) : printHelp(command.help());
}

/** Words of docker and of shells, with the command that does the same here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  run: 'exec',
  start: 'serve',
  stop: 'kill',
  ps: 'ls',
  list: 'ls',
  copy: 'cp',
  ssh: 'shell',
  sh: 'shell',
  bash: 'shell',
};

function unknown(word: string, commands: readonly CliCommand[]): number {
  const same = Object.hasOwn(ELSEWHERE, word) ? ELSEWHERE[word] : undefined;
  const nearest = same ?? nearestWord(word, [...commands.map(({ name }) => name), 'help']);
  const advice = nearest === undefined ? '' : ` did you mean \`${nearest}\`?`;
  say(`unknown command \`${word}\`;${advice} see \`execwire help\``);
  return EXIT_FAILURE;
}
