/**
 * The typed client of execwire, for browsers and Node: one connection, its requests, and the commands it runs. Holds no Node-only code.
 *
 *     const client = await connect('ws://127.0.0.1:4500', { clientInfo: { name: 'demo', version: '1' } });
 *     const { stdout } = await client.exec({ command: ['uname', '-a'] });
 */
import { RpcError } from '../src/protocol/errors.js';
import type {
  MethodName,
  MethodParams,
  MethodResult,
  ServerNotificationName,
  ServerNotificationParams,
} from '../src/protocol/methods.js';
import { RemoteCommand } from './remote-command.js';
import { type SocketConstructor, type SocketLike, socketConstructor } from './socket.js';
import { activeTrace, type TraceSource } from './trace.js';

export { RpcError } from '../src/protocol/errors.js';
export type {
  MethodName,
  MethodParams,
  MethodResult,
  ServerNotificationName,
  ServerNotificationParams,
} from '../src/protocol/methods.js';
export type { CommandOutput, RemoteCommand } from './remote-command.js';
export type { TraceCarrier, TraceSource } from './trace.js';

/** The subprotocol asked for when a token travels as one, too. */
const SUBPROTOCOL = 'execwire.v1';
const BEARER_PREFIX = 'execwire.bearer.';

export interface ConnectOptions {
  readonly clientInfo: MethodParams<'initialize'>['clientInfo'];
  readonly capabilities?: NonNullable<MethodParams<'initialize'>['capabilities']>;
  /** Credential, sent as a subprotocol because browsers cannot set headers. Default: none. */
  readonly token?: string;
  /** Listeners that are there before the first notification can come; {@link Client.on} adds more. Default: none. */
  readonly notifications?: { readonly [N in ServerNotificationName]?: (params: ServerNotificationParams<N>) => void };
  /** Class to connect with. Default: the global `WebSocket`. */
  readonly WebSocket?: SocketConstructor;
  /** Trace context of each request. Default: the active one of the program's OpenTelemetry, where it has registered one. */
  readonly traceContext?: TraceSource;
}

/** The connection ended before an answer came. */
export class DisconnectedError extends Error {
  /** WebSocket close code. */
  readonly code: number;
  constructor(code: number, reason: string) {
    super(`The connection closed with ${code}${reason === '' ? '' : ` (${reason})`}`);
    this.name = 'DisconnectedError';
    this.code = code;
  }
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

type NotificationListener = (params: never) => void;

/** Answers a request of the server: returns or resolves to the result, throws to refuse. */
export type RequestListener = (params: unknown) => unknown;

/** One initialized connection. */
export class Client {
  /** Resolves with code and reason when the connection has ended. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #socket: SocketLike;
  readonly #traceContext: TraceSource;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Map<string, Set<NotificationListener>>();
  readonly #requestListeners = new Map<string, RequestListener>();
  #nextId = 1;
  #nextProcess = 1;
  #ended: DisconnectedError | undefined;

  /** Use {@link connect}. */
  constructor(socket: SocketLike, options: Pick<ConnectOptions, 'traceContext' | 'notifications'> = {}) {
    this.#socket = socket;
    this.#traceContext = options.traceContext ?? activeTrace;
    for (const [method, listener] of Object.entries(options.notifications ?? {})) {
      this.#listeners.set(method, new Set([listener as NotificationListener]));
    }
    socket.addEventListener('message', ({ data }) => this.#receive(String(data)));
    this.closed = new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason }) => {
        this.#ended = new DisconnectedError(code, reason);
        for (const { reject } of this.#pending.values()) reject(this.#ended);
        this.#pending.clear();
        resolve({ code, reason });
      });
    });
  }

  /**
   * Sends a request.
   * @throws {RpcError} the server's refusal
   * @throws {DisconnectedError} when the connection ends first
   */
  request<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params, trace: this.#traceContext() }));
    });
  }

  /** Sends a notification. */
  notify(method: string, params: unknown = {}): void {
    this.#socket.send(JSON.stringify({ jsonrpc: '2.0', method, params }));
  }

  /** Listens to a notification of the server. @returns takes the listener away */
  on<N extends ServerNotificationName>(method: N, listener: (params: ServerNotificationParams<N>) => void): () => void {
    const listeners = this.#listeners.get(method) ?? new Set();
    this.#listeners.set(method, listeners.add(listener as NotificationListener));
    return () => listeners.delete(listener as NotificationListener);
  }

  /** Answers requests of the server. A method without a listener is answered with -32601. */
  onRequest(method: string, listener: RequestListener): void {
    this.#requestListeners.set(method, listener);
  }

  /** Runs a command to its end and resolves to its captured output. @throws {RpcError} */
  exec(params: MethodParams<'command/exec'>): Promise<MethodResult<'command/exec'>> {
    return this.request('command/exec', params);
  }

  /**
   * Starts a command with streamed output. A terminal gets no timeout and no cap unless the params say otherwise.
   * The processId is made here unless the params name one.
   */
  start(params: MethodParams<'command/exec'>): RemoteCommand {
    const processId = params.processId ?? `p${this.#nextProcess++}`;
    const unbounded = {
      ...(params.timeoutMs == null ? { disableTimeout: true } : {}),
      ...(params.outputBytesCap == null ? { disableOutputCap: true } : {}),
    };
    const terminal = params.tty === true ? unbounded : {};
    const streams = { streamStdin: true, streamStdoutStderr: true };
    return new RemoteCommand(this, { ...streams, ...terminal, ...params, processId });
  }

  /** Ends the connection; its commands are killed. */
  async close(): Promise<void> {
    this.#socket.close(1000);
    await this.closed;
  }

  #receive(text: string): void {
    const message = JSON.parse(text) as Record<string, unknown>;
    if (typeof message.method === 'string') {
      if (message.id === undefined) this.#dispatch(message.method, message.params);
      else void this.#answer(message.id, message.method, message.params);
      return;
    }
    const id = message.id as number;
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (message.error === undefined) pending.resolve(message.result as never);
    else pending.reject(new RpcError(message.error as { code: number; message: string; data?: unknown }));
  }

  #dispatch(method: string, params: unknown): void {
    for (const listener of this.#listeners.get(method) ?? []) listener(params as never);
  }

  async #answer(id: unknown, method: string, params: unknown): Promise<void> {
    const listener = this.#requestListeners.get(method);
    let answer: Record<string, unknown>;
    try {
      answer =
        listener === undefined
          ? { error: { code: -32601, message: `Method not found: ${method}` } }
          : { result: (await listener(params)) ?? {} };
    } catch (error) {
      answer = { error: { code: -32603, message: error instanceof Error ? error.message : String(error) } };
    }
    if (this.#ended === undefined) this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
  }
}

function base64Url(text: string): string {
  const binary = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * Connects and initializes.
 * @param url such as `ws://127.0.0.1:4500`
 * @throws {Error} when the server cannot be reached or refuses the upgrade
 * @throws {RpcError} when it refuses `initialize`
 */
export async function connect(url: string, options: ConnectOptions): Promise<Client> {
  const Socket = socketConstructor(options.WebSocket);
  const protocols = options.token === undefined ? [] : [SUBPROTOCOL, `${BEARER_PREFIX}${base64Url(options.token)}`];
  const socket = new Socket(url, protocols);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', (event) => {
      const detail =
        typeof event === 'object' && event !== null && 'message' in event ? `: ${String(event.message)}` : '';
      reject(new Error(`Cannot connect to ${url}${detail}`));
    });
    socket.addEventListener('close', ({ code }) => reject(new DisconnectedError(code, 'before it was open')));
  });
  const client = new Client(socket, options);
  try {
    await client.request('initialize', { clientInfo: options.clientInfo, capabilities: options.capabilities ?? null });
  } catch (error) {
    // Nobody else holds the socket: it would stay open for good.
    socket.close(1000);
    throw error;
  }
  client.notify('initialized');
  return client;
}
