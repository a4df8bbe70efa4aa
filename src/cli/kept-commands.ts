/** Finds the commands that a server keeps for this principal, and shows them in lines. Knows no flag. */
import type { Box, ListedCommand } from '../../client/src/node.js';
import { commandText } from '../../client/src/result.js';
import { CliError } from './exit-codes.js';

/** A command with a key. */
export type KeptCommand = ListedCommand & { readonly key: string };

/** All of this principal, in the order of their start. */
export async function keptCommands(box: Box): Promise<KeptCommand[]> {
  const commands = await box.list({ scope: 'principal', details: true });
  return commands.filter((command): command is KeptCommand => typeof command.key === 'string');
}

/** @throws {CliError} where there is none, with where to look */
export async function keptCommand(box: Box, key: string): Promise<KeptCommand> {
  const found = (await keptCommands(box)).find((command) => command.key === key);
  if (found === undefined)
    throw new CliError(`no command with the key ${key} is kept there; \`execwire ls\` lists those that are`);
  return found;
}

/** Every value of a terminal line that came from somewhere else: what could steer the terminal is shown as `?`. */
export function commandLine({ command = [] }: Pick<ListedCommand, 'command'>): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return commandText(command).replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** Columns of text, as wide as their widest value; the last one is not filled. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row.map((value, column) => (column === row.length - 1 ? value : value.padEnd(widths[column] ?? 0))).join('  ')}\n`,
    )
    .join('');
}

/** Bytes as people read them. */
export function bytesText(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)}${units[unit]}`;
}
