/** The environment that `-e` and `--env-file` give to a command, by docker's rules. Knows no server. */
import { readFileSync } from 'node:fs';
import { messageOf } from '../../client/src/errors.js';
import { ownVariable } from '../config/client-settings.js';
import type { Flag } from './command.js';
import { CliError } from './exit-codes.js';
import { requireUtf8Variable } from './given-bytes.js';
import type { GivenFlags } from './given-flags.js';

const LF = 0x0a;

export const ENVIRONMENT_FLAGS: readonly Flag[] = [
  {
    name: 'env',
    short: 'e',
    placeholder: 'NAME=VALUE',
    description: 'Variable for the command; NAME alone takes the value from here. Repeatable.',
  },
  {
    name: 'env-file',
    placeholder: 'FILE',
    description: 'File with NAME=VALUE or NAME in each line, # before comments; -e wins. Repeatable.',
  },
];

/** @throws {CliError} naming the flag, or the file and its line */
export function commandEnvironment(given: GivenFlags): Record<string, string> {
  // No prototype: `__proto__` is a variable name like any other.
  const environment: Record<string, string> = Object.create(null);
  for (const file of given.texts('env-file')) {
    for (const [index, line] of linesOf(file).entries()) {
      const where = `--env-file ${file}, line ${index + 1}`;
      const text = textOf(line, where).trimStart();
      if (text !== '' && !text.startsWith('#')) assign(environment, text, where);
    }
  }
  for (const text of given.texts('env')) assign(environment, text, '-e');
  return environment;
}

function assign(environment: Record<string, string>, text: string, where: string): void {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  if (/^export\s/.test(name)) {
    throw new CliError(`${where}: \`export\` is a word of shells, and this is a list of NAME=VALUE: leave it out`);
  }
  if (name === '' || /\s/.test(name)) throw new CliError(`${where}: \`${name}\` is no name of a variable`);
  if (text.includes('\0')) throw new CliError(`${where}: ${name} has a NUL byte in it, which no variable can have`);
  const value = equals < 0 ? ownVariable(name) : text.slice(equals + 1);
  // As docker does it: a variable that is not set here is not set there.
  if (value === undefined) return;
  if (equals < 0) requireUtf8Variable(name, value, where);
  environment[name] = value;
}

/** The lines of a file as bytes, so that a line which is no UTF-8 can be named. */
function linesOf(file: string): Buffer[] {
  let rest: Buffer;
  try {
    rest = readFileSync(file);
  } catch (error) {
    throw new CliError(`--env-file ${file}: ${messageOf(error)}`);
  }
  const lines: Buffer[] = [];
  for (let end = rest.indexOf(LF); end >= 0; end = rest.indexOf(LF)) {
    lines.push(rest.subarray(0, end));
    rest = rest.subarray(end + 1);
  }
  return [...lines, rest];
}

/** One line without its end. A byte order mark at its start is left out by the decoder. */
function textOf(line: Buffer, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(line).replace(/\r$/, '');
  } catch {
    throw new CliError(`${where}: it is not UTF-8, and a variable cannot be sent otherwise`);
  }
}
