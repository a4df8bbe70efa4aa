/** The errors that the client throws, except those that carry a result ({@link ExecError} and its relatives). Knows no protocol. */

/** What is known of a connection that could not be opened. */
export interface ConnectErrorDetails {
  /** HTTP status of the answer, where there was one and the platform shows it (browsers do not). */
  readonly status?: number | undefined;
  /** Milliseconds that the server asks to wait, from `Retry-After`. */
  readonly retryAfterMs?: number | undefined;
  /** Code of the operating system, such as `ECONNREFUSED`. */
  readonly code?: string | undefined;
  readonly cause?: unknown;
}

/**
 * No connection to a server: no server listens, it refused the upgrade, its answer is not execwire's, or it took too long. The message says
 * what happened and what to do.
 *
 * @example
 * import { connect, ConnectError } from 'execwire-client';
 * try {
 *   await connect('ws://127.0.0.1:1');
 * } catch (error) {
 *   if (error instanceof ConnectError) console.log(error.code ?? error.status); // ECONNREFUSED
 * }
 */
export class ConnectError extends Error {
  /** HTTP status of the answer, where there was one and the platform shows it (browsers do not). */
  declare readonly status: number | undefined;
  /** Milliseconds that the server asks to wait. */
  declare readonly retryAfterMs: number | undefined;
  /** Code of the operating system, such as `ECONNREFUSED`. */
  declare readonly code: string | undefined;

  constructor(message: string, details: ConnectErrorDetails = {}) {
    super(message, details);
    this.name = 'ConnectError';
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.code = details.code;
  }
}

/** @param url as it was opened; its query, and the name and password in it, are not shown, in the reason neither */
export function cannotConnect(url: string, why: string, details: ConnectErrorDetails = {}): ConnectError {
  // Up to the last `@`, because a password may hold an unescaped `/`, `?` or `@`.
  const shown = url.replace(/^(\w+:\/\/)?.*@/s, '$1…@').replace(/\?.*/s, '');
  // A reason that quotes the URL would show what is left out of it; so would its cause.
  const isQuoted = why.includes(url);
  return new ConnectError(`Cannot connect to ${shown}: ${isQuoted ? 'Invalid URL' : why}`, isQuoted ? {} : details);
}

/**
 * An error object of JSON-RPC.
 *
 * @example
 * import { RpcError, type WireError } from 'execwire-client';
 * const wire: WireError = { code: -32600, message: 'command must not be empty', data: { reason: 'emptyCommand' } };
 * console.log(new RpcError(wire).reason); // emptyCommand
 */
export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/**
 * The server refused a request. What was asked for did not happen.
 *
 * @example
 * import { RpcError } from 'execwire-client';
 * try {
 *   await box.exec(['/no/such/program']);
 * } catch (error) {
 *   if (error instanceof RpcError) console.log(error.reason); // spawnFailed
 * }
 */
export class RpcError extends Error {
  /** Code of JSON-RPC, such as -32602. */
  declare readonly code: number;
  /** The stable name of the error, made for programs, such as `keyNotFound`. Undefined where a server sends none. */
  declare readonly reason: string | undefined;
  /** Everything the server sent beside code and message. */
  declare readonly data: unknown;

  constructor(wire: WireError) {
    super(wire.message);
    this.name = 'RpcError';
    this.code = wire.code;
    this.data = wire.data;
    const reason = fieldOf(wire.data, 'reason');
    this.reason = typeof reason === 'string' ? reason : undefined;
  }
}

/** A field of something that may be no object. */
export function fieldOf(value: unknown, name: string): unknown {
  return Object(value)[name];
}

/** The text of something that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
