/**
 * One initialized connection: what the server is and can, which command a notification belongs to, and whether the server still lives.
 * Knows no reconnect.
 */
import { randomName, withoutQuery } from './affinity.js';
import { ConnectError, messageOf, RpcError } from './errors.js';
import type { Cancel, Platform } from './platform.js';
import { type ConnectionEnded, RpcConnection } from './rpc-connection.js';
import type { TraceSource } from './trace.js';
import type {
  InitializeParams,
  InitializeResult,
  NotificationName,
  Notifications,
  RequestName,
  Requests,
} from './wire.js';

/** The subprotocol asked for when a token travels as one, too. */
const SUBPROTOCOL = 'execwire.v1';
/** A token travels as a subprotocol: browsers set no headers, and some routers delete them. */
const BEARER_PREFIX = 'execwire.bearer.';
/** Heartbeats that may fail to come before the server counts as gone: one may be late. */
const MISSED_HEARTBEATS = 3;
/** Bytes of a message beside the base64 of a write: method, ids and names, generously. */
const WRITE_ENVELOPE_BYTES = 4_096;
/** Frame limit of servers that name none: the default of execwire's `--max-frame-bytes`. */
const DEFAULT_FRAME_BYTES = 16 * 1024 * 1024;
/** Most bytes of input in one message. A larger one only delays what comes behind it. */
const LARGEST_WRITE_BYTES = 512 * 1024;
/** Length of the random part of a processId: ids of this client and those of a program that sends its own do not meet. */
const ID_LENGTH = 8;

/** What one command hears of its connection. */
export interface CommandListener {
  onOutput(delta: Notifications['command/exec/outputDelta']): void;
  onAttached(attached: Notifications['command/exec/attached']): void;
  onGap(gap: Notifications['command/exec/gap']): void;
  onScreen?(screen: Notifications['command/exec/screen']): void;
  onDetached(reason: Notifications['command/exec/detached']['reason']): void;
}

/** What the owner of a session hears. None of them may throw. */
export interface SessionEvents {
  onNotification(method: string, params: unknown): void;
  onRequest(method: string, params: unknown): Promise<unknown> | undefined;
  onDraining(): void;
  onEnd(session: Session, end: ConnectionEnded): void;
}

/** How a session is opened. */
export interface SessionSettings {
  readonly platform: Platform;
  readonly initialize: InitializeParams;
  readonly token: string | (() => string | Promise<string>) | undefined;
  /** Milliseconds to open the connection and to initialize it. */
  readonly connectTimeoutMs: number;
  /** Milliseconds to wait for the answer to a request that is no command. */
  readonly requestTimeoutMs: number;
  readonly traceContext: TraceSource;
}

/** An open, initialized connection. Made by {@link openSession}. */
export class Session {
  readonly info: InitializeResult;
  /** Whether commands can outlive this connection, and windows are kept. */
  readonly canDetach: boolean;
  /** Most bytes under way that the server still has when a connection breaks. */
  readonly maxWindowBytes: number;
  /** Most bytes of input in one `write`. */
  readonly maxWriteBytes: number;
  readonly #rpc: RpcConnection;
  readonly #settings: SessionSettings;
  readonly #commands = new Map<string, CommandListener>();
  readonly #idPrefix: string;
  #nextProcess = 1;

  constructor(rpc: RpcConnection, settings: SessionSettings, info: InitializeResult) {
    this.#rpc = rpc;
    this.#settings = settings;
    this.info = info;
    const replayBytes = info.limits?.maxReplayBytes;
    this.canDetach = replayBytes !== undefined || info.serverId !== undefined;
    this.maxWindowBytes = Math.max(1, replayBytes ?? Number.MAX_SAFE_INTEGER);
    const frameBytes = info.limits?.maxFrameBytes ?? DEFAULT_FRAME_BYTES;
    // Base64 makes four characters of three bytes.
    const fitting = Math.floor(((frameBytes - WRITE_ENVELOPE_BYTES) * 3) / 4);
    this.maxWriteBytes = Math.max(1, Math.min(LARGEST_WRITE_BYTES, fitting));
    this.#idPrefix = randomName(ID_LENGTH);
  }

  /** Whether the server says what a close code of its own means: 1001 and 1012 come only when nothing sent was left running. */
  get isExecwire(): boolean {
    return this.info.serverInfo?.name === 'execwire';
  }

  get ended(): ConnectionEnded | undefined {
    return this.#rpc.ended;
  }

  /** A processId that is new on this connection; its notifications go to the listener until {@link Session.release}. */
  claim(listener: CommandListener): string {
    const processId = `${this.#idPrefix}-${this.#nextProcess++}`;
    this.#commands.set(processId, listener);
    return processId;
  }

  release(processId: string): void {
    this.#commands.delete(processId);
  }

  /** Sends a request and waits for its answer, for ever if it is about the life of a command. Errors as {@link RpcConnection.request}. */
  request<M extends RequestName>(method: M, params: Requests[M]['params']): Promise<Requests[M]['result']>;
  request(method: string, params: object): Promise<unknown>;
  request(method: string, params: object): Promise<unknown> {
    const isWholeCommand = method === 'command/exec' || method === 'command/exec/attach';
    // A write waits for the program to read, which may take days.
    const timeoutMs = isWholeCommand || method === 'command/exec/write' ? undefined : this.#settings.requestTimeoutMs;
    return this.#rpc.request(method, params, { timeoutMs, trace: this.#settings.traceContext() });
  }

  notify(method: string, params: object): void {
    this.#rpc.notify(method, params);
  }

  close(timeoutMs: number): Promise<void> {
    return this.#rpc.close(timeoutMs);
  }

  drop(): void {
    this.#rpc.drop();
  }

  /** Hands a notification to the command it is about. */
  dispatch(method: string, params: unknown): void {
    const { processId } = (params ?? {}) as { processId?: string };
    const listener = processId === undefined ? undefined : this.#commands.get(processId);
    if (listener === undefined) return;
    const as = <N extends NotificationName>(_name: N): Notifications[N] => params as Notifications[N];
    if (method === 'command/exec/outputDelta') listener.onOutput(as(method));
    else if (method === 'command/exec/attached') listener.onAttached(as(method));
    else if (method === 'command/exec/gap') listener.onGap(as(method));
    else if (method === 'command/exec/screen') listener.onScreen?.(as(method));
    else if (method === 'command/exec/detached') listener.onDetached(as(method).reason);
  }
}

/**
 * Connects and initializes.
 * @throws {ConnectError} no connection, or its server does not answer in time
 * @throws {RpcError} the server refuses `initialize`
 */
export async function openSession(
  url: string,
  settings: SessionSettings,
  events: SessionEvents,
  signal: AbortSignal,
): Promise<Session> {
  const { platform, connectTimeoutMs } = settings;
  const { clock } = platform;
  const timeLimit = new AbortController();
  const abort = (): void => timeLimit.abort(signal.reason);
  signal.addEventListener('abort', abort);
  const tooLate = new ConnectError(`Cannot connect to ${withoutQuery(url)}: no answer within ${connectTimeoutMs} ms`);
  let isTooLate = false;
  const cancel = clock.after(connectTimeoutMs, () => {
    isTooLate = true;
    timeLimit.abort(tooLate);
  });
  let session: Session | undefined;
  /** Notifications that came in one go with the answer to `initialize`. */
  const early: [method: string, params: unknown][] = [];
  let watch: Cancel | undefined;
  const onNotification = (method: string, params: unknown): void => {
    if (session === undefined) {
      early.push([method, params]);
      return;
    }
    if (method === 'server/heartbeat') watch ??= watchSilence(rpc, settings);
    if (method === 'server/draining') events.onDraining();
    session.dispatch(method, params);
    events.onNotification(method, params);
  };
  const rpc = new RpcConnection(clock, {
    onNotification,
    onRequest: events.onRequest,
    onEnd(end) {
      watch?.();
      if (session !== undefined) events.onEnd(session, end);
    },
  });
  try {
    if (signal.aborted) abort();
    const { token } = settings;
    const credential = typeof token === 'function' ? await beforeAbort(token(), timeLimit.signal) : token;
    const protocols =
      credential === undefined ? [] : [SUBPROTOCOL, `${BEARER_PREFIX}${base64Url(credential, platform)}`];
    const transport = await platform.openTransport({ url, protocols, listener: rpc, signal: timeLimit.signal });
    rpc.use(transport);
    timeLimit.signal.addEventListener('abort', () => {
      if (session === undefined) rpc.drop();
    });
    const { initialize } = settings;
    const info = (await rpc.request('initialize', initialize, { trace: settings.traceContext() })) as InitializeResult;
    rpc.notify('initialized', {});
    session = new Session(rpc, settings, info ?? {});
  } catch (error) {
    rpc.drop();
    if (isTooLate) throw tooLate;
    if (error instanceof ConnectError || error instanceof RpcError || signal.aborted) throw error;
    throw new ConnectError(`Cannot connect to ${withoutQuery(url)}: ${messageOf(error)}`, { cause: error });
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
  for (const [method, params] of early) onNotification(method, params);
  if (rpc.ended !== undefined) throw new ConnectError(`Cannot connect to ${withoutQuery(url)}: ${rpc.ended.message}`);
  return session;
}

/**
 * Drops a connection on which nothing has come for three heartbeats. Counts its own ticks and no time: a program that was stopped for an hour
 * finds its messages waiting, and must read them first.
 */
function watchSilence(rpc: RpcConnection, { platform, initialize }: SessionSettings): Cancel {
  const intervalMs = initialize.capabilities?.heartbeatMs ?? 0;
  let seen = rpc.lastReceivedAt;
  let silentTicks = 0;
  let cancel: Cancel = () => {};
  const tick = (): void => {
    silentTicks = rpc.lastReceivedAt === seen ? silentTicks + 1 : 0;
    seen = rpc.lastReceivedAt;
    if (silentTicks > MISSED_HEARTBEATS) rpc.drop();
    else cancel = platform.clock.after(intervalMs, tick);
  };
  cancel = platform.clock.after(intervalMs, tick);
  return () => cancel();
}

function base64Url(text: string, { encodeBase64 }: Platform): string {
  const encoded = encodeBase64(new TextEncoder().encode(text));
  return encoded.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** What a promise gives, unless the signal aborts first. */
function beforeAbort<T>(promise: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    Promise.resolve(promise).then(resolve, reject);
  });
}
