/** Methods and notifications for coming back to a command: detachable commands, views of them, and how fast output may be sent to a view. */
import * as z from 'zod';
import { empty, processId, terminalSize } from './fields.js';
import type { MethodDefinition } from './method-definition.js';

/** A key consists of characters that need no escape in a URL. */
const KEY = /^[A-Za-z0-9._~-]{16,128}$/;

/** Name of a detachable command among those of its principal. */
export const commandKey = z
  .string()
  .regex(KEY, 'must be 16 to 128 characters of A-Za-z0-9._~-')
  .describe(
    "The client's random name for a detachable command, 16 to 128 of `A-Za-z0-9._~-`. What stands before the first dot is its affinity: balancers hash that.",
  );

const offset = z.number().int().min(0).describe('Position of a byte in its stream, from 0.');
const outputStream = z.enum(['stdout', 'stderr']).describe("A terminal's output is `stdout`.");

/** Flow by acknowledgement. */
export const outputWindow = z
  .object({ bytes: z.number().int().min(1).describe('Bytes of each stream that may be under way unacknowledged.') })
  .describe('Flow by acknowledgement: the client sends `command/exec/ack`.');

/** What makes a command outlive its connection. */
export const detachable = z
  .object({
    key: commandKey,
    ttlMs: z
      .number()
      .int()
      .min(0)
      .nullish()
      .describe(
        'Milliseconds it lives with nobody attached, and is kept after its end. Default 60000; ceiling `--max-detached`.',
      ),
    replayBytes: z
      .number()
      .int()
      .min(0)
      .nullish()
      .describe('Bytes of output kept of each stream. Default 1048576; ceiling `--max-replay-bytes`.'),
    whenFull: z
      .enum(['drop', 'pause'])
      .nullish()
      .describe(
        'With no writer attached: `drop` forgets the oldest bytes; `pause` stops reading before a byte is forgotten that the last writer has not acknowledged. Default `drop`.',
      ),
  })
  .describe('The command outlives its connection and can be attached to by its key.');

const range = z
  .object({
    oldest: z.number().describe('Offset of the oldest byte kept.'),
    next: z.number().describe('Offset of the next byte to come.'),
  })
  .describe('What is kept of a stream.');

/** What `command/exec/list` says of a stream. */
export const keptRange = range;

export const role = z
  .enum(['writer', 'observer'])
  .describe('The `writer` may write and resize, and there is at most one; an `observer` only watches.');

const execResultLike = z.record(z.string(), z.unknown()).describe('Same as the result of `command/exec`.');

/** Requests about detachable commands. */
export const attachMethods = {
  'command/exec/attach': {
    action: 'observe',
    params: z.object({
      processId,
      key: commandKey,
      from: z
        .object({
          stdout: offset.nullish(),
          stderr: offset.nullish(),
        })
        .nullish()
        .describe('Offset of the first byte wanted of each stream. Default: the oldest that is kept.'),
      role: role.nullish().describe('`writer` may write and resize; `observer` only watches. Default `writer`.'),
      takeover: z.boolean().nullish().describe('Ends the view of another writer. Default false.'),
      screen: z
        .boolean()
        .nullish()
        .describe('Terminals only: one `command/exec/screen` in place of a replay. Not with `from`. Default false.'),
      size: terminalSize.nullish().describe("The writer's window size, set before anything is replayed."),
      window: outputWindow
        .nullish()
        .describe('Same as `window` of `command/exec`; each view has its own. Default: none.'),
    }),
    result: execResultLike,
    description: 'Views a detachable command. The reply is the result of the command, once everything was sent.',
    experimental: true,
  },
  'command/exec/detach': {
    action: 'observe',
    params: z.object({ processId }),
    result: empty,
    description: 'Ends the view; the command lives on. The pending request of the view is answered with `detached`.',
    experimental: true,
    servedWhenFull: true,
  },
  'command/exec/forget': {
    action: 'exec',
    params: z.object({ key: commandKey }),
    result: empty,
    description: 'Forgets a detachable command that has ended.',
    experimental: true,
    servedWhenFull: true,
  },
} as const satisfies Record<string, MethodDefinition>;

/** Notifications of the client about views. */
export const attachClientNotifications = {
  'command/exec/ack': {
    params: z.object({
      processId,
      stream: outputStream,
      offset: offset.describe('Everything before this offset is processed.'),
    }),
    description: 'The client has processed output of a view with a `window`, so that more may be sent.',
  },
} as const;

/** Notifications of the server about views. */
export const attachServerNotifications = {
  'command/exec/attached': {
    params: z.object({
      processId,
      key: commandKey,
      pid: z.number().int().describe("The kernel's number of the process."),
      startedAtMs: z.number().describe('Start, in milliseconds since 1970.'),
      role,
      resumed: z.boolean().describe('Whether the command ran before.'),
      stdout: range,
      stderr: range,
      stdinAccepted: z
        .number()
        .describe(
          'Position behind the last byte of input that was accepted or waits for that: the `offset` of the next new byte.',
        ),
      replayBytes: z
        .number()
        .describe(
          'Bytes that are kept of each stream. The writer of a command that pauses acknowledges before so many are unacknowledged, or the command waits for it and it for the command.',
        ),
    }),
    description: 'The view begins: sent before any output.',
  },
  'command/exec/gap': {
    params: z.object({
      processId,
      stream: outputStream,
      from: z.number().describe('Offset of the first byte lost.'),
      to: z.number().describe('Offset after the last byte lost.'),
    }),
    description: 'These bytes were dropped; this view will not get them.',
  },
  'command/exec/screen': {
    params: z.object({
      processId,
      offset: z.number().describe('Live output goes on from here.'),
      size: terminalSize,
      deltaBase64: z.string().describe('Written to an empty terminal of `size` it shows what is on the screen.'),
      alternate: z.boolean().describe('Whether the alternate screen is shown.'),
      title: z.string().optional().describe('Title of the window, if the program set one.'),
      complete: z
        .boolean()
        .describe('False with `--no-screens`: then the screen shows only the output that is still kept.'),
    }),
    description: 'What a terminal shows, in place of a replay.',
  },
  'command/exec/detached': {
    params: z.object({
      processId,
      reason: z
        .enum(['takeover', 'requested', 'fellBehind'])
        .describe(
          '`takeover`: another writer came; `fellBehind`: a view with a window acknowledged nothing for `--stall-timeout`.',
        ),
    }),
    description: 'The view has ended; its request is then answered with `detached`.',
  },
} as const;
