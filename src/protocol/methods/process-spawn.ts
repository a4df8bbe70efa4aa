/** Methods and notifications of `process/*`: a second face of `command/exec`, whose request is answered as soon as the process runs. */
import * as z from 'zod';
import { stringMap, strings, wholeNumber } from './bounded-values.js';
import { enforcedSandbox, MAX_ARGUMENTS, MAX_VARIABLES } from './command-exec.js';
import { empty, processHandle, terminalSize } from './fields.js';
import type { MethodDefinition } from './method-definition.js';

const stream = z.enum(['stdout', 'stderr']).describe("A terminal's output is `stdout`.");

const spawnParams = z.object({
  command: strings(MAX_ARGUMENTS).describe('Program and arguments, at most 131072. Nothing is passed through a shell.'),
  processHandle,
  cwd: z.string().describe('Working directory, absolute.'),
  env: stringMap(MAX_VARIABLES)
    .nullish()
    .describe('Merged over the inherited environment, at most 10000 variables; null unsets a variable.'),
  tty: z
    .boolean()
    .nullish()
    .describe('Gives the process a terminal; implies streaming of stdin and output. Default false.'),
  streamStdin: z
    .boolean()
    .nullish()
    .describe('stdin is a pipe fed by `process/writeStdin`; otherwise it is /dev/null. Default false.'),
  streamStdoutStderr: z
    .boolean()
    .nullish()
    .describe('Sends output as `process/outputDelta` notifications and not in `process/exited`. Default false.'),
  outputBytesCap: wholeNumber()
    .min(0)
    .nullish()
    .describe('Most bytes captured or sent per stream; null: no cap. Default 1048576.'),
  timeoutMs: wholeNumber()
    .nullish()
    .describe('Milliseconds until the process is killed, 0 or more; null: no timeout. Default 10000.'),
  size: terminalSize.nullish().describe('First size of the terminal; only with `tty`. Default 24 rows, 80 columns.'),
});

/** Requests about spawned processes. */
export const processSpawnMethods = {
  'process/spawn': {
    action: 'exec',
    params: spawnParams,
    result: z.object({ sandbox: enforcedSandbox.optional() }),
    description: 'Starts a process. The reply comes when it runs, and before all of its notifications.',
    experimental: true,
    startsWork: () => true,
  },
  'process/writeStdin': {
    action: 'exec',
    params: z.object({
      processHandle,
      deltaBase64: z.string().nullish().describe('Bytes for stdin in strict standard base64.'),
      closeStdin: z
        .boolean()
        .nullish()
        .describe('End of input behind these bytes; on a terminal it types end-of-file.'),
    }),
    result: empty,
    description: 'Feeds stdin. Answered once the bytes are accepted, in order.',
    experimental: true,
    maxBytes: Number.POSITIVE_INFINITY,
  },
  'process/resizePty': {
    action: 'exec',
    params: z.object({ processHandle, size: terminalSize.describe('The new size.') }),
    result: empty,
    description: 'Sets the size of a terminal; the program gets SIGWINCH.',
    experimental: true,
    servedWhenFull: true,
  },
  'process/kill': {
    action: 'exec',
    params: z.object({ processHandle }),
    result: empty,
    description: 'Kills the process and all its descendants; `process/exited` follows.',
    experimental: true,
    servedWhenFull: true,
  },
} as const satisfies Record<string, MethodDefinition>;

/** Notifications of the server about spawned processes. */
export const processSpawnServerNotifications = {
  'process/outputDelta': {
    params: z.object({
      processHandle,
      stream,
      deltaBase64: z.string().describe('Output bytes in standard base64.'),
      capReached: z.boolean().describe('True on the last delta of a stream that reached its cap, and only there.'),
    }),
    description: 'Output of a streaming process, in order, before its `process/exited`.',
  },
  'process/exited': {
    params: z.object({
      processHandle,
      exitCode: z
        .number()
        .int()
        .describe('Exit code of the process; 128+n when signal n ended it; 124 when the timeout did.'),
      stdout: z
        .string()
        .describe('Captured standard output as UTF-8 with U+FFFD for invalid bytes; empty when streamed.'),
      stdoutCapReached: z.boolean().describe('Whether standard output reached its cap, or the server had no room.'),
      stderr: z.string().describe('Captured standard error, likewise.'),
      stderrCapReached: z.boolean().describe('The same of standard error.'),
      outputDrainTimedOut: z
        .boolean()
        .describe('Whether a background process still held the output, so that it was cut.'),
    }),
    description: 'The process has ended and its output is complete. Its handle is free again.',
  },
} as const;
