/**
 * One initialized connection: what its server can do, which command a notification belongs to, and whether the server is still there. Knows no
 * reconnect.
 */
import { type AbortSignalLike, orAborted } from './abort-signal.js';
import { randomName } from './affinity.js';
import { ConnectError, cannotConnect, fieldOf, messageOf, RpcError } from './errors.js';
import type { Cancel, Platform } from './platform.js';
import { type ConnectionEnded, RpcConnection, type RpcEvents } from './rpc-connection.js';
import type { TraceSource } from './trace.js';
import type { InitializeParams, InitializeResult, Notifications, RequestName, Requests } from './wire.js';

/** The subprotocol asked for when a token travels as one, too. */
const SUBPROTOCOL = 'execwire.v1';
/** A token is sent as a subprotocol, because browsers cannot set headers and some proxies delete them. */
const BEARER_PREFIX = 'execwire.bearer.';
/** Heartbeats without which the connection counts as broken. */
const MISSED_HEARTBEATS = 3;
/** Most bytes of a `write` message without its base64: method, ids and names. */
const WRITE_ENVELOPE_BYTES = 4_096;
/** Frame limit of servers that name none: the default of execwire's `--max-frame-bytes`. */
const DEFAULT_FRAME_BYTES = 16 * 1024 * 1024;
/** Most bytes of input in one message. A larger message only delays the next ones. */
const LARGEST_WRITE_BYTES = 512 * 1024;
/** Window of servers that name no bound of it: more than any program has. */
const UNBOUNDED_BYTES = 2 ** 53;
/** Random bytes of a processId, so that it never equals one that the program chooses for its own requests. */
const ID_BYTES = 5;

/** What a command is told by its connection. */
export interface CommandListener {
  onOutput(delta: Notifications['command/exec/outputDelta']): void;
  onAttached(attached: Notifications['command/exec/attached']): void;
  onGap(gap: Notifications['command/exec/gap']): void;
  onScreen(screen: Notifications['command/exec/screen']): void;
  onDetached(detached: Notifications['command/exec/detached']): void;
}

/** What the owner of a session is told. None of them may throw. */
export interface SessionEvents {
  /** The server drains. */
  retire(): void;
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
  /** Aborts when the box is closed, with an error that says so. */
  readonly closing: AbortSignalLike & { throwIfAborted(): void };
  /** Hears every notification and answers requests; see {@link RpcEvents}. */
  readonly program: Pick<RpcEvents, 'onNotification' | 'onRequest'>;
}

/** An initialized connection. Made by {@link openSession}. */
export class Session implements RpcEvents {
  /** What the server says of itself. */
  info: InitializeResult = {};
  /** Whether commands can outlive this connection, and windows are kept. */
  canDetach = false;
  /** Most bytes under way that the server keeps when a connection breaks. */
  maxWindowBytes = 1;
  /** Most bytes of input in one `write`. */
  maxWriteBytes = 1;
  declare readonly rpc: RpcConnection;
  readonly #settings: SessionSettings;
  readonly #events: SessionEvents;
  readonly #commands = new Map<string, CommandListener>();
  readonly #idPrefix = randomName(ID_BYTES);
  #nextProcess = 1;
  #cancelWatch: Cancel | undefined;

  constructor(settings: SessionSettings, events: SessionEvents) {
    this.#settings = settings;
    this.#events = events;
    this.rpc = new RpcConnection(settings.platform.clock, this);
  }

  /** Sends `initialize`, and keeps what the server says. @throws {RpcError | ConnectionEnded} */
  async initialize(): Promise<void> {
    this.info = (await this.request('initialize', this.#settings.initialize)) ?? {};
    this.rpc.notify('initialized', {});
    const { serverId, limits = {} } = this.info;
    this.canDetach = limits.maxReplayBytes !== undefined || serverId !== undefined;
    this.maxWindowBytes = Math.max(1, limits.maxReplayBytes ?? UNBOUNDED_BYTES);
    // Base64 makes four characters of three bytes.
    const fitting = (((limits.maxFrameBytes ?? DEFAULT_FRAME_BYTES) - WRITE_ENVELOPE_BYTES) * 3) / 4;
    this.maxWriteBytes = Math.max(1, Math.min(LARGEST_WRITE_BYTES, Math.floor(fitting)));
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

  /**
   * Sends a request and waits for its answer; without a timeout if the answer comes only when a command ends or reads. Errors as {@link RpcConnection.request}.
   */
  request<M extends RequestName>(method: M, params: Requests[M]['params']): Promise<Requests[M]['result']>;
  request(method: string, params: object): Promise<unknown>;
  request(method: string, params: object): Promise<unknown> {
    // A write waits for the program to read, which may take days.
    const takesLong = /^command\/exec(\/attach|\/write)?$/.test(method);
    const timeoutMs = takesLong ? undefined : this.#settings.requestTimeoutMs;
    return this.rpc.request(method, params, { timeoutMs, trace: this.#settings.traceContext() });
  }

  onNotification(method: string, params: unknown): void {
    if (method === 'server/heartbeat') this.#cancelWatch ??= watchSilence(this.rpc, this.#settings);
    if (method === 'server/draining') this.#events.retire();
    const listener = this.#commands.get(String(fieldOf(params, 'processId')));
    listener?.[HEARD_BY[method] as keyof CommandListener]?.(params as never);
    this.#settings.program.onNotification(method, params);
  }

  onRequest(method: string, params: unknown): Promise<unknown> | undefined {
    return this.#settings.program.onRequest(method, params);
  }

  onEnd(end: ConnectionEnded): void {
    this.#cancelWatch?.();
    this.#events.onEnd(this, end);
  }
}

/** Which method of a command hears which notification. */
const HEARD_BY: Readonly<Record<string, keyof CommandListener>> = {
  'command/exec/outputDelta': 'onOutput',
  'command/exec/attached': 'onAttached',
  'command/exec/gap': 'onGap',
  'command/exec/screen': 'onScreen',
  'command/exec/detached': 'onDetached',
};

/**
 * Connects and initializes.
 * @throws {ConnectError} no connection, or its server does not answer in time
 * @throws {RpcError} the server refuses `initialize`
 */
export async function openSession(url: string, settings: SessionSettings, events: SessionEvents): Promise<Session> {
  const { platform, connectTimeoutMs, closing } = settings;
  const session = new Session(settings, events);
  const opening = new AbortController();
  const giveUp = (): void => opening.abort(closing.reason);
  const tooLate = cannotConnect(url, `no answer within ${Math.round(connectTimeoutMs)} ms`);
  const cancel = platform.clock.after(connectTimeoutMs, () => opening.abort(tooLate));
  closing.addEventListener('abort', giveUp);
  const { token } = settings;
  const open = async (): Promise<void> => {
    const credential = typeof token === 'function' ? await token() : token;
    const protocols = credential === undefined ? [] : [SUBPROTOCOL, BEARER_PREFIX + base64Url(credential, platform)];
    session.rpc.use(await platform.openTransport({ url, protocols, listener: session.rpc, signal: opening.signal }));
    if (opening.signal.aborted) session.rpc.drop();
    await session.initialize();
  };
  try {
    await orAborted(open(), opening.signal);
    return session;
  } catch (error) {
    session.rpc.drop();
    if (error instanceof ConnectError || error instanceof RpcError || closing.aborted) throw error;
    throw cannotConnect(url, messageOf(error), { cause: error });
  } finally {
    cancel();
    closing.removeEventListener('abort', giveUp);
  }
}

/**
 * Drops a connection on which nothing has come for three heartbeats. Counts its own ticks and not the time, because a program that was stopped for an
 * hour must first read the messages that have come meanwhile.
 */
function watchSilence(rpc: RpcConnection, { platform, initialize }: SessionSettings): Cancel {
  const intervalMs = initialize.capabilities?.heartbeatMs ?? 0;
  let seen = rpc.heardAt;
  let silentTicks = 0;
  const tick = (): void => {
    silentTicks = rpc.heardAt === seen ? silentTicks + 1 : 0;
    seen = rpc.heardAt;
    if (silentTicks > MISSED_HEARTBEATS) rpc.drop();
    else cancel = platform.clock.after(intervalMs, tick);
  };
  let cancel = platform.clock.after(intervalMs, tick);
  return () => cancel();
}

function base64Url(text: string, { encodeBase64 }: Platform): string {
  const encoded = encodeBase64(new TextEncoder().encode(text));
  return encoded.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
