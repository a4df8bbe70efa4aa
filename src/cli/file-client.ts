/** Asks a server for files by HTTP, on the same address as its WebSocket. Knows no command and no local file. */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { posix } from 'node:path';
import { messageOf } from '../../client/src/errors.js';
import { CliError, EXIT_UNKNOWN } from './exit-codes.js';
import { request as requestHttps } from './late-tls.js';

const TAR = 'application/x-tar';
const BYTES = 'application/octet-stream';
/** What a proxy answers to a body that is too long for it. */
const TOO_LARGE = 413;
/** Octal digits of permission bits. */
const MODE_DIGITS = 4;
/** Milliseconds that the server may take to look through a folder for what could not be packed. */
const CAUSE_PATIENCE_MS = 10_000;
/** Refusals of a path at which there is nothing: nothing is below a file. */
const NOTHING_THERE = new Set(['notFound', 'notADirectory']);
/** Bytes of an answer that says why something was refused. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/** What a path on the server is; undefined for nothing. */
export type RemoteKind = 'file' | 'folder' | undefined;

/** How to ask. */
interface Asking {
  readonly method: 'GET' | 'HEAD' | 'PUT';
  /** Absolute path on the server. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** What the body is. */
  readonly type?: string;
  readonly body?: AsyncIterable<Buffer>;
  /** Ends the request. Default: the signal of this client. */
  readonly signal?: AbortSignal;
}

/** Of a tar that a server gives. */
export interface TarOptions {
  /** Put before the names of a folder's members, or the name of a file. Default: none. */
  readonly prefix?: string;
  /** Told at the end what the server has left out of it: pipes, sockets, devices and its secrets. */
  readonly onLeftOut: (name: string) => void;
}

export interface RemoteTar {
  readonly kind: RemoteKind;
  /** @throws {CliError} */
  readonly bytes: AsyncIterable<Buffer>;
}

/** What a file has beside its content. */
export interface FileRights {
  /** Permission bits. */
  readonly mode: number;
  /** Milliseconds since 1970. */
  readonly modifiedAtMs: number;
}

/** The files of one server. */
export class FileClient {
  readonly #url: string;
  readonly #token: string | undefined;
  readonly #signal: AbortSignal;

  /** @param url as `--url` has it @param signal ends what is under way */
  constructor(url: string, { token, signal }: { readonly token: string | undefined; readonly signal: AbortSignal }) {
    this.#url = url;
    this.#token = token;
    this.#signal = signal;
  }

  /** What a path is, links followed; undefined for nothing, also for a link that leads to nothing. @throws {CliError} for what is no file and no folder */
  async kindOf(path: string): Promise<RemoteKind> {
    try {
      return await this.kindOfSource(path);
    } catch (error) {
      if (error instanceof CliError && NOTHING_THERE.has(error.details.reason ?? '')) return undefined;
      throw error;
    }
  }

  /** The same of a path that has to be there. @throws {CliError} */
  async kindOfSource(path: string): Promise<RemoteKind> {
    const response = await this.#ask({ method: 'HEAD', path });
    response.resume();
    if (response.statusCode === 200) return kindIn(response);
    // The answer to HEAD has no text.
    const said = await this.#ask({ method: 'GET', path });
    if (said.statusCode !== 200) throw await this.#refusal(said, path);
    said.destroy();
    return kindIn(said);
  }

  /** A tar of a file or folder. @throws {CliError} */
  async tarOf(path: string, { prefix = '', onLeftOut }: TarOptions): Promise<RemoteTar> {
    const response = await this.#ask({ method: 'GET', path, query: prefix === '' ? {} : { prefix } });
    if (response.statusCode !== 200) throw await this.#refusal(response, path);
    return { kind: kindIn(response), bytes: this.#wholeBody(response, path, onLeftOut) };
  }

  /** Unpacks a tar into a folder. @throws {CliError} */
  async unpack(path: string, body: AsyncIterable<Buffer>): Promise<void> {
    const response = await this.#ask({ method: 'PUT', path, type: TAR, body });
    if (response.statusCode !== 204) throw await this.#refusal(response, path);
    response.resume();
  }

  /** Writes a file, links followed. @throws {CliError} */
  async put(path: string, body: AsyncIterable<Buffer>, { mode, modifiedAtMs }: FileRights): Promise<void> {
    const query = { mode: mode.toString(8).padStart(MODE_DIGITS, '0'), mtime: String(modifiedAtMs) };
    const response = await this.#ask({ method: 'PUT', path, query, type: BYTES, body });
    if (response.statusCode !== 201 && response.statusCode !== 204) throw await this.#refusal(response, path);
    response.resume();
  }

  async *#wholeBody(
    response: IncomingMessage,
    path: string,
    onLeftOut: (name: string) => void,
  ): AsyncGenerator<Buffer, void, void> {
    try {
      for await (const chunk of response) yield chunk as Buffer;
      if (!response.complete) throw new Error('the answer is not complete');
    } catch (error) {
      throw (await this.#refusalOfTar(path)) ?? this.#broken(error);
    }
    for (const name of leftOutIn(response)) onLeftOut(name);
  }

  /** Why a tar broke off: an answer that has begun cannot say it, so the server is asked to look through the folder again. @returns undefined when it is the connection */
  async #refusalOfTar(path: string): Promise<CliError | undefined> {
    try {
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(CAUSE_PATIENCE_MS)]);
      const response = await this.#ask({ method: 'GET', path, query: { check: '1' }, signal });
      if ((response.statusCode ?? 0) >= 400) return await this.#refusal(response, path);
      response.destroy();
    } catch {
      // The broken connection is what there is to say.
    }
    return undefined;
  }

  async #ask(asking: Asking): Promise<IncomingMessage> {
    const request = this.#open(asking);
    let isAnswered = false;
    const answered = once(request, 'response').then(([answer]) => {
      isAnswered = true;
      return answer as IncomingMessage;
    });
    // After a refusal the rest of a body meets a closed socket.
    request.on('error', () => {});
    let response: IncomingMessage;
    let isConnected = false;
    request.once('socket', (socket) => {
      const onConnect = (): void => {
        isConnected = true;
      };
      if (socket.connecting) socket.once('connect', onConnect);
      else onConnect();
    });
    try {
      if (asking.body === undefined) request.end();
      // A refusal may come before everything is sent.
      else await Promise.race([answered, send(request, asking.body, () => isAnswered)]);
      response = await answered;
    } catch (error) {
      request.destroy();
      if (error instanceof CliError || !isOfConnection(error)) throw error;
      // Of a body that was on its way nobody knows what the server has made.
      throw asking.body !== undefined && isConnected ? this.#broken(error) : this.#unreachable(error);
    }
    if (response.headers['x-execwire-files'] !== '1') {
      response.destroy();
      const hint =
        response.statusCode === TOO_LARGE
          ? 'takes no body of this size (413): a proxy before it says so, and not execwire. Raise its limit, in nginx client_max_body_size'
          : 'serves no files by HTTP: start it with `execwire serve --files`; through `execwire exec`, tar works without';
      throw new CliError(`${this.#url} ${hint}`);
    }
    return response;
  }

  #open({ method, path, query = {}, type = '', body, signal = this.#signal }: Asking): ClientRequest {
    const search = new URLSearchParams(query).toString();
    // An URL would take `..` out itself, and lead out of /files.
    const encoded = posix.normalize(path).split('/').map(encodeURIComponent).join('/');
    const headers = {
      accept: TAR,
      ...(body === undefined ? {} : { 'content-type': type }),
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
    };
    const target = `/files${encoded}${search === '' ? '' : `?${search}`}`;
    const options = { method, headers, signal };
    if (this.#url.startsWith('unix://')) {
      return requestHttp({
        ...options,
        socketPath: this.#url.slice('unix://'.length),
        path: target,
        host: 'localhost',
      });
    }
    const url = new URL(this.#url.replace(/^ws/, 'http'));
    const address = new URL(`${url.protocol}//${url.host}${url.pathname.replace(/\/$/, '')}${target}`);
    return url.protocol === 'https:' ? requestHttps(address, options) : requestHttp(address, options);
  }

  async #refusal(response: IncomingMessage, path: string): Promise<CliError> {
    const { reason, message } = await refusalText(response);
    const advice = response.statusCode === 401 ? '; give --token-file or EXECWIRE_TOKEN' : '';
    return new CliError(`:${path}: ${message}${advice}`, undefined, { reason });
  }

  #unreachable(error: unknown): CliError {
    return new CliError(`${this.#url}: ${messageOf(error)}; is a server there?`);
  }

  #broken(error: unknown): CliError {
    return new CliError(`the connection to ${this.#url} broke (${messageOf(error)}): look at the target`, EXIT_UNKNOWN);
  }
}

function kindIn({ headers }: IncomingMessage): RemoteKind {
  return headers['x-execwire-kind'] === 'folder' ? 'folder' : 'file';
}

/** The names that a trailer tells; the last one says how many it has no room for. */
function leftOutIn({ trailers }: IncomingMessage): string[] {
  const count = Number(trailers['x-execwire-left-out'] ?? 0);
  const told = String(trailers['x-execwire-left-out-names'] ?? '');
  const names = told === '' ? [] : told.split(',').map(decoded);
  return count > names.length ? [...names, `${count - names.length} more`] : names;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Errors of sockets have a code; what a local file throws is not of the connection. */
function isOfConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.name !== 'FileError';
}

async function send(request: ClientRequest, body: AsyncIterable<Buffer>, isAnswered: () => boolean): Promise<void> {
  const closed = once(request, 'close');
  closed.catch(() => {});
  try {
    for await (const chunk of body) {
      if (request.destroyed || isAnswered()) return;
      if (!request.write(chunk)) await Promise.race([once(request, 'drain'), closed]);
    }
    request.end();
  } catch (error) {
    request.destroy();
    throw error;
  }
}

async function refusalText(
  response: IncomingMessage,
): Promise<{ readonly reason: string | undefined; readonly message: string }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes <= MAX_REFUSAL_BYTES) chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString();
  try {
    const { reason, message } = JSON.parse(text) as Record<string, unknown>;
    return { reason: typeof reason === 'string' ? reason : undefined, message: String(message) };
  } catch {
    return { reason: undefined, message: `the server answers ${response.statusCode} ${text.slice(0, 200).trim()}` };
  }
}
