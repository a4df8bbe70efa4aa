/** Asks a server for files by HTTP, on the same address as its WebSocket. Knows no command and no local file. */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { messageOf } from '../../client/src/errors.js';
import { CliError, EXIT_UNKNOWN } from './exit-codes.js';
import { request as requestHttps } from './late-tls.js';

const TAR = 'application/x-tar';
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
  readonly body?: AsyncIterable<Buffer>;
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

  /** What a path is; links are followed. @throws {CliError} */
  async kindOf(path: string): Promise<RemoteKind> {
    const response = await this.#ask({ method: 'HEAD', path });
    response.resume();
    if (response.statusCode === 404) return undefined;
    // A path below a file is nothing.
    if (response.statusCode === 409) return undefined;
    if (response.statusCode !== 200) {
      // The answer to HEAD has no text.
      const said = await this.#ask({ method: 'GET', path });
      if (said.statusCode !== 200) throw await this.#refusal(said, path);
      said.destroy();
    }
    return response.headers['x-execwire-kind'] === 'folder' ? 'folder' : 'file';
  }

  /** A tar of a file or folder. @throws {CliError} */
  async tarOf(
    path: string,
    prefix = '',
  ): Promise<{ readonly kind: RemoteKind; readonly bytes: AsyncIterable<Buffer> }> {
    const response = await this.#ask({ method: 'GET', path, query: prefix === '' ? {} : { prefix } });
    if (response.statusCode !== 200) throw await this.#refusal(response, path);
    const kind = response.headers['x-execwire-kind'] === 'folder' ? 'folder' : 'file';
    return { kind, bytes: this.#wholeBody(response) };
  }

  /** Unpacks a tar into a folder. @throws {CliError} */
  async unpack(path: string, body: AsyncIterable<Buffer>): Promise<void> {
    const response = await this.#ask({ method: 'PUT', path, body });
    if (response.statusCode !== 204) throw await this.#refusal(response, path);
    response.resume();
  }

  async *#wholeBody(response: IncomingMessage): AsyncGenerator<Buffer, void, void> {
    try {
      for await (const chunk of response) yield chunk as Buffer;
    } catch (error) {
      throw this.#broken(error);
    }
    if (!response.complete) throw this.#broken(new Error('the answer is not complete'));
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
      throw new CliError(
        `${this.#url} serves no files by HTTP: start it with \`execwire serve --files\`; through \`execwire exec\`, tar works without`,
      );
    }
    return response;
  }

  #open({ method, path, query = {}, body }: Asking): ClientRequest {
    const search = new URLSearchParams(query).toString();
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const headers = {
      accept: TAR,
      ...(body === undefined ? {} : { 'content-type': TAR }),
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
    };
    const target = `/files${encoded}${search === '' ? '' : `?${search}`}`;
    const options = { method, headers, signal: this.#signal };
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
