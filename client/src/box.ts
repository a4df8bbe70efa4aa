/** The box: where commands run, as a program holds it. Turns options into plans and hands them to those who know connections and messages. */
import { askServer } from './ask-server.js';
import type { CommandPlan } from './command-plan.js';
import * as defaults from './defaults.js';
import type { LinkSet } from './link-set.js';
import type {
  AttachOptions,
  AttachTerminalOptions,
  BoxStatus,
  CommonOptions,
  Encoding,
  ExecOptions,
  TerminalOptions,
} from './options.js';
import { Run, type RunSettings } from './run.js';
import { Terminal } from './terminal.js';
import { requestOf, screenOf } from './visit.js';
import type {
  ExecParams,
  InitializeResult,
  ListedCommand,
  ListParams,
  NotificationName,
  Notifications,
  RequestName,
  Requests,
  WireSize,
} from './wire.js';

type CapturedAs<E extends Encoding> = E extends 'bytes' ? Uint8Array : string;

/** Options of every command, as far as a run needs them. */
interface RunOptions
  extends Omit<CommonOptions, 'cwd' | 'env'>,
    Pick<ExecOptions<Encoding>, 'input' | 'buffer' | 'encoding'> {
  readonly all?: boolean;
  readonly stripFinalNewline?: boolean;
}

/** Size of a terminal when none is given, as the server has it. */
const DEFAULT_SIZE: WireSize = { rows: 24, cols: 80 };

/**
 * A server, and the commands on it. Connections come and go below it. Made by {@link connect}.
 *
 * @example
 * await using other = await connect('ws://127.0.0.1:4500', { name: 'my-agent' });
 * const { stdout } = await other.exec(['echo', 'hello']);
 * console.log(stdout); // hello
 */
export class Box {
  readonly #links: LinkSet;
  readonly #reportError: (error: unknown) => void;
  #server: InitializeResult;

  /** Use {@link connect}. */
  constructor(links: LinkSet, server: InitializeResult, reportError: (error: unknown) => void) {
    this.#links = links;
    this.#server = server;
    this.#reportError = reportError;
  }

  /** What the server of new work says of itself, `limits` included. */
  get server(): InitializeResult {
    this.#server = this.#links.currentSession?.info ?? this.#server;
    return this.#server;
  }

  /** Names the running instance of that server; another one after a restart. Undefined where a server does not say. */
  get serverId(): string | undefined {
    return this.server.serverId;
  }

  /**
   * Runs a command; nothing passes through a shell.
   * @param command program and arguments
   * @returns a promise of its result, and a handle while it runs. Rejects with {@link ExecError}, {@link LostError}, {@link UnknownOutcomeError} and
   *   {@link RpcError}; with `reject: false` only with the last one
   */
  exec<E extends Encoding = 'utf8'>(command: readonly string[], options: ExecOptions<E> = {}): Run<CapturedAs<E>> {
    const hasStdin = options.input !== undefined || options.stdin === 'pipe';
    const params = startParams(command, options, { streamStdin: hasStdin });
    const detachable = defaults.detachableParams(options.detachable, false);
    const plan: CommandPlan = {
      start: { params, detachable, isDetachableOptional: false },
      size: undefined,
      windowBytes: defaults.windowBytes(options),
    };
    const settings = this.#runSettings(command, options, options.reject === false ? 'nothing' : 'failure');
    return new Run<CapturedAs<E>>(this.#links, plan, settings);
  }

  /**
   * Opens a terminal with a program in it. It outlives breaks of the connection where the server can do that.
   * @param command program and arguments
   */
  terminal(command: readonly string[], options: TerminalOptions = {}): Terminal {
    const { rows = DEFAULT_SIZE.rows, cols = DEFAULT_SIZE.cols } = options;
    const size: WireSize = { rows, cols };
    const params = startParams(command, options, { tty: true, streamStdin: true, size });
    const plan: CommandPlan = {
      start: {
        params,
        detachable: defaults.detachableParams(options.detachable, true),
        isDetachableOptional: options.detachable === undefined,
      },
      size,
      windowBytes: defaults.windowBytes(options),
    };
    return this.#terminalOf(plan, command, options);
  }

  /**
   * Comes to a detachable command, with the output that is kept of it.
   * @param key as {@link Run.key} had it
   * @returns the same kind of object as {@link Box.exec}. Rejects with {@link RpcError} `keyNotFound` for an unknown key
   */
  attach<E extends Encoding = 'utf8'>(key: string, options: AttachOptions<E> = {}): Run<CapturedAs<E>> {
    const plan: CommandPlan = {
      attach: { key, ...attachment(options), screen: false },
      size: undefined,
      windowBytes: defaults.windowBytes(options),
    };
    const settings = this.#runSettings([], options, options.reject === false ? 'nothing' : 'failure');
    return new Run<CapturedAs<E>>(this.#links, plan, settings);
  }

  /**
   * Comes to a detachable terminal. Its output begins with a picture of the screen, unless `from` or `screen: false` is given.
   * @param key as {@link Terminal.key} had it
   */
  attachTerminal(key: string, options: AttachTerminalOptions = {}): Terminal {
    const { rows, cols, from } = options;
    const plan: CommandPlan = {
      attach: { key, ...attachment(options), screen: options.screen ?? from === undefined },
      size: rows === undefined || cols === undefined ? undefined : { rows, cols },
      windowBytes: defaults.windowBytes(options),
    };
    return this.#terminalOf(plan, [], options);
  }

  /** Running and kept commands: by default all of this principal's, on servers that have no scopes those of this connection. @throws {RpcError | UnknownOutcomeError} */
  async list(params: ListParams = {}): Promise<ListedCommand[]> {
    const all: ListParams = { scope: 'principal', ...params };
    const ask = { isRepeatable: true };
    return (await askServer(this.#links, (session) => session.request('command/exec/list', all), ask)).commands;
  }

  /**
   * Sends a signal to a detachable command: `SIGKILL` ends it with all its descendants, any other goes to its process group. One that has ended gets none.
   * @param key as {@link Run.key} had it
   * @param signal default `SIGTERM`
   * @throws {RpcError} `keyNotFound`
   */
  async kill(key: string, signal = 'SIGTERM'): Promise<void> {
    const isKill = signal === 'SIGKILL';
    const method = isKill ? 'command/exec/terminate' : 'command/exec/signal';
    const ask = { isRepeatable: true, key };
    await askServer(this.#links, (session) => requestOf(session, key, method, isKill ? {} : { signal }), ask);
  }

  /** Drops an ended command and what is kept of it. @throws {RpcError} `stillRunning`, `keyNotFound` */
  async forget(key: string): Promise<void> {
    await askServer(this.#links, (session) => session.request('command/exec/forget', { key }), { key });
  }

  /**
   * Sends any request of the protocol. It is sent again only where it is certain that nothing was done.
   * @throws {RpcError} the refusal @throws {UnknownOutcomeError} when there is no answer
   */
  request<M extends RequestName>(method: M, params: Requests[M]['params']): Promise<Requests[M]['result']>;
  request(method: string, params?: object): Promise<unknown>;
  request(method: string, params: object = {}): Promise<unknown> {
    return askServer(this.#links, (session) => session.request(method, params));
  }

  /** Calls back with each notification of a method. @returns takes the listener away */
  on<N extends NotificationName>(method: N, listener: (params: Notifications[N]) => void): () => void;
  on(method: string, listener: (params: unknown) => void): () => void;
  on(method: string, listener: (params: never) => void): () => void {
    const listeners = this.#links.listeners.get(method) ?? new Set();
    this.#links.listeners.set(method, listeners);
    const added = (params: unknown): void => listener(params as never);
    listeners.add(added);
    return () => listeners.delete(added);
  }

  /**
   * Answers requests of the server: the listener returns or resolves to the result, and throws to refuse. One listener a method; methods without one are
   * refused with -32601.
   * @returns takes the listener away
   */
  onRequest(method: string, listener: (params: unknown) => unknown): () => void {
    const { answerers } = this.#links;
    answerers.set(method, listener);
    return () => {
      if (answerers.get(method) === listener) answerers.delete(method);
    };
  }

  /** Calls back when a connection breaks, comes back, is given up, drains or is closed. @returns takes the listener away */
  onStatus(listener: (status: BoxStatus) => void): () => void {
    const { statusListeners } = this.#links;
    statusListeners.add(listener);
    return () => statusListeners.delete(listener);
  }

  /** Ends all connections. Ordinary commands end with them, detachable ones go on; what is awaited of either rejects. */
  close(): Promise<void> {
    return this.#links.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #terminalOf(plan: CommandPlan, command: readonly string[], options: Omit<CommonOptions, 'cwd' | 'env'>): Terminal {
    const settings = this.#runSettings(command, options, 'noEnd', true);
    const run: Run = new Run(this.#links, plan, settings);
    return new Terminal(run, async () => {
      const { key } = await run.started;
      if (key === undefined) throw new Error('This terminal has no screen: it is not detachable');
      const { deltaBase64 } = await askServer(this.#links, (session) => screenOf(session, key), {
        isRepeatable: true,
        key,
      });
      return new TextDecoder().decode(this.#links.platform.decodeBase64(deltaBase64));
    });
  }

  #runSettings(
    command: readonly string[],
    options: RunOptions,
    throwsOn: RunSettings['throwsOn'],
    isTerminal = false,
  ): RunSettings {
    return {
      command: [...command],
      encoding: options.encoding ?? 'utf8',
      all: options.all ?? false,
      stripFinalNewline: options.stripFinalNewline ?? true,
      timeoutMs: options.timeout,
      throwsOn,
      capture: options.buffer === false ? undefined : defaults.captureBounds(options.maxBuffer, isTerminal),
      input: options.input,
      signal: options.signal,
      forceKillAfterMs: options.forceKillAfter ?? defaults.FORCE_KILL_AFTER_MS,
      reportError: this.#reportError,
    };
  }
}

/** What every start sends. Bounds of time and output are the client's own, so the server's defaults are switched off. */
function startParams(
  command: readonly string[],
  { cwd, env, timeout }: CommonOptions,
  more: Partial<ExecParams>,
): ExecParams {
  if (!Array.isArray(command) || command.some((word) => typeof word !== 'string')) {
    throw new TypeError(
      "A command is an array of strings, such as ['ls', '-l']; for shell syntax use ['sh', '-c', '…']",
    );
  }
  return {
    command: [...command],
    disableOutputCap: true,
    ...(timeout === undefined ? { disableTimeout: true } : { timeoutMs: timeout }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...more,
  };
}

function attachment({ from, role, takeover }: Pick<AttachOptions, 'from' | 'role' | 'takeover'>) {
  return { from, role: role ?? 'writer', takeover: takeover ?? true } as const;
}
