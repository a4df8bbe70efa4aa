/** Methods and notifications of `command/exec`. */
import * as z from 'zod';
import { commandKey, detachable, keptRange, outputWindow, role } from './attach.js';
import { stringMap, strings, wholeNumber } from './bounded-values.js';
import { empty, processId, signalName, terminalSize } from './fields.js';
import type { MethodDefinition } from './method-definition.js';

/** Most elements of `command`: as many one-byte arguments as fit into a message of usual length. */
export const MAX_ARGUMENTS = 131_072;
/** Most variables of `env`: far more than programs use, and few enough to be checked within a turn of the event loop. */
export const MAX_VARIABLES = 10_000;
/** Most roots of a sandbox: each costs a rule, and on some hosts a mount. */
const MAX_ROOTS = 64;

const sandboxPolicy = z.object({
  type: z
    .string()
    .describe(
      '`readOnly`, `workspaceWrite`, `externalSandbox` (enforced outside of this server) or `dangerFullAccess` (nothing is enforced).',
    ),
  networkAccess: z
    .union([z.boolean(), z.enum(['restricted', 'enabled'])])
    .nullish()
    .describe(
      'Whether the command has a network; `restricted` or `enabled` for `externalSandbox`. Default: it has none.',
    ),
  writableRoots: strings(MAX_ROOTS)
    .nullish()
    .describe(
      "Of `workspaceWrite`: absolute paths, at most 64, that may be written beside the server's folder. One that is missing is left out.",
    ),
  excludeTmpdirEnvVar: z.boolean().nullish().describe('Of `workspaceWrite`: the folder of TMPDIR is not writable.'),
  excludeSlashTmp: z.boolean().nullish().describe('Of `workspaceWrite`: /tmp is not writable.'),
});

const execParams = z.object({
  command: strings(MAX_ARGUMENTS).describe('Program and arguments, at most 131072. Nothing is passed through a shell.'),
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
  outputBytesCap: wholeNumber().min(0).nullish().describe('Most bytes captured or sent per stream. Default 1048576.'),
  disableOutputCap: z.boolean().nullish().describe('No cap. Not with `outputBytesCap`.'),
  timeoutMs: wholeNumber().nullish().describe('Milliseconds until the command is killed, 0 or more. Default 10000.'),
  disableTimeout: z.boolean().nullish().describe('Runs until it exits or is terminated. Not with `timeoutMs`.'),
  cwd: z
    .string()
    .nullish()
    .describe("Working directory; relative paths resolve against the server's. Default: the server's."),
  env: stringMap(MAX_VARIABLES)
    .nullish()
    .describe('Merged over the inherited environment, at most 10000 variables; null unsets a variable.'),
  size: terminalSize.nullish().describe('First size of the terminal; only with `tty`. Default 24 rows, 80 columns.'),
  sandboxPolicy: sandboxPolicy
    .nullish()
    .describe(
      'What the command may write and reach. Default: everything that the server may, or what `--sandbox-default` says.',
    ),
  permissionProfile: z
    .unknown()
    .optional()
    .describe('Experimental in the reference; refused here: use `sandboxPolicy`.'),
  detachable: detachable
    .nullish()
    .describe('Experimental. The command outlives its connection and can be attached to by its key.'),
  window: outputWindow
    .nullish()
    .describe('Experimental. Flow by acknowledgement: the client sends `command/exec/ack`. Default: none.'),
});

/** What was enforced, where it is more than the request asked for. */
export const enforcedSandbox = z
  .object({
    type: z.string().describe('`readOnly` or `workspaceWrite`.'),
    networkAccess: z.boolean().describe('Whether the command had a network.'),
  })
  .describe("What was enforced, where the operator's `--sandbox-minimum` asks for more than the request.");

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
  sandbox: enforcedSandbox.optional(),
});

const runningCommand = z.object({
  processId: processId
    .nullable()
    .describe("This connection's name for it; null if it has none or does not view the command."),
  pid: z.number().int().nullable().describe("The kernel's number of the process; null while it is being started."),
  tty: z.boolean().describe('Whether it has a terminal.'),
  state: z
    .enum(['starting', 'running', 'exiting', 'detached', 'ended'])
    .describe(
      '`exiting`: the process ended and output is still being delivered; `detached`: it runs with nobody attached; `ended`: its result and its last output are kept.',
    ),
  startedAtMs: z.number().describe('Start, in milliseconds since 1970.'),
  key: commandKey.nullable().describe('Key of a detachable command, or null.'),
  role: role.nullable().describe("This connection's role; null if it does not view the command."),
  attachments: z.number().int().describe('Number of its views, of all connections.'),
  stdout: keptRange,
  stderr: keptRange,
  expiresAtMs: z
    .number()
    .nullable()
    .describe('When a detachable command will be ended or forgotten, in milliseconds since 1970; null while attached.'),
  exitCode: z.number().int().optional().describe('Only of an ended command.'),
  command: z.array(z.string()).optional().describe('With `details`: program and arguments.'),
  cwd: z.string().optional().describe('With `details`: working directory.'),
  cpuMs: z
    .number()
    .nullish()
    .describe('With `details`: processor time of the command and its descendants; null where it cannot be read.'),
  rssBytes: z.number().nullish().describe('With `details`: resident memory of the same processes, likewise.'),
  bytesIn: z.number().optional().describe('With `details`: bytes of input that the process has taken.'),
  bytesOut: z.number().optional().describe('With `details`: bytes of output of all streams.'),
  dialect: z
    .string()
    .optional()
    .describe('With `details`: the protocol it was started by, `command/exec`, `process/spawn` or `exec-server`.'),
  metadata: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe('With `details`: the description that its starter gave, or null.'),
});

/** Requests about commands. */
export const commandExecMethods = {
  'command/exec': {
    action: 'exec',
    params: execParams,
    result: execResult,
    description: 'Runs a command. The reply comes when it has ended and its output is complete.',
    experimentalParams: ['permissionProfile', 'detachable', 'window'],
    startsWork: (params) => params.detachable == null,
  },
  'command/exec/write': {
    action: 'exec',
    params: z.object({
      processId,
      deltaBase64: z.string().nullish().describe('Bytes for stdin in strict standard base64.'),
      closeStdin: z
        .boolean()
        .nullish()
        .describe('End of input behind these bytes; on a terminal it types end-of-file.'),
      offset: z
        .number()
        .int()
        .min(0)
        .nullish()
        .describe(
          'Experimental, detachable commands only. Position of the first byte in all input: what was accepted before is skipped.',
        ),
    }),
    result: z.object({
      accepted: z
        .number()
        .optional()
        .describe('Detachable commands: position behind the last byte of input that was accepted.'),
    }),
    description: 'Feeds stdin. Answered once the bytes are accepted, in order.',
    experimentalParams: ['offset'],
    maxBytes: Number.POSITIVE_INFINITY,
  },
  'command/exec/resize': {
    action: 'exec',
    params: z.object({ processId, size: terminalSize.describe('The new size.') }),
    result: empty,
    description: 'Sets the size of a terminal; the program gets SIGWINCH.',
    servedWhenFull: true,
  },
  'command/exec/terminate': {
    action: 'exec',
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
    action: 'exec',
    params: z.object({ processId, signal: signalName }),
    result: empty,
    description: "Sends one signal to the command's process group.",
    experimental: true,
    servedWhenFull: true,
  },
  'command/exec/list': {
    action: 'observe',
    params: z
      .object({
        scope: z
          .enum(['connection', 'principal'])
          .nullish()
          .describe('`principal`: also commands of other connections of the same principal. Default `connection`.'),
        details: z.boolean().nullish().describe('Adds what each command is and what it uses. Default false.'),
      })
      .nullish(),
    result: z.object({ commands: z.array(runningCommand).describe('In the order of their start.') }),
    description: 'The commands of this connection, or of its principal.',
    experimental: true,
    servedWhenFull: true,
  },
} as const satisfies Record<string, MethodDefinition>;

/** Notifications of the server about commands. */
export const commandExecServerNotifications = {
  'command/exec/outputDelta': {
    params: z.object({
      processId,
      stream: z.enum(['stdout', 'stderr']).describe("A terminal's output is `stdout`."),
      deltaBase64: z.string().describe('Output bytes in standard base64.'),
      capReached: z.boolean().describe('True on the last delta of a stream that reached its cap, and only there.'),
      offset: z
        .number()
        .optional()
        .describe('Detachable and windowed commands: position of the first byte in its stream.'),
    }),
    description: 'Output of a streaming command, in order, before its reply.',
  },
} as const;
