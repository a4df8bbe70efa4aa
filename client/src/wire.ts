/**
 * The messages of the wire as the client writes and reads them. `docs/protocol.md` says what they mean. Imports
 * only types of the client, so that the package's types stand alone.
 */
import type { SandboxPolicy } from './sandbox-policy.js';

/** Window size of a terminal in character cells. */
export interface WireSize {
  readonly rows: number;
  readonly cols: number;
}

/**
 * Name of an output stream; a terminal has `stdout` only.
 *
 * @example
 * import type { StreamName } from 'execwire-client';
 * const stream: StreamName = 'stderr';
 * for await (const line of box.exec(['sh', '-c', 'echo oops >&2']).lines(stream)) console.log(line); // oops
 */
export type StreamName = 'stdout' | 'stderr';

/** A position in each stream, counted in bytes from the start of the command. */
export type Offsets = { readonly [S in StreamName]?: number | undefined };

/**
 * What a server keeps of a stream: the first byte it still has, and the one that comes next.
 *
 * @example
 * import type { StreamRange } from 'execwire-client';
 * const run = box.exec(['printf', 'abc'], { detachable: true });
 * await run;
 * const row = (await box.list()).find(({ key }) => key === run.key);
 * const kept: StreamRange | undefined = row?.stdout;
 * console.log(kept?.oldest); // 0
 */
export interface StreamRange {
  readonly oldest: number;
  readonly next: number;
}

/** Most bytes per stream that may be under way unacknowledged. */
export interface WireWindow {
  readonly bytes: number;
}

/**
 * A W3C trace context as a request carries it.
 *
 * @example
 * import type { TraceCarrier } from 'execwire-client';
 * const trace: TraceCarrier = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
 * await using traced = await connect('ws://127.0.0.1:4500', { traceContext: () => trace });
 */
export interface TraceCarrier {
  readonly traceparent: string;
  readonly tracestate?: string;
}

export interface InitializeParams {
  readonly clientInfo: { readonly name: string; readonly version: string; readonly title?: string };
  readonly capabilities?: {
    readonly experimentalApi?: boolean;
    readonly optOutNotificationMethods?: string[];
    readonly heartbeatMs?: number | undefined;
  };
}

/** Everything is optional: other servers speak this protocol too. */
export interface InitializeResult {
  readonly userAgent?: string;
  readonly serverInfo?: { readonly name: string; readonly version: string };
  readonly connectionId?: string;
  /** Names the running instance of the server; a restart has another one. */
  readonly serverId?: string;
  readonly limits?: Limits;
}

/** What a server enforces of a sandbox policy. */
export interface SandboxLimits {
  /** Version of Landlock there; 0: no policy can be enforced. */
  readonly landlockAbi: number;
  /** What enforces that a command has no network. */
  readonly network: 'seccomp' | 'none';
  /** What policies promise elsewhere and not there. */
  readonly notEnforced: readonly string[];
}

/** A server's bounds by the names of their flags, such as `maxFrameBytes`; a name that it does not have is undefined. */
export type Limits = { readonly sandbox?: SandboxLimits } & {
  readonly [bound in `max${string}`]?: number;
} & { readonly [other: string]: unknown };

/** Of params, what is undefined is not sent. */
export interface DetachableParams {
  readonly key: string;
  readonly ttlMs?: number | undefined;
  readonly replayBytes?: number | undefined;
  readonly whenFull?: 'drop' | 'pause' | undefined;
}

export interface ExecParams {
  readonly command: string[];
  readonly processId?: string | undefined;
  readonly tty?: boolean | undefined;
  readonly streamStdin?: boolean | undefined;
  readonly streamStdoutStderr?: boolean | undefined;
  readonly outputBytesCap?: number | undefined;
  readonly disableOutputCap?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  readonly disableTimeout?: boolean | undefined;
  readonly cwd?: string | undefined;
  readonly env?: Record<string, string | null> | undefined;
  readonly sandboxPolicy?: SandboxPolicy | undefined;
  readonly size?: WireSize | undefined;
  readonly detachable?: DetachableParams | undefined;
  readonly window?: WireWindow | undefined;
}

export interface AttachParams {
  readonly processId: string;
  readonly key: string;
  readonly from?: Offsets | undefined;
  readonly role?: 'writer' | 'observer' | undefined;
  readonly takeover?: boolean | undefined;
  readonly screen?: boolean | undefined;
  readonly size?: WireSize | undefined;
  readonly window?: WireWindow | undefined;
}

/** The reply to `command/exec` and to `command/exec/attach`. */
export interface ExecReply {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly signal?: string | null;
  readonly timedOut?: boolean;
  readonly truncated?: { readonly stdout: boolean; readonly stderr: boolean };
  readonly durationMs?: number;
  readonly cause?: string;
}

export interface WriteParams {
  readonly processId: string;
  readonly deltaBase64?: string | undefined;
  readonly closeStdin?: boolean | undefined;
  readonly offset?: number | undefined;
}

export interface WriteReply {
  readonly accepted?: number;
}

/**
 * One row of `command/exec/list`.
 *
 * @example
 * import type { ListedCommand } from 'execwire-client';
 * const run = box.exec(['cat'], { stdin: 'pipe' });
 * const { pid } = await run.started;
 * const rows: ListedCommand[] = await box.list({ details: true });
 * console.log(rows.find((row) => row.pid === pid)?.command); // [ 'cat' ]
 * await run.end();
 */
export interface ListedCommand {
  /** Name of the command on this connection, or null. */
  readonly processId: string | null;
  /** Number of the process on the server's machine; null while it is being started. */
  readonly pid: number | null;
  readonly tty: boolean;
  readonly state: 'starting' | 'running' | 'exiting' | 'detached' | 'ended';
  /** Start, in milliseconds since 1970. */
  readonly startedAtMs: number;
  /** Name of a detachable command; null for others. */
  readonly key?: string | null;
  /** Role of this connection; null when it is not attached. */
  readonly role?: 'writer' | 'observer' | null;
  /** Number of attachments of all connections. */
  readonly attachments?: number;
  readonly stdout?: StreamRange;
  readonly stderr?: StreamRange;
  /** When it is ended or forgotten, in milliseconds since 1970; null while a client is attached. */
  readonly expiresAtMs?: number | null;
  readonly exitCode?: number | null;
  readonly command?: string[];
  readonly cwd?: string | null;
  /** Milliseconds of processor time of the whole tree. */
  readonly cpuMs?: number | null;
  /** Resident bytes of the whole tree. */
  readonly rssBytes?: number | null;
  readonly bytesIn?: number;
  readonly bytesOut?: number;
  readonly dialect?: string;
  readonly metadata?: Readonly<Record<string, string>> | null;
}

/**
 * What to list. `scope`: commands of this connection, or of all connections with this credential; `details`: with arguments and figures.
 *
 * @example
 * import type { ListParams } from 'execwire-client';
 * const params: ListParams = { scope: 'connection', details: true };
 * console.log(await box.list(params)); // []
 */
export interface ListParams {
  readonly scope?: 'connection' | 'principal';
  readonly details?: boolean;
}

/** About one command of the connection. */
export interface Named {
  readonly processId: string;
}

/**
 * Requests of the client, by method.
 *
 * @example
 * import type { Requests } from 'execwire-client';
 * const params: Requests['command/exec']['params'] = { command: ['echo', 'hello'] };
 * const { exitCode, stdout } = await box.request('command/exec', params);
 * console.log(exitCode, JSON.stringify(stdout)); // 0 "hello\n"
 */
export interface Requests {
  initialize: { params: InitializeParams; result: InitializeResult };
  'command/exec': { params: ExecParams; result: ExecReply };
  'command/exec/attach': { params: AttachParams; result: ExecReply };
  'command/exec/write': { params: WriteParams; result: WriteReply };
  'command/exec/resize': { params: Named & { readonly size: WireSize }; result: object };
  'command/exec/terminate': {
    params: Named & { readonly signal?: string; readonly graceMs?: number };
    result: object;
  };
  'command/exec/signal': { params: Named & { readonly signal: string }; result: object };
  'command/exec/detach': { params: Named; result: object };
  'command/exec/list': { params: ListParams; result: { readonly commands: ListedCommand[] } };
  'command/exec/forget': { params: { readonly key: string }; result: object };
}

/**
 * Notifications of the server, by method.
 *
 * @example
 * import type { Notifications } from 'execwire-client';
 * const stop = box.on('server/draining', ({ deadlineMs }: Notifications['server/draining']) => console.log(deadlineMs));
 * stop();
 */
export interface Notifications {
  'command/exec/outputDelta': Named & {
    readonly stream: StreamName;
    readonly deltaBase64: string;
    readonly capReached: boolean;
    readonly offset?: number;
  };
  'command/exec/attached': Named & {
    readonly key: string;
    readonly pid: number | null;
    readonly startedAtMs: number;
    readonly role: 'writer' | 'observer';
    readonly resumed: boolean;
    readonly stdout: StreamRange;
    readonly stderr: StreamRange;
    readonly stdinAccepted: number;
    readonly replayBytes?: number;
  };
  'command/exec/gap': Named & { readonly stream: StreamName; readonly from: number; readonly to: number };
  'command/exec/screen': Named & {
    readonly offset: number;
    readonly size: WireSize;
    readonly deltaBase64: string;
    readonly alternate: boolean;
    readonly title?: string | null;
    readonly complete?: boolean;
  };
  'command/exec/detached': Named & { readonly reason: 'takeover' | 'requested' | 'fellBehind' };
  'server/draining': { readonly deadlineMs: number };
  'server/heartbeat': object;
  'server/authExpiring': { readonly expiresInMs: number };
}

/**
 * Names of the requests whose types are known.
 *
 * @example
 * import type { RequestName } from 'execwire-client';
 * const name: RequestName = 'command/exec/list';
 * console.log((await box.request(name, { scope: 'connection' })).commands); // []
 */
export type RequestName = keyof Requests;

/**
 * Names of the notifications whose types are known.
 *
 * @example
 * import type { NotificationName } from 'execwire-client';
 * const name: NotificationName = 'server/authExpiring';
 * const stop = box.on(name, ({ expiresInMs }) => console.log(`a new token is needed within ${expiresInMs} ms`));
 * stop();
 */
export type NotificationName = keyof Notifications;
