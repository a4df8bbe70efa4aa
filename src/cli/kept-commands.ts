/** Finds the commands that a server keeps for this principal, and shows them in lines. Knows no flag. */
import type { Box, ListedCommand } from '../../client/src/node.js';
import { commandText } from '../../client/src/result.js';
import { CliError, cliErrorOf } from './exit-codes.js';
import { isOwnShell } from './own-shell.js';
import { withoutControls } from './say.js';
import { isAnsweredInTime } from './told-to-end.js';

/** A command with a key. */
export type KeptCommand = ListedCommand & { readonly key: string };

/** All commands of this principal, in the order of their start. @throws {CliError} where the server's list is none */
export async function listedCommands(box: Box): Promise<ListedCommand[]> {
  let commands: unknown;
  try {
    commands = await box.list({ scope: 'principal', details: true });
  } catch (error) {
    throw cliErrorOf(error) === undefined ? wrongList() : error;
  }
  if (!Array.isArray(commands) || !commands.every(isListed)) throw wrongList();
  return commands;
}

function wrongList(): CliError {
  return new CliError('the server answers with something that is no list of commands; is it an execwire server?');
}

/** Whether a row has what is shown of it. */
function isListed(row: unknown): row is ListedCommand {
  if (typeof row !== 'object' || row === null) return false;
  const { state, pid, key, startedAtMs, command } = row as Record<string, unknown>;
  return (
    typeof state === 'string' &&
    (typeof pid === 'number' || pid === null) &&
    (typeof key === 'string' || key === null || key === undefined) &&
    typeof startedAtMs === 'number' &&
    (command === undefined || (Array.isArray(command) && command.every((word) => typeof word === 'string')))
  );
}

/** Those of this principal that have a key, in the order of their start. @throws {CliError} */
export async function keptCommands(box: Box): Promise<KeptCommand[]> {
  const commands = await listedCommands(box);
  return commands.filter((command): command is KeptCommand => typeof command.key === 'string');
}

/** Drops a command that has ended: it was kept for a client that comes back, and this one has its result. Waits, so that the request is sent. */
export async function forgetEnded(box: Box, key: string): Promise<void> {
  await isAnsweredInTime(box.forget(key));
}

/** @throws {CliError} where there is none, with where to look */
export async function keptCommand(box: Box, key: string): Promise<KeptCommand> {
  const found = (await keptCommands(box)).find((command) => command.key === key);
  if (found === undefined)
    throw new CliError(`no command with the key ${key} is kept there; \`execwire ls\` lists those that are`);
  return found;
}

/**
 * A command as people would type it, in one line; empty where the server does not say.
 * @param length characters after which it is cut. Default: what the client shows in messages
 */
export function commandLine(
  { command = [] }: Pick<ListedCommand, 'command'>,
  length = Number.POSITIVE_INFINITY,
): string {
  if (isOwnShell(command)) return 'execwire shell';
  const text = commandText(command).replace(/\s*\n\s*/g, '\\n');
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** Columns of text, as wide as their widest value; the last one is not filled. Characters that could steer the terminal are shown as `?`. */
export function tableText(values: readonly (readonly string[])[]): string {
  const rows = values.map((row) => row.map(withoutControls));
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
