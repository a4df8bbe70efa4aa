/** `file:` URIs of this dialect to and from paths as bytes. Touches no file. */
import { rpcError } from '../../protocol/errors.js';

const SCHEME = 'file:';
const SLASH = 0x2f;
const PERCENT = 0x25;
/** What a path may not hold unescaped: all but unreserved characters, sub-delimiters, `:`, `@` and `/` of RFC 3986. */
const ESCAPED = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g;

/** The path as bytes, which need not be UTF-8; `..` is resolved. @throws {RpcError} wrongFileUri naming the field */
export function pathOfUri(uri: string, field: string): Buffer {
  const wrong = (detail: string): Error => rpcError('wrongFileUri', { field, detail });
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(uri)?.[0];
  if (scheme === undefined) throw wrong('invalid URI: relative URL without a base');
  if (scheme.toLowerCase() !== SCHEME) throw wrong(`unsupported path URI scheme \`${scheme.slice(0, -1)}\``);
  if (uri.includes('?')) throw wrong('query parameters are not allowed in path URIs');
  if (uri.includes('#')) throw wrong('fragments are not allowed in path URIs');
  const rest = uri.slice(scheme.length);
  const authority = /^\/\/([^/]*)/.exec(rest)?.[1] ?? '';
  if (authority !== '' && authority !== 'localhost') throw wrong(`a host is not allowed in path URIs`);
  const path = rest.startsWith('//') ? rest.slice(2 + authority.length) : rest;
  if (!path.startsWith('/')) throw wrong('the path is not absolute');
  return resolved(decoded(path, wrong));
}

/** The same as text. @throws {RpcError} wrongFileUri for a path that is not UTF-8 */
export function textPathOfUri(uri: string, field: string): string {
  const bytes = pathOfUri(uri, field);
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw rpcError('wrongFileUri', { field, detail: 'the path is not UTF-8' });
  return text;
}

/** The URI of an absolute path. */
export function uriOfPath(path: string | Buffer): string {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  return `${SCHEME}//${bytes.toString('latin1').replace(ESCAPED, escaped)}`;
}

/** @param character stands for one byte */
function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function decoded(path: string, wrong: (detail: string) => Error): Buffer {
  const from = Buffer.from(path);
  const to = Buffer.allocUnsafe(from.length);
  let length = 0;
  for (let at = 0; at < from.length; at += 1) {
    let byte = from[at] ?? 0;
    if (byte === PERCENT) {
      const digits = from.toString('latin1', at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) throw wrong('a percent sign without two hexadecimal digits');
      byte = Number.parseInt(digits, 16);
      at += 2;
    }
    if (byte === 0) throw wrong('the path contains a NUL byte');
    to[length] = byte;
    length += 1;
  }
  return to.subarray(0, length);
}

/** Without `.`, `..` and repeated slashes. */
function resolved(path: Buffer): Buffer {
  const names: Buffer[] = [];
  for (let from = 0; from < path.length; ) {
    const slash = path.indexOf(SLASH, from);
    const end = slash < 0 ? path.length : slash;
    const name = path.subarray(from, end);
    const text = name.toString('latin1');
    if (text === '..') names.pop();
    else if (text !== '' && text !== '.') names.push(name);
    from = end + 1;
  }
  if (names.length === 0) return Buffer.from('/');
  return Buffer.concat(names.flatMap((name) => [Buffer.from('/'), name]));
}
