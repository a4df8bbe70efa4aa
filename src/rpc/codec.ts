/**
 * JSON-RPC 2.0 messages from and to text. Owns what counts as a request, a notification or a response, and the rule that an id comes
 * back digit for digit or is refused. Knows no transport, no method and no session.
 */
import { type ErrorData, RpcError, rpcError } from '../protocol/errors.js';

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

/** What cannot be served, with the answer it gets. */
export interface InvalidMessage {
  readonly kind: 'invalid';
  readonly id: RequestId | null;
  readonly error: RpcError;
  readonly jsonrpc: boolean;
}

export type IncomingMessage = RequestMessage | NotificationMessage | ResponseMessage | InvalidMessage;

/** Characters looked at behind the name `id`: any integer a double holds, and white space around it. */
const LONGEST_ID_SPELLING = 256;

const VERSION_MEMBER = '"jsonrpc":"2.0",';

function invalid(id: RequestId | null, jsonrpc: boolean, detail: string): InvalidMessage {
  return { kind: 'invalid', id, error: rpcError('invalidRequest', { detail }), jsonrpc };
}

/**
 * The spelling of the member `id` in the text of a JSON object; the last one where it stands twice, as `JSON.parse` takes it.
 * `JSON.parse` itself turns 9007199254740993, 1.0 and 1.00000000000000000001 into other digits without a word.
 */
function spellingOfId(text: string): string {
  let depth = 0;
  let name = '';
  let spelling = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      const from = at;
      for (at += 1; text[at] !== '"'; at += 1) if (text[at] === '\\') at += 1;
      if (depth === 1) name = text.slice(from, at + 1);
    } else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    else if (char === ':' && depth === 1 && JSON.parse(name) === 'id') {
      spelling = /^[^,}]*/.exec(text.slice(at + 1, at + 1 + LONGEST_ID_SPELLING))?.[0].trim() ?? '';
    }
  }
  return spelling;
}

/** Fast path of {@link spellingOfId}: the only `"id"` of the text, spelled compactly. An escaped name could be another one. */
function isCompactId(text: string, id: number): boolean {
  const digits = `"id":${id}`;
  const at = text.indexOf('"id"');
  if (!text.startsWith(digits, at)) return false;
  const next = text.charCodeAt(at + digits.length);
  return (next === 0x2c || next === 0x7d) && !text.includes('"id"', at + 1) && !text.includes('\\u');
}

function isRequestId(text: string, id: unknown): id is RequestId {
  if (typeof id === 'string') return true;
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) return false;
  return isCompactId(text, id) || spellingOfId(text) === String(id);
}

function errorOfPeer(value: unknown): RpcError {
  const error = typeof value === 'object' && value !== null ? (value as ErrorData) : {};
  return new RpcError({
    code: typeof error.code === 'number' ? error.code : -32603,
    message: typeof error.message === 'string' ? error.message : 'The peer sent an error without a message',
    data: error.data,
  });
}

/** Reads one message. Never throws: what cannot be read is an {@link InvalidMessage}. */
export function decodeMessage(text: string): IncomingMessage {
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
  const knownId = hasId && isRequestId(text, id) ? id : null;

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

/** Writes a notification. */
export function encodeNotification(method: string, params: unknown, jsonrpc: boolean): string {
  return `{${jsonrpc ? VERSION_MEMBER : ''}"method":${JSON.stringify(method)},"params":${JSON.stringify(params ?? {})}}`;
}

/** Writes a request of ours. */
export function encodeRequest(id: RequestId, method: string, params: unknown, jsonrpc: boolean): string {
  return `{${jsonrpc ? VERSION_MEMBER : ''}"id":${idText(id)},"method":${JSON.stringify(method)},"params":${JSON.stringify(params ?? {})}}`;
}
