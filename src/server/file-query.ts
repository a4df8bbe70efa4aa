/** What the query and the headers of a request for files may say, and what is refused because it would otherwise be ignored. Knows no file. */
import { HttpRefusal } from './file-transfer.js';

/** The type of a tar, asked for and sent. */
export const TAR = 'application/x-tar';

const OCTAL_MODE = /^0?[0-7]{3}$/;
/** Beyond 13 digits, which reach to the year 2286, no file system is sure to keep a time. */
const MILLISECONDS = /^-?\d{1,13}$/;
const SWITCHES: ReadonlyMap<string, boolean> = new Map([
  ['1', true],
  ['true', true],
  ['0', false],
  ['false', false],
]);

/** Names with one value each. */
export type Named = Readonly<Record<string, string | undefined>>;

/** Refuses parameters that would be ignored. @param does what the request does, such as `PUT of a file` @throws {HttpRefusal} 400 */
export function checkQuery(query: Named, does: string, known: readonly string[]): void {
  for (const name of Object.keys(query)) {
    if (known.includes(name)) continue;
    const takes = known.length === 0 ? 'no parameter' : known.join(', ');
    throw invalid(`unknown parameter ${JSON.stringify(name)}: ${does} takes ${takes}`);
  }
}

/** Refuses headers that would be ignored. @throws {HttpRefusal} 400 */
export function refuseHeaders(headers: Named, does: string, names: readonly string[]): void {
  const given = names.find((name) => headers[name] !== undefined);
  if (given !== undefined) throw invalid(`${does} cannot keep to the header ${given}: leave it out`);
}

/** Permission bits. @throws {HttpRefusal} 400 */
export function modeOf({ mode }: Named): number | undefined {
  if (mode === undefined) return undefined;
  if (!OCTAL_MODE.test(mode)) throw invalid(`mode must be octal, from 0000 to 0777, got ${JSON.stringify(mode)}`);
  return Number.parseInt(mode, 8);
}

/** @throws {HttpRefusal} 400 */
export function timesOf({ mtime }: Named): { readonly modifiedAtMs: number } | undefined {
  if (mtime === undefined) return undefined;
  if (!MILLISECONDS.test(mtime)) throw invalid(`mtime must be whole milliseconds since 1970, got ${mtime}`);
  return { modifiedAtMs: Number(mtime) };
}

/** What is put before the names in a tar; empty for nothing. @throws {HttpRefusal} 400 for what would lead out of the folder that it is unpacked to */
export function prefixOf({ prefix = '' }: Named): string {
  if (prefix.startsWith('/') || prefix.includes('\0') || prefix.split('/').includes('..')) {
    throw invalid(`prefix must be a relative path without "..", got ${JSON.stringify(prefix)}`);
  }
  return prefix;
}

/** Whether a parameter is 1 or true. @throws {HttpRefusal} 400 for anything but these, 0 and false */
export function isOn(query: Named, name: string): boolean {
  const text = query[name];
  if (text === undefined) return false;
  const value = SWITCHES.get(text);
  if (value === undefined) throw invalid(`${name} must be 1 or 0, got ${JSON.stringify(text)}`);
  return value;
}

/** Whether an `Accept` header asks for a tar. */
export function asksForTar(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((item) => {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    return type === TAR && !parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter));
  });
}

function invalid(message: string): HttpRefusal {
  return new HttpRefusal(400, 'invalid', message);
}
