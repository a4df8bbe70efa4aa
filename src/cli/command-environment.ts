/** The environment that `-e` and `--env-file` give to a command, by docker's rules. Knows no server. */
import { readFileSync } from 'node:fs';
import { ownVariable } from '../config/client-settings.js';
import type { Flag } from './command.js';
import { CliError } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';

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
      const text = line.trimStart();
      if (text !== '' && !text.startsWith('#')) assign(environment, text, `--env-file ${file}, line ${index + 1}`);
    }
  }
  for (const text of given.texts('env')) assign(environment, text, `-e ${text}`);
  return environment;
}

function assign(environment: Record<string, string>, text: string, where: string): void {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === '' || /\s/.test(name)) throw new CliError(`${where}: \`${name}\` is no name of a variable`);
  const value = equals < 0 ? ownVariable(name) : text.slice(equals + 1);
  // As docker does it: a variable that is not set here is not set there.
  if (value !== undefined) environment[name] = value;
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .replace(/^\ufeff/, '')
      .split(/\r?\n/);
  } catch (error) {
    throw new CliError(`--env-file ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
