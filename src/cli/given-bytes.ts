/**
 * Finds words of the command line and variables that are not UTF-8: Node has put U+FFFD into them before any code runs, and nothing but UTF-8 can be sent.
 * Where there is no /proc, nobody can tell. Knows no flag.
 */
import { readFileSync } from 'node:fs';
import { CliError } from './exit-codes.js';

const REPLACEMENT = '\uFFFD';
const ADVICE =
  'it is not UTF-8, and cannot be sent otherwise: let a shell there make the bytes, such as "$(printf \'\\351\')"';

/** @param argv what stands behind the name of the command @throws {CliError} naming the first word that is not UTF-8 */
export function requireUtf8Words(argv: readonly string[]): void {
  if (!argv.some((word) => word.includes(REPLACEMENT))) return;
  const given = partsOf('/proc/self/cmdline').slice(-argv.length);
  for (const [index, word] of argv.entries()) {
    // The name of the command is the first argument.
    if (isChanged(word, given[index])) throw new CliError(`argument ${index + 2}, \`${word}\`: ${ADVICE}`);
  }
}

/** @param where the variable is asked for @throws {CliError} when the value was not UTF-8 */
export function requireUtf8Variable(name: string, value: string, where: string): void {
  if (!value.includes(REPLACEMENT)) return;
  const start = Buffer.from(`${name}=`);
  const given = partsOf('/proc/self/environ').find((part) => part.subarray(0, start.length).equals(start));
  if (isChanged(value, given?.subarray(start.length))) throw new CliError(`${where}: the value of ${name}: ${ADVICE}`);
}

/** Whether Node has made the text of these bytes, and has changed them. */
function isChanged(text: string, bytes: Buffer | undefined): boolean {
  return bytes?.toString() === text && !Buffer.from(text).equals(bytes);
}

/** The parts of a file that each end with a NUL byte. */
function partsOf(file: string): Buffer[] {
  let rest: Buffer;
  try {
    rest = readFileSync(file);
  } catch {
    return [];
  }
  const parts: Buffer[] = [];
  for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
    parts.push(rest.subarray(0, end));
    rest = rest.subarray(end + 1);
  }
  return parts;
}
