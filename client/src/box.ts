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
  DetachableOptions,
  Encoding,
  ExecOptions,
  ShellOptions,
  TerminalOptions,
} from './options.js';
import { Run, type RunSettings } from './run.js';
import { Shell } from './shell.js';
import { Terminal } from './terminal.js';
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

  /** Use {@link connect}. */
  constructor(links: LinkSet, reportError: (error: unknown) => void) {
    this.#links = links;
    this.#reportError = reportError;
  }

  /** What the server of new work says of itself, `limits` included. */
  get server(): InitializeResult {
    return this.#links.server;
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
    const streamStdin = options.input !== undefined || options.stdin === 'pipe';
    const plan = startPlan(command, options, { streamStdin }, options.detachable ?? false);
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
    const started = startPlan(command, options, { tty: true, streamStdin: true, size }, options.detachable);
    const plan = { ...started, redraws: options.redraw };
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
      windowBytes: defaults.windowBytes(options.window),
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
      windowBytes: defaults.windowBytes(options.window),
      redraws: options.redraw,
    };
    return this.#terminalOf(plan, [], options);
  }

  /** A live shell whose directory and variables persist. It is started with the first line. */
  shell(options: ShellOptions = {}): Shell {
    const { shell, maxBuffer, detachable, ...rest } = options;
    return new Shell({
      clock: this.#links.platform.clock,
      kind: shell,
      bounds: defaults.captureBounds(maxBuffer, false),
      reportError: this.#reportError,
      start: (command) => {
        const plan = startPlan(command, rest, { streamStdin: true }, detachable);
        return new Run(this.#links, plan, this.#runSettings(command, { ...rest, buffer: false }, 'noEnd'));
      },
    });
  }

  /** Running and kept commands: by default all of this principal's, on servers that have no scopes those of this connection. @throws {RpcError | UnknownOutcomeError} */
  async list(params: ListParams = {}): Promise<ListedCommand[]> {
    const all: ListParams = { scope: 'principal', ...params };
    const ask = { isRepeatable: true };
    return (await askServer(this.#links, (session) => session.request('command/exec/list', all), ask)).commands;
  }

  /**
   * Ends a detachable command, or signals it, as {@link Run.kill} does. One that has ended gets nothing.
   * @param key as {@link Run.key} had it
   * @param signal default `SIGTERM`
   * @throws {RpcError} `keyNotFound`
   */
  async kill(key: string, signal = 'SIGTERM'): Promise<void> {
    await this.#visit(key, false, (run) => run.kill(signal));
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
  request<M extends string>(method: M extends RequestName ? never : M, params?: object): Promise<unknown>;
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
      if (key === undefined) throw new Error('Only a detachable terminal has a screen');
      return this.#visit(key, true, async (visitor) => {
        for await (const screen of visitor.stdout) return new TextDecoder().decode(screen);
        return '';
      });
    });
  }

  /** Comes to a command as an observer, for one thing to be done. */
  async #visit<T>(key: string, screen: boolean, action: (visitor: Run) => Promise<T>): Promise<T> {
    const attach = { key, ...attachment({ role: 'observer' }), screen };
    // A visitor wants no output.
    const plan: CommandPlan = { attach, size: undefined, windowBytes: 1 };
    const visitor: Run = new Run(this.#links, plan, this.#runSettings([], {}, 'nothing'));
    try {
      await visitor.started;
      return await action(visitor);
    } finally {
      await visitor.detach().catch(() => {});
    }
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

/**
 * A start. Bounds of time and output are the client's own, so the server's defaults are switched off.
 * @param detachable as the caller said; undefined for what may outlive its connections where that is possible
 */
function startPlan(
  command: readonly string[],
  options: CommonOptions,
  more: Partial<ExecParams>,
  detachable: boolean | DetachableOptions | undefined,
): CommandPlan {
  if (!Array.isArray(command) || command.some((word) => typeof word !== 'string')) {
    throw new TypeError("A command is an array of strings; for shell syntax use ['sh', '-c', '…']");
  }
  const { cwd, env, timeout } = options;
  const params: ExecParams = {
    command: [...command],
    disableOutputCap: true,
    disableTimeout: timeout === undefined || undefined,
    timeoutMs: timeout,
    cwd,
    env,
    ...more,
  };
  return {
    start: {
      params,
      detachable: defaults.detachableParams(detachable ?? true),
      isDetachableOptional: detachable === undefined,
    },
    size: more.size,
    windowBytes: defaults.windowBytes(options.window, detachable),
  };
}

function attachment({ from, role, takeover }: Pick<AttachOptions, 'from' | 'role' | 'takeover'>) {
  return { from, role: role ?? 'writer', takeover: takeover ?? true } as const;
}
