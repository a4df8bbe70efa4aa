/** The options of connections and commands, with their defaults. Knows no behaviour. */
import type { AbortSignalLike } from './abort-signal.js';
import type { Input } from './input-source.js';
import type { SandboxPolicy } from './sandbox-policy.js';
import type { TraceSource } from './trace.js';
import type { Transport, TransportRequest } from './transport.js';
import type { WebSocketLike } from './websocket-transport.js';
import type { NotificationName, Notifications } from './wire.js';

/**
 * How a box connects again after its connection broke.
 *
 * @example
 * import type { ReconnectOptions } from 'execwire-client';
 * const reconnect: ReconnectOptions = { maxMs: 600_000 };
 * await using patient = await connect('ws://127.0.0.1:4500', { reconnect });
 */
export interface ReconnectOptions {
  /** Milliseconds of trying before it gives up. The next request then tries again. Default 60000. */
  readonly maxMs?: number;
}

/**
 * How to connect. All times are milliseconds.
 *
 * @example
 * import type { ConnectOptions } from 'execwire-client';
 * const options: ConnectOptions = { name: 'my-agent', connectTimeout: 5_000, reconnect: { maxMs: 120_000 } };
 * await using other = await connect('ws://127.0.0.1:4500', options);
 */
export interface ConnectOptions {
  /** Credential, or a function that gives a fresh one for each connection. Default: none. */
  readonly token?: string | (() => string | Promise<string>);
  /** Name of the program, for the server's log. Default `execwire-client`. */
  readonly name?: string;
  /** Version of the program, for the server's log. Default that of this package. */
  readonly version?: string;
  /** Time to open a connection and to get the first answer. `connect` rejects after it. Default 10000. */
  readonly connectTimeout?: number;
  /** Time for the answer to a request that is no command. Default 30000. */
  readonly requestTimeout?: number;
  /** Time for the server to answer when the box is closed. Default 2000. */
  readonly closeTimeout?: number;
  /** How to connect again after a break; false: not at all. Default `{ maxMs: 60000 }`. */
  readonly reconnect?: boolean | ReconnectOptions;
  /** Interval of the server's heartbeats, 100 to 3600000; when nothing has come for three of them, the connection counts as broken. 0: no heartbeats. Default 15000. */
  readonly heartbeat?: number;
  /** A key of {@link Run.key}: connects to the server that has this command, where a balancer stands before several. Default: any server. */
  readonly key?: string;
  /** Is called with what happens to the connections, as the listener of {@link Box.onStatus}, which adds more. Default: none. */
  readonly onStatus?: (status: BoxStatus) => void;
  /** Listeners that are added before the first notification can come; {@link Box.on} adds more. Default: none. */
  readonly notifications?: { readonly [N in NotificationName]?: (params: Notifications[N]) => void };
  /** Is called with what the program's listeners throw or reject with; no connection breaks by it. What it throws itself goes to `console.error`. Default: `console.error`. */
  readonly onError?: (error: unknown) => void;
  /** Trace context of each request. Default: in Node the active one of the program's OpenTelemetry, where it has registered one; none in browsers. */
  readonly traceContext?: TraceSource;
  /** Makes the socket, for certificates, proxies or headers. Default: `ws` in Node, the global `WebSocket` elsewhere. */
  readonly openSocket?: (url: string, protocols: string[]) => WebSocketLike;
  /** Opens something that is no WebSocket at all. Default: none. */
  readonly openTransport?: (request: TransportRequest) => Promise<Transport>;
}

/**
 * What happens to the connections of a box: `online` when there is one, `away` while the box tries to connect again, `offline` when it gave up (the
 * next request tries again), `draining` when the server takes no new work, `closed` at the end.
 *
 * @example
 * import type { BoxStatus } from 'execwire-client';
 * const stop = box.onStatus((status: BoxStatus) => console.log(status.state));
 * stop();
 */
export type BoxStatus =
  | { readonly state: 'online'; readonly isReturn: boolean; readonly serverId: string | undefined }
  | { readonly state: 'away'; readonly code: number; readonly reason: string }
  | { readonly state: 'offline'; readonly error: Error }
  | { readonly state: 'draining' }
  | { readonly state: 'closed' };

/**
 * Size of a terminal in character cells.
 *
 * @example
 * import type { TerminalSize } from 'execwire-client';
 * const size: TerminalSize = { cols: 120, rows: 40 };
 * const term = box.terminal(['sh'], size);
 * await term.resize({ cols: 100, rows: 30 });
 * await term.kill('SIGKILL');
 */
export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/**
 * How a command outlives its connections.
 *
 * @example
 * import type { DetachableOptions } from 'execwire-client';
 * const detachable: DetachableOptions = { ttl: 600_000, whenFull: 'drop' };
 * const job = box.exec(['sleep', '0.1'], { detachable });
 * console.log((await job).exitCode); // 0
 */
export interface DetachableOptions {
  /** Its name; 16 to 128 of `A-Za-z0-9._~-`. Default: a random one, which also leads balancers to its server. */
  readonly key?: string;
  /** Milliseconds that it lives while no client is attached, and that the server keeps its result. Default 60000. */
  readonly ttl?: number;
  /** Bytes of output per stream that the server keeps for the next attachment. Default 1 MiB, or less if the server allows less. */
  readonly replayBytes?: number;
  /** While no client is attached and the room is full: `pause` makes the command wait, so that no byte is lost; `drop` lets it run and forgets the oldest output. Default `pause`. */
  readonly whenFull?: 'pause' | 'drop';
}

/**
 * Both ends of long output, in bytes.
 *
 * @example
 * import type { HeadAndTail } from 'execwire-client';
 * const maxBuffer: HeadAndTail = { head: 2, tail: 3 };
 * const { stdout, truncated } = await box.exec(['printf', '0123456789'], { maxBuffer });
 * console.log(stdout, truncated.stdout); // 01, then [… 5 bytes left out …], then 789 5
 */
export interface HeadAndTail {
  /** From the start. Default 0. */
  readonly head?: number;
  /** From the end. Default 0. */
  readonly tail?: number;
}

/**
 * Options that all commands have. Times are milliseconds.
 *
 * @example
 * import type { CommonOptions } from 'execwire-client';
 * const options: CommonOptions = { cwd: '/', env: { LANG: 'C', HOME: null }, timeout: 60_000 };
 * console.log((await box.exec(['sh', '-c', 'echo $PWD $LANG $HOME'], options)).stdout); // / C
 * await using shell = box.shell({ cwd: '/', env: { LANG: 'C' } });
 * console.log((await shell.run('echo $PWD $LANG')).output); // / C
 */
export interface CommonOptions {
  /** Working directory. Default: the server's. */
  readonly cwd?: string;
  /** Merged over the environment there; null takes a variable away. Default: nothing. */
  readonly env?: Readonly<Record<string, string | null>>;
  /** The server kills the command after so long; 0 for never. Default: never. */
  readonly timeout?: number;
  /** Ends the command with SIGTERM, and SIGKILL after `forceKillAfter`; an observer only detaches. Default: none. */
  readonly signal?: AbortSignalLike;
  /** Time between SIGTERM and SIGKILL, at most 3600000. Default 5000. */
  readonly forceKillAfter?: number;
  /** Bytes of output per stream kept for the result: from the start, or from both ends. Default 100 MB; for terminals 64 KiB and the last 1 MiB. */
  readonly maxBuffer?: number | HeadAndTail;
  /** Bytes of output per stream that may wait in this client for a reader; at more the command is slowed. At least 1. Default 1 MiB. */
  readonly window?: number;
  /** What the command may write and reach. Default: all that the server may, or what its operator says. */
  readonly sandboxPolicy?: SandboxPolicy;
}

/**
 * How captured output is given.
 *
 * @example
 * import type { Encoding } from 'execwire-client';
 * const encoding = 'bytes' satisfies Encoding;
 * const { stdout } = await box.exec(['printf', 'ab'], { encoding });
 * console.log(stdout.length, stdout[0]); // 2 97
 */
export type Encoding = 'utf8' | 'bytes';

/**
 * How to run a command.
 *
 * @example
 * import type { ExecOptions } from 'execwire-client';
 * const options: ExecOptions = { cwd: '/', env: { NAME: 'value' }, timeout: 5_000 };
 * const { stdout } = await box.exec(['sh', '-c', 'pwd; echo $NAME'], options);
 * console.log(stdout.split('\n')); // [ '/', 'value' ]
 */
export interface ExecOptions<E extends Encoding = 'utf8'> extends CommonOptions {
  /** What the command reads; its input ends behind it, unless `stdin` is `pipe`. If it throws, the command is terminated. Default: nothing, the end at once. */
  readonly input?: Input;
  /** `pipe` keeps the input open for {@link Run.write}, also behind `input`, until {@link Run.end}. Default `ignore`. */
  readonly stdin?: 'pipe' | 'ignore';
  /** Whether output is kept for the result. If not, it waits for the first reader. Default true. */
  readonly buffer?: boolean;
  /** Captured output as text or as `Uint8Array`. Default `utf8`. */
  readonly encoding?: E;
  /** Whether the result has both streams together, too. Default false. */
  readonly all?: boolean;
  /** Takes one newline off the end of captured text. Default true. */
  readonly stripFinalNewline?: boolean;
  /** Whether a failure rejects. If not, every end gives a result, and only a refusal of the server rejects. Default true. */
  readonly reject?: boolean;
  /** Whether it outlives its connections. Default false. */
  readonly detachable?: boolean | DetachableOptions;
}

/**
 * How to open a terminal.
 *
 * @example
 * import type { TerminalOptions } from 'execwire-client';
 * const options: TerminalOptions = { cols: 80, rows: 24, env: { PS1: '$ ' } };
 * const term = box.terminal(['sh'], options);
 * await term.waitFor('$ ');
 * await term.kill('SIGKILL');
 */
export interface TerminalOptions extends CommonOptions, Partial<TerminalSize> {
  /** Whether it outlives its connections, for 60 s by default. It is an ordinary one if the server does not support that. Default true. */
  readonly detachable?: boolean | DetachableOptions;
  /** Whether a picture of the screen comes after a break in place of the output that was missed. Default false. */
  readonly redraw?: boolean;
}

/**
 * How to attach to a command that runs, or has ended and is kept.
 *
 * @example
 * import type { AttachOptions } from 'execwire-client';
 * const job = box.exec(['sh', '-c', 'echo kept; sleep 0.1'], { detachable: true });
 * const { key } = await job.started;
 * const options: AttachOptions = { role: 'observer' };
 * if (key !== undefined) console.log((await box.attach(key, options)).stdout); // kept
 */
export interface AttachOptions<E extends Encoding = 'utf8'>
  extends Omit<ExecOptions<E>, 'cwd' | 'env' | 'timeout' | 'detachable' | 'input' | 'stdin' | 'sandboxPolicy'> {
  /** Positions in bytes at which the output begins. Default: the oldest that is kept. */
  readonly from?: { readonly stdout?: number; readonly stderr?: number };
  /** `observer` only watches: its `signal` detaches it. An explicit `kill` still ends the command. Default `writer`. */
  readonly role?: 'writer' | 'observer';
  /** Whether to replace another writer, who is then detached. Default true. */
  readonly takeover?: boolean;
}

/**
 * How to attach to a terminal.
 *
 * @example
 * import type { AttachTerminalOptions } from 'execwire-client';
 * const term = box.terminal(['sh'], { env: { PS1: '$ ' } });
 * await term.waitFor('$ ');
 * const options: AttachTerminalOptions = { role: 'observer' };
 * const watching = box.attachTerminal(term.key ?? '', options);
 * console.log((await watching.waitFor('$')).match); // $
 * await term.kill('SIGKILL');
 */
export interface AttachTerminalOptions
  extends Omit<TerminalOptions, 'cwd' | 'env' | 'timeout' | 'detachable' | 'sandboxPolicy'>,
    Pick<AttachOptions, 'from' | 'role' | 'takeover'> {
  /** Whether the output begins with a picture of the screen, and not with old output. Default true, unless `from` is given. */
  readonly screen?: boolean;
}

/**
 * How to open a shell.
 *
 * @example
 * import type { ShellOptions } from 'execwire-client';
 * const options: ShellOptions = { shell: 'sh', cwd: '/' };
 * await using shell = box.shell(options);
 * console.log((await shell.run('pwd')).output); // /
 */
export interface ShellOptions extends Pick<CommonOptions, 'cwd' | 'env' | 'window' | 'maxBuffer' | 'sandboxPolicy'> {
  /** Which shell. Default `bash`, or `sh` if there is no bash. */
  readonly shell?: 'bash' | 'sh';
  /** Whether it outlives its connections, for 60 s by default. It is an ordinary command if the server does not support that. Default true. */
  readonly detachable?: boolean | DetachableOptions;
}
