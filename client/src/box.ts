/// <reference lib="esnext.disposable" preserve="true" />
/** The box that a program holds: checks options and turns them into plans for commands. Knows no message of the wire. */
import { askServer } from './ask-server.js';
import type { RunSettings } from './command-handle.js';
import type { CommandPlan } from './command-plan.js';
import * as defaults from './defaults.js';
import type { LinkSet } from './link-set.js';
import type {
  AttachOptions,
  AttachTerminalOptions,
  BoxStatus,
  Encoding,
  ExecOptions,
  ShellOptions,
  TerminalOptions,
} from './options.js';
import { attachPlan, startPlan } from './plans.js';
import { Run } from './run.js';
import { Shell } from './shell.js';
import { Terminal, type TerminalSettings } from './terminal.js';
import type {
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

/** The options that a run needs, of all kinds of commands. */
type RunOptions = Omit<RunSettings, 'command' | 'throwsOn' | 'capture'> & Pick<ExecOptions, 'buffer' | 'maxBuffer'>;

/**
 * A server, and the commands on it. Opens broken connections again by itself. Made by {@link connect}.
 *
 * @example
 * await using other = await connect('ws://127.0.0.1:4500', { name: 'my-agent' });
 * const { stdout } = await other.exec(['echo', 'hello']);
 * console.log(stdout); // hello
 */
export class Box {
  readonly #links: LinkSet;
  /** Shells that run, by their processes. */
  readonly #shells = new Map<Run, Shell>();

  /** Use {@link connect}. */
  constructor(links: LinkSet) {
    this.#links = links;
  }

  /** What the present server says of itself, `limits` included. */
  get server(): InitializeResult {
    return this.#links.server;
  }

  /** Names the running instance of that server; a restarted server has another one. Undefined where a server does not say. */
  get serverId(): string | undefined {
    return this.server.serverId;
  }

  /**
   * Runs a command; nothing passes through a shell.
   * @param command program and arguments
   * @returns a promise of its result, and a handle while it runs. Rejects with {@link ExecError}, {@link LostError}, {@link UnknownOutcomeError} and
   *   {@link RpcError}; with `reject: false` only with the last one
   * @throws {TypeError} when an argument or an option is wrong: at once, before anything is sent. So do all methods that start a command or attach to one; in
   *   browsers only `command` and `input` are checked
   */
  exec<E extends Encoding = 'utf8'>(command: readonly string[], options: ExecOptions<E> = {}): Run<CapturedAs<E>> {
    const streamStdin = options.input !== undefined || options.stdin === 'pipe';
    const plan = startPlan(command, options, { streamStdin }, options.detachable ?? false);
    return this.#run<E>(plan, command, options);
  }

  /**
   * Opens a terminal with a program in it. The program goes on when the connection breaks, if the server supports that.
   * @param command program and arguments
   */
  terminal(command: readonly string[], options: TerminalOptions = {}): Terminal {
    // The server has the same defaults.
    const { rows = 24, cols = 80 } = options;
    const size: WireSize = { rows, cols };
    const plan = startPlan(command, options, { tty: true, streamStdin: true, size }, options.detachable);
    return this.#terminalOf(plan, command, options);
  }

  /**
   * Attaches to a detachable command. Its output begins with what the server has kept; what it has dropped before is a gap ({@link Run.onGap}).
   * @param key the {@link Run.key} of the command
   * @returns the same kind of object as {@link Box.exec}. Rejects with {@link RpcError} `keyNotFound` for an unknown key
   */
  attach<E extends Encoding = 'utf8'>(key: string, options: AttachOptions<E> = {}): Run<CapturedAs<E>> {
    return this.#run<E>(attachPlan(key, options, false), [], options);
  }

  /**
   * Attaches to a detachable terminal. Its output begins with a picture of the screen, unless `from` or `screen: false` is given.
   * @param key the {@link Terminal.key} of the terminal
   */
  attachTerminal(key: string, options: AttachTerminalOptions = {}): Terminal {
    const { rows, cols, from } = options;
    const size = rows === undefined || cols === undefined ? undefined : { rows, cols };
    const plan = attachPlan(key, options, options.screen ?? from === undefined, size);
    return this.#terminalOf(plan, [], options);
  }

  /** A live shell whose directory and variables persist. It starts with the first line. */
  shell(options: ShellOptions = {}): Shell {
    const { shell, maxBuffer, detachable, ...rest } = options;
    const opened: Shell = new Shell({
      platform: this.#links.platform,
      kind: shell,
      bounds: defaults.captureBounds(maxBuffer, false),
      start: (command) => {
        const plan = startPlan(command, rest, { streamStdin: true }, detachable);
        const run: Run = new Run(this.#links, plan, this.#runSettings(command, { ...rest, buffer: false }, 'noEnd'));
        const forget = (): boolean => this.#shells.delete(run);
        this.#shells.set(run, opened);
        run.then(forget, forget);
        return run;
      },
    });
    return opened;
  }

  /** Lists running and kept commands: by default all that this credential started; on servers without scopes those of this connection. @throws {RpcError | UnknownOutcomeError} */
  async list(params: ListParams = {}): Promise<ListedCommand[]> {
    const { commands } = await askServer(
      this.#links,
      (session) => session.request('command/exec/list', { scope: 'principal', ...params }),
      { isRepeatable: true },
    );
    return commands;
  }

  /**
   * Ends a detachable command, or signals it, as {@link Run.kill} does. Does nothing if the command has ended.
   * @param key the {@link Run.key} of the command
   * @param signal default `SIGTERM`
   * @throws {RpcError} `keyNotFound`
   */
  async kill(key: string, signal = 'SIGTERM'): Promise<void> {
    await this.#visit(key, false, (run) => run.kill(signal));
  }

  /** Makes the server forget an ended command and its output. @throws {RpcError} `stillRunning`, `keyNotFound` */
  async forget(key: string): Promise<void> {
    await askServer(this.#links, (session) => session.request('command/exec/forget', { key }), { key });
  }

  /**
   * Sends any request of the protocol. Sends it again only if the server certainly did nothing.
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
    return this.#links.listenersTo(method).add(listener as (params: unknown) => void);
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

  /**
   * Calls back when a connection breaks, comes back, is given up, drains or is closed.
   * @param listener gets the `state`, and beside it what {@link BoxStatus} has for that state: `code` and `reason` of `away`, `error` of `offline`
   * @returns takes the listener away
   *
   * @example
   * const other = await connect('ws://127.0.0.1:4500');
   * other.onStatus((status) => {
   *   if (status.state === 'away') console.log(`the connection broke with ${status.code} ${status.reason}`);
   *   else if (status.state === 'offline') console.log(`gave up: ${status.error.message}`);
   *   else console.log(status.state); // closed
   * });
   * await other.close();
   */
  onStatus(listener: (status: BoxStatus) => void): () => void {
    return this.#links.statusListeners.add(listener);
  }

  /**
   * Ends all shells of {@link Box.shell}, and then all connections. Ordinary commands end with them; detachable ones, which terminals are by default, go on for their
   * `ttl`. The promises of both reject.
   */
  close(): Promise<void> {
    return this.#links.close(Promise.all([...this.#shells.values()].map((shell) => shell.close().catch(() => {}))));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #run<E extends Encoding>(
    plan: CommandPlan,
    command: readonly string[],
    options: AttachOptions<E>,
  ): Run<CapturedAs<E>> {
    const settings = this.#runSettings(command, options, options.reject === false ? 'nothing' : 'failure');
    return new Run<CapturedAs<E>>(this.#links, plan, settings);
  }

  #terminalOf(
    plan: CommandPlan,
    command: readonly string[],
    options: RunOptions & Pick<TerminalOptions, 'redraw'>,
  ): Terminal {
    const screenOf: TerminalSettings['screenOf'] = async ({ started }) => {
      const { key } = await started;
      if (key === undefined) throw new Error('Only a detachable terminal has a screen');
      return this.#visit(key, true, async (visitor) => {
        for await (const screen of visitor.stdout) return new TextDecoder().decode(screen);
        return '';
      });
    };
    const settings = { ...this.#runSettings(command, options, 'noEnd', true), screenOf };
    return new Terminal(this.#links, { ...plan, redraws: options.redraw }, settings);
  }

  /** Attaches to a command as an observer, does one thing, and detaches. */
  async #visit<T>(key: string, screen: boolean, action: (visitor: Run) => Promise<T>): Promise<T> {
    // The smallest window, because the output is not read.
    const plan = attachPlan(key, { role: 'observer', window: 1 }, screen);
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
    const capture = options.buffer === false ? undefined : defaults.captureBounds(options.maxBuffer, isTerminal);
    return { ...options, command: [...command], throwsOn, capture };
  }
}
