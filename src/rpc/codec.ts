/**
 * JSON-RPC 2.0 messages from and to text. Owns what counts as a request, a notification or a response, and the rule that an id comes
 * back digit for digit or is refused. Knows no transport, no method and no session.
 */
import { isAscii, isUtf8, transcode } from 'node:buffer';
import { type ErrorData, RpcError, rpcError } from '../protocol/errors.js';
import { MessageOutline, type OutlineMember, outlineBounds } from './message-outline.js';

/** Id of a request: a string, or an integer that a double holds exactly. */
export type RequestId = string | number;

/** A request that wants an answer. */
export interface RequestMessage {
  readonly kind: 'request';
  readonly id: RequestId;
  readonly method: string;
  readonly params: unknown;
  /** W3C trace context carrier as it came, not validated. */
  readonly trace: unknown;
  /** Whether the message said `"jsonrpc":"2.0"`; the answer says so exactly then. */
  readonly jsonrpc: boolean;
}

/** A message that wants no answer. */
export interface NotificationMessage {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: unknown;
}

/** An answer to a request of ours. */
export interface ResponseMessage {
  readonly kind: 'response';
  readonly id: RequestId;
  readonly result: unknown;
  readonly error: RpcError | undefined;
}

/** A message that cannot be served, with the error that answers it. */
export interface InvalidMessage {
  readonly kind: 'invalid';
  readonly id: RequestId | null;
  readonly error: RpcError;
  readonly jsonrpc: boolean;
}

export type IncomingMessage = RequestMessage | NotificationMessage | ResponseMessage | InvalidMessage;

/** Messages up to this length cannot exceed any bound of an outline, so they are parsed at once. */
const ALWAYS_TAKEN_BYTES = outlineBounds.maxStructuralCharacters;

const VERSION_MEMBER = '"jsonrpc":"2.0",';

function invalid(id: RequestId | null, jsonrpc: boolean, detail: string): InvalidMessage {
  return { kind: 'invalid', id, error: rpcError('invalidRequest', { detail }), jsonrpc };
}

/**
 * Whether the text has one `"id"`, spelled as `JSON.stringify` spells that number; white space around it is allowed. A text with `\u` is not
 * searched, because the name `id` may be escaped there. The check is needed because `JSON.parse` silently turns 9007199254740993, 1.0 and
 * 1.00000000000000000001 into other digits.
 */
function isPlainId(text: string, id: number): boolean {
  const at = text.indexOf('"id"');
  const colon = afterWhiteSpace(text, at + 4);
  if (text.charCodeAt(colon) !== 0x3a) return false;
  const digits = String(id);
  const from = afterWhiteSpace(text, colon + 1);
  if (!text.startsWith(digits, from)) return false;
  const next = text.charCodeAt(afterWhiteSpace(text, from + digits.length));
  return (next === 0x2c || next === 0x7d) && !text.includes('"id"', at + 1) && !text.includes('\\u');
}

function afterWhiteSpace(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code === 0x20 || (code >= 0x09 && code <= 0x0d); code = text.charCodeAt(at)) {
    at += 1;
  }
  return at;
}

/** @param outline given for a long text, where a search would be slow */
function isRequestId(bytes: Buffer, text: string, id: unknown, outline: MessageOutline | undefined): id is RequestId {
  if (typeof id === 'string') return true;
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) return false;
  if (outline === undefined && isPlainId(text, id)) return true;
  return (outline ?? new MessageOutline(bytes)).spellingOf('id') === String(id);
}

function errorOfPeer(value: unknown): RpcError {
  const error = typeof value === 'object' && value !== null ? (value as ErrorData) : {};
  return new RpcError({
    code: typeof error.code === 'number' ? error.code : -32603,
    message: typeof error.message === 'string' ? error.message : 'The peer sent an error without a message',
    data: error.data,
  });
}

/** The text of a message. Node 20 decodes long UTF-8 with non-ASCII characters three times as fast by way of UTF-16. */
function textOf(bytes: Buffer): string {
  if (bytes.length <= ALWAYS_TAKEN_BYTES || isAscii(bytes) || !isUtf8(bytes)) return bytes.toString('utf8');
  return transcode(bytes, 'utf8', 'utf16le').toString('utf16le');
}

/** The value of a member, read from the outline alone; undefined for an object and for a list. */
function memberOf(outline: MessageOutline, name: OutlineMember): unknown {
  try {
    return JSON.parse(outline.spellingOf(name) ?? '');
  } catch {
    return undefined;
  }
}

/** The id of a message that is not parsed; null when there is none that can be sent back digit for digit. */
function idOf(outline: MessageOutline): RequestId | null {
  const id = memberOf(outline, 'id');
  if (typeof id === 'string') return id;
  return Number.isSafeInteger(id) && String(id) === outline.spellingOf('id') ? (id as number) : null;
}

/** Refuses a message that would take too long to read: first by its length, then by the bound of its method. No value is parsed for this. */
function refuseLarge(bytes: Buffer, outline: MessageOutline, maxBytesOf: MaxBytesOf): IncomingMessage | undefined {
  if (outline.exceeded !== undefined) {
    const bound = outlineBounds[outline.exceeded];
    const what =
      outline.exceeded === 'maxBytesOutsideStrings'
        ? 'bytes outside of strings'
        : 'commas, colons and opening brackets';
    const error = rpcError('messageTooLarge', { detail: `more than ${bound} ${what}`, [outline.exceeded]: bound });
    return { kind: 'invalid', id: null, error, jsonrpc: true };
  }
  const name = memberOf(outline, 'method');
  const method = typeof name === 'string' ? name : undefined;
  const maxBytes = maxBytesOf(method);
  if (bytes.length <= maxBytes) return undefined;
  const detail = `${bytes.length} bytes, where ${maxBytes} are the most${method === undefined ? '' : ` for ${method.slice(0, 200)}`}`;
  const error = rpcError('messageTooLarge', { detail, maxBytes });
  const id = idOf(outline);
  if (outline.has('method')) {
    if (!outline.has('id')) return { kind: 'notification', method: method ?? '', params: undefined };
  } else if (id !== null && (outline.has('result') || outline.has('error'))) {
    return { kind: 'response', id, result: undefined, error };
  }
  return { kind: 'invalid', id, error, jsonrpc: memberOf(outline, 'jsonrpc') === '2.0' };
}

/** The most bytes a message of this method may have; undefined stands for a message that names no method. */
export type MaxBytesOf = (method: string | undefined) => number;

/** Reads one message. Never throws: an unreadable message becomes an {@link InvalidMessage}. @param maxBytesOf default: no bound */
export function decodeMessage(bytes: Buffer, maxBytesOf: MaxBytesOf = () => Number.POSITIVE_INFINITY): IncomingMessage {
  const outline = bytes.length > ALWAYS_TAKEN_BYTES ? new MessageOutline(bytes) : undefined;
  const refused = outline === undefined ? undefined : refuseLarge(bytes, outline, maxBytesOf);
  if (refused !== undefined) return refused;
  const text = textOf(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? error.message.slice(0, 120) : undefined;
    return { kind: 'invalid', id: null, error: rpcError('parseError', { detail }), jsonrpc: true };
  }
  if (Array.isArray(value)) return invalid(null, true, 'batches are not supported; send one message a frame');
  if (typeof value !== 'object' || value === null) return invalid(null, true, 'a message is a JSON object');

  const message = value as Record<string, unknown>;
  const jsonrpc = message.jsonrpc === '2.0';
  const hasId = Object.hasOwn(message, 'id');
  const id = message.id;
  const knownId = hasId && isRequestId(bytes, text, id, outline) ? id : null;

  if (typeof message.method === 'string') {
    if (message.jsonrpc !== undefined && !jsonrpc) return invalid(knownId, true, 'jsonrpc must be "2.0" or left out');
    if (!hasId) return { kind: 'notification', method: message.method, params: message.params };
    if (knownId === null)
      return invalid(null, jsonrpc, 'id must be a string or an integer that a double holds exactly');
    return {
      kind: 'request',
      id: knownId,
      method: message.method,
      params: message.params,
      trace: message.trace,
      jsonrpc,
    };
  }
  if (
    message.method === undefined &&
    knownId !== null &&
    (Object.hasOwn(message, 'result') || Object.hasOwn(message, 'error'))
  ) {
    const failed = message.error !== undefined && message.error !== null;
    return {
      kind: 'response',
      id: knownId,
      result: message.result,
      error: failed ? errorOfPeer(message.error) : undefined,
    };
  }
  return invalid(knownId, jsonrpc, 'method must be a string');
}

function idText(id: RequestId | null): string {
  return typeof id === 'number' ? String(id) : JSON.stringify(id);
}

/** The text before the result of a successful response; `}` closes it. */
export function resultPrefix(id: RequestId, jsonrpc: boolean): string {
  return `{${jsonrpc ? VERSION_MEMBER : ''}"id":${idText(id)},"result":`;
}

/** Writes a successful response. */
export function encodeResult(id: RequestId, result: unknown, jsonrpc: boolean): string {
  return `${resultPrefix(id, jsonrpc)}${JSON.stringify(result ?? {})}}`;
}

/** Writes a refused or failed response. */
export function encodeError(id: RequestId | null, error: RpcError, jsonrpc: boolean): string {
  const body = { code: error.code, message: error.message, data: error.data };
  return `{${jsonrpc ? VERSION_MEMBER : ''}"id":${idText(id)},"error":${JSON.stringify(body)}}`;
}

/** The text before the params of a notification; `}` closes it. */
export function notificationPrefix(method: string, jsonrpc: boolean): string {
  return `{${jsonrpc ? VERSION_MEMBER : ''}"method":${JSON.stringify(method)},"params":`;
}

/** Writes a notification. */
export function encodeNotification(method: string, params: unknown, jsonrpc: boolean): string {
  return `${notificationPrefix(method, jsonrpc)}${JSON.stringify(params ?? {})}}`;
}

/** Writes a request of ours. */
export function encodeRequest(id: RequestId, method: string, params: unknown, jsonrpc: boolean): string {
  return `{${jsonrpc ? VERSION_MEMBER : ''}"id":${idText(id)},"method":${JSON.stringify(method)},"params":${JSON.stringify(params ?? {})}}`;
}
