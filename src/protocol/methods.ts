/**
 * What is on the wire: a zod schema for the params and the result of every method and notification, in one table each.
 * `docs/protocol.md` and the client's types are made from it. Knows nothing of how a method is served.
 */
import * as z from 'zod';

/** Most rows or columns a terminal can have: the kernel keeps them in 16 bits. */
const MAX_CELLS = 65_535;

const processId = z
  .string()
  .describe("The client's name for a running command, unique among this connection's running commands.");

const terminalSize = z
  .object({
    rows: z.number().int().min(0).max(MAX_CELLS).describe('Rows, 1 to 65535.'),
    cols: z.number().int().min(0).max(MAX_CELLS).describe('Columns, 1 to 65535.'),
  })
  .describe('Window size of a terminal in character cells.');

const signalName = z.string().describe('Name of a signal, such as `SIGTERM`.');
const empty = z.object({}).describe('Nothing.');

const initializeParams = z.object({
  clientInfo: z
    .object({
      name: z.string().describe('Name of the client program; a valid HTTP header value.'),
      title: z.string().nullish().describe('Name for people.'),
      version: z.string().describe('Version of the client program.'),
    })
    .describe('Who is calling.'),
  capabilities: z
    .object({
      experimentalApi: z.boolean().nullish().describe('Asks for experimental methods and fields. Default false.'),
      optOutNotificationMethods: z
        .array(z.string())
        .nullish()
        .describe('Exact names of notifications this connection does not want; unknown names are ignored.'),
      heartbeatMs: z
        .number()
        .int()
        .min(100)
        .max(3_600_000)
        .nullish()
        .describe(
          'Asks for a `server/heartbeat` notification every so many milliseconds, 100 to 3600000. Default none.',
        ),
    })
    .nullish()
    .describe('What the client can do and wants.'),
});

const initializeResult = z.object({
  userAgent: z.string().describe('Names the server and the client.'),
  codexHome: z
    .string()
    .describe("The server's home directory, absolute. Clients generated from the reference's schema require it."),
  platformFamily: z.string().describe('`unix`.'),
  platformOs: z.string().describe('`linux` or `macos`.'),
  serverInfo: z
    .object({ name: z.string().describe('`execwire`.'), version: z.string().describe("The server's version.") })
    .describe('Who answers.'),
  connectionId: z.string().describe('Names this connection in logs, traces and metrics.'),
  limits: z.record(z.string(), z.number()).describe("The server's bounds, by the names of their flags in camelCase."),
});

const execParams = z.object({
  command: z.array(z.string()).describe('Program and arguments. Nothing is passed through a shell.'),
  processId: processId
    .nullish()
    .describe('Names the command for write, resize and terminate. Required by `tty` and streaming.'),
  tty: z
    .boolean()
    .nullish()
    .describe('Gives the command a terminal; implies streaming of stdin and output. Default false.'),
  streamStdin: z
    .boolean()
    .nullish()
    .describe('stdin is a pipe fed by `command/exec/write`; otherwise it is /dev/null. Default false.'),
  streamStdoutStderr: z
    .boolean()
    .nullish()
    .describe('Sends output as `command/exec/outputDelta` notifications and not in the reply. Default false.'),
  outputBytesCap: z
    .number()
    .int()
    .min(0)
    .nullish()
    .describe('Most bytes captured or sent per stream. Default 1048576.'),
  disableOutputCap: z.boolean().nullish().describe('No cap. Not with `outputBytesCap`.'),
  timeoutMs: z.number().int().nullish().describe('Milliseconds until the command is killed, 0 or more. Default 10000.'),
  disableTimeout: z.boolean().nullish().describe('Runs until it exits or is terminated. Not with `timeoutMs`.'),
  cwd: z
    .string()
    .nullish()
    .describe("Working directory; relative paths resolve against the server's. Default: the server's."),
  env: z
    .record(z.string(), z.string().nullable())
    .nullish()
    .describe('Merged over the inherited environment; null unsets a variable.'),
  size: terminalSize.nullish().describe('First size of the terminal; only with `tty`. Default 24 rows, 80 columns.'),
  sandboxPolicy: z
    .object({ type: z.string().describe('`dangerFullAccess` or `externalSandbox`.') })
    .nullish()
    .describe('Accepted for compatibility: the container is the sandbox.'),
  permissionProfile: z
    .unknown()
    .optional()
    .describe('Experimental in the reference; refused here: the container is the sandbox.'),
});

const execResult = z.object({
  exitCode: z
    .number()
    .int()
    .describe('Exit code of the process; 128+n when signal n ended it; 124 when the timeout did.'),
  stdout: z.string().describe('Captured standard output as UTF-8 with U+FFFD for invalid bytes; empty when streamed.'),
  stderr: z.string().describe('Captured standard error, likewise.'),
  signal: z.string().nullish().describe('Experimental. Name of the signal that ended the process, or null.'),
  timedOut: z.boolean().optional().describe('Experimental. Whether the timeout ended it.'),
  truncated: z
    .object({
      stdout: z.boolean().describe('Whether a byte of standard output was dropped.'),
      stderr: z.boolean().describe('Whether a byte of standard error was dropped.'),
    })
    .optional()
    .describe('Experimental. Whether a cap dropped output.'),
  durationMs: z.number().optional().describe('Experimental. Milliseconds from start to exit.'),
});

const runningCommand = z.object({
  processId: processId.nullable().describe("The client's name for it, or null."),
  pid: z.number().int().nullable().describe("The kernel's number of the process; null while it is being started."),
  tty: z.boolean().describe('Whether it has a terminal.'),
  state: z
    .enum(['starting', 'running', 'exiting'])
    .describe('`exiting`: the process ended and output is still being delivered.'),
  startedAtMs: z.number().describe('Start, in milliseconds since 1970.'),
});

/** Everything the protocol says of one method. */
export interface MethodDefinition {
  readonly params: z.ZodType;
  readonly result: z.ZodType;
  readonly description: string;
  /** The whole method needs the experimental capability. */
  readonly experimental?: boolean;
  /** Top-level params that need it. */
  readonly experimentalParams?: readonly string[];
  /** Served although the connection is at its bound of requests in flight: it frees things and is answered at once. */
  readonly servedWhenFull?: boolean;
  /** Starts work, and so is refused while the server drains. */
  readonly startsWork?: boolean;
}

/** Requests a client may send. */
export const methods = {
  initialize: {
    params: initializeParams,
    result: initializeResult,
    description: 'First request of every connection.',
  },
  'command/exec': {
    params: execParams,
    result: execResult,
    description: 'Runs a command. The reply comes when it has ended and its output is complete.',
    experimentalParams: ['permissionProfile'],
    startsWork: true,
  },
  'command/exec/write': {
    params: z.object({
      processId,
      deltaBase64: z.string().nullish().describe('Bytes for stdin in strict standard base64.'),
      closeStdin: z
        .boolean()
        .nullish()
        .describe('End of input behind these bytes; on a terminal it types end-of-file.'),
    }),
    result: empty,
    description: 'Feeds stdin. Answered once the bytes are accepted, in order.',
  },
  'command/exec/resize': {
    params: z.object({ processId, size: terminalSize.describe('The new size.') }),
    result: empty,
    description: 'Sets the size of a terminal; the program gets SIGWINCH.',
    servedWhenFull: true,
  },
  'command/exec/terminate': {
    params: z.object({
      processId,
      signal: signalName.nullish().describe('Experimental. First signal when `graceMs` is given. Default `SIGTERM`.'),
      graceMs: z
        .number()
        .int()
        .min(0)
        .max(3_600_000)
        .nullish()
        .describe('Experimental. Milliseconds between the first signal and SIGKILL. Default: SIGKILL at once.'),
    }),
    result: empty,
    description: 'Kills the command and all its descendants; the reply of the command itself follows.',
    experimentalParams: ['signal', 'graceMs'],
    servedWhenFull: true,
  },
  'command/exec/signal': {
    params: z.object({ processId, signal: signalName }),
    result: empty,
    description: "Sends one signal to the command's process group.",
    experimental: true,
    servedWhenFull: true,
  },
  'command/exec/list': {
    params: z.object({}).nullish(),
    result: z.object({ commands: z.array(runningCommand).describe('In the order of their start.') }),
    description: 'The running commands of this connection.',
    experimental: true,
    servedWhenFull: true,
  },
  'rpc.discover': {
    params: z.object({}).nullish(),
    result: z.record(z.string(), z.unknown()).describe('An OpenRPC document.'),
    description: 'Describes the service in OpenRPC.',
    experimental: true,
  },
} as const satisfies Record<string, MethodDefinition>;

/** Notifications a client may send. They are never answered. */
export const clientNotifications = {
  initialized: {
    params: z.object({}).nullish(),
    description: 'The client has read the reply to `initialize`. Needs no action.',
  },
} as const;

/** Notifications the server sends. */
export const serverNotifications = {
  'command/exec/outputDelta': {
    params: z.object({
      processId,
      stream: z.enum(['stdout', 'stderr']).describe("A terminal's output is `stdout`."),
      deltaBase64: z.string().describe('Output bytes in standard base64.'),
      capReached: z.boolean().describe('True on the last delta of a stream that reached its cap, and only there.'),
    }),
    description: 'Output of a streaming command, in order, before its reply.',
  },
  'server/draining': {
    params: z.object({ deadlineMs: z.number().describe('Milliseconds until what still runs is ended.') }),
    description: 'The server is about to leave: finish here, start new work elsewhere.',
  },
  'server/heartbeat': {
    params: z.object({}),
    description: 'Sent at the interval asked for in `initialize`, for balancers that ignore WebSocket pings.',
  },
  'server/authExpiring': {
    params: z.object({ expiresInMs: z.number().describe('Milliseconds until the connection is closed with 1008.') }),
    description: 'The token of this connection is about to expire.',
  },
} as const;

/** Name of a request. */
export type MethodName = keyof typeof methods;
/** Params of a request, as the client writes them. */
export type MethodParams<M extends MethodName> = z.input<(typeof methods)[M]['params']>;
/** Result of a request. */
export type MethodResult<M extends MethodName> = z.output<(typeof methods)[M]['result']>;
/** Name of a notification from the server. */
export type ServerNotificationName = keyof typeof serverNotifications;
/** Params of a notification from the server. */
export type ServerNotificationParams<N extends ServerNotificationName> = z.output<
  (typeof serverNotifications)[N]['params']
>;
