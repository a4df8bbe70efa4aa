/**
 * The dialect of the Codex exec-server: methods and notifications about sessions, processes and the environment. Its names overlap with those of the
 * other dialect, so it has a table of its own; a connection that sends `initialize` with `clientName` speaks it.
 */
import * as z from 'zod';
import { strings, wholeNumber } from './bounded-values.js';
import { MAX_ARGUMENTS, MAX_VARIABLES } from './command-exec.js';
import { processId as boundedProcessId, empty } from './fields.js';
import type { MethodDefinition } from './method-definition.js';

/** Most patterns of one list of an environment policy. */
const MAX_PATTERNS = 1000;
/** Longest wait of `process/read`; a longer one is asked for again. */
const MAX_WAIT_MS = 3_600_000;
/** Most entries and roots of a sandbox: each costs a rule, and on some hosts a mount. */
const MAX_SANDBOX_ENTRIES = 256;
/** Longest name of a write. */
const MAX_WRITE_ID_CHARS = 1024;

const processId = boundedProcessId.describe(
  "The client's name for a process, unique in its session, also among ended ones; at most 1024 bytes.",
);
export const fileUri = z.string().describe('`file:` URI of an absolute path, percent-encoded.');

const patterns = strings(MAX_PATTERNS).describe('Patterns of names; `*` and `?`, upper and lower case are the same.');

/** An object of strings whose names the client chooses. */
function variables(): z.ZodType<Readonly<Record<string, string>>, Readonly<Record<string, string>>> {
  const check = (payload: z.core.ParsePayload<unknown>): void => {
    const { value } = payload;
    const refuse = (message: string, path: PropertyKey[] = []): void => {
      payload.issues.push({ code: 'custom', message, input: value, path, continue: false });
    };
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      refuse('Invalid input: expected an object of strings');
      return;
    }
    const names = Object.keys(value);
    if (names.length > MAX_VARIABLES) {
      refuse(`Too big: expected at most ${MAX_VARIABLES} entries`);
      return;
    }
    const wrong = names.find((name) => typeof (value as Record<string, unknown>)[name] !== 'string');
    if (wrong !== undefined) refuse('Invalid input: expected string', [wrong]);
  };
  const additionalProperties = { type: 'string' } as const;
  return z.any().check(check).meta({ type: 'object', additionalProperties, maxProperties: MAX_VARIABLES });
}

const envPolicy = z
  .object({
    inherit: z.enum(['all', 'core', 'none']).describe('What comes from the server, without its own secrets.'),
    ignoreDefaultExcludes: z.boolean().describe('Whether names like `*KEY*`, `*SECRET*`, `*TOKEN*` are kept.'),
    exclude: patterns.describe('Inherited names to drop.'),
    set: variables().describe('Variables to set then.'),
    includeOnly: patterns.describe('If not empty: the only names to keep.'),
  })
  .describe('What `env` is put over. Without it, `env` is the whole environment.');

const sandboxPath = z.union([
  z.object({ type: z.literal('path'), path: fileUri }),
  z.object({
    type: z.literal('special'),
    value: z.object({ kind: z.string(), subpath: z.string().nullish() }),
  }),
]);

/** What a process or a write is bound to. Members that are not listed here say nothing of what is allowed. */
export const sandbox = z
  .object({
    permissions: z.object({
      type: z.string(),
      file_system: z
        .object({
          type: z.string(),
          entries: z
            .array(z.object({ path: sandboxPath, access: z.string() }))
            .max(MAX_SANDBOX_ENTRIES)
            .nullish(),
        })
        .nullish(),
      network: z.string().nullish(),
    }),
    workspaceRoots: z.array(fileUri).max(MAX_SANDBOX_ENTRIES).nullish(),
  })
  .describe('What may be read and written. It is enforced as it is, or the request is refused; it is never ignored.');

export type ExecServerSandbox = z.output<typeof sandbox>;

const notSupported = z.unknown().optional().describe('Refused unless null: the server has no such capability.');

const startParams = z.object({
  processId,
  argv: strings(MAX_ARGUMENTS).describe('Program and arguments. Nothing is passed through a shell.'),
  arg0: z.string().nullish().describe('The name that the program sees as its own. Default: the first of `argv`.'),
  cwd: fileUri.describe('Working directory.'),
  env: variables().describe('The whole environment, or what is put over `envPolicy`; at most 10000 variables.'),
  envPolicy: envPolicy.nullish(),
  tty: z.boolean().describe('Gives the process a terminal of 24 rows and 80 columns.'),
  pipeStdin: z.boolean().nullish().describe('stdin is a pipe; otherwise it is /dev/null. Default false.'),
  sandbox: sandbox.nullish(),
  enforceManagedNetwork: z.boolean().nullish().describe('Refused if true.'),
  managedNetwork: notSupported,
  networkProxy: notSupported,
  shellSnapshot: notSupported,
  metadata: z
    .object({
      threadId: z.string().max(MAX_WRITE_ID_CHARS).nullish(),
      toolCallId: z.string().max(MAX_WRITE_ID_CHARS).nullish(),
    })
    .nullish()
    .describe('What the process belongs to, for lists, logs and traces.'),
});

const outputStream = z.enum(['stdout', 'stderr', 'pty']).describe("A terminal's output is `pty`.");
const seq = z
  .number()
  .int()
  .describe('Number of the event among those of its process: from 1, without a gap, over output, exit and close.');
const sandboxDenied = z.boolean().describe('Always false: a refusal is seen by the program alone.');

const environmentInfo = z
  .object({
    shell: z.object({ name: z.string(), path: z.string() }).describe('The shell that agents should use.'),
    executorVersion: z.string().describe("The server's version."),
    providerId: z.string().describe('Names the machine, or its image, as far as the server can tell.'),
    cwd: fileUri.describe('Directory of commands that name none.'),
    userHomeDir: fileUri,
    platformOs: z.string().describe('`linux` or `macos`.'),
    prependPathDirs: z.array(fileUri).describe('Empty.'),
    temporaryDirectories: z.array(fileUri),
    tempDir: fileUri,
    capabilities: z.record(z.string(), z.boolean()),
  })
  .describe('What the machine is and can.');

export type EnvironmentInfo = z.output<typeof environmentInfo>;

const layers = z.object({ layers: z.array(z.unknown()).describe('Empty.'), cloudInsertionIndex: z.number() });

/** Requests of this dialect about sessions, processes and the environment. */
export const execServerMethods = {
  initialize: {
    action: 'connect',
    params: z.object({
      clientName: z.string().describe('Name of the client program.'),
      resumeSessionId: z.string().nullish().describe('Session to come back to. Default: a new one.'),
    }),
    result: z.object({ sessionId: z.string(), environmentInfo: environmentInfo.optional() }),
    description: 'First request of every connection. A session outlives its connection for `--session-keep`.',
  },
  'environment/info': {
    action: 'connect',
    params: z.unknown(),
    result: environmentInfo,
    description: 'The same as `environmentInfo` in the reply to `initialize`.',
    servedWhenFull: true,
  },
  'environment/status': {
    action: 'connect',
    params: z.unknown(),
    result: z.object({ status: z.literal('ready') }),
    description: 'Whether the machine can be used.',
    servedWhenFull: true,
  },
  'environmentConfig/read': {
    action: 'connect',
    params: z.object({ cwd: fileUri, configPaths: z.unknown().optional(), requirementsPaths: z.unknown().optional() }),
    result: z.object({
      userHomeDir: fileUri,
      codexHomeDir: fileUri,
      hostname: z.string(),
      config: layers,
      requirements: layers,
    }),
    description: "The agent's settings on this machine: there are none.",
  },
  'process/start': {
    action: 'exec',
    params: startParams,
    result: z.object({
      processId,
      sandboxType: z.enum(['none', 'linuxSeccomp']).describe('Whether a sandbox is enforced.'),
    }),
    description: 'Starts a process. The reply comes when it runs, and before all of its notifications.',
  },
  'process/read': {
    action: 'exec',
    params: z.object({
      processId,
      afterSeq: wholeNumber().min(0).nullish().describe('The last number that the client has seen. Default 0.'),
      maxBytes: wholeNumber().min(0).nullish().describe('Most bytes; one chunk is always given. Default: no bound.'),
      waitMs: wholeNumber()
        .min(0)
        .max(MAX_WAIT_MS)
        .nullish()
        .describe('Milliseconds to wait for output, an exit or the close. Default 0.'),
    }),
    result: z.object({
      chunks: z.array(z.object({ seq, stream: outputStream, chunk: z.string().describe('Bytes in base64.') })),
      nextSeq: z.number().int().describe('Number that follows the last one told here.'),
      exited: z.boolean(),
      exitCode: z.number().int().nullable(),
      closed: z.boolean(),
      failure: z.string().nullable(),
      sandboxDenied,
    }),
    description: 'Output that is kept, 1 MiB of each stream, and how far the process is.',
  },
  'process/write': {
    action: 'exec',
    params: z.object({
      processId,
      chunk: z.string().describe('Bytes for stdin in strict standard base64.'),
      writeId: z
        .string()
        .max(MAX_WRITE_ID_CHARS)
        .describe('Name of the write: one that was accepted is not written again.'),
    }),
    result: z.object({ status: z.enum(['accepted', 'unknownProcess', 'stdinClosed', 'starting']) }),
    description: 'Feeds stdin. Answered once the bytes are accepted, in order.',
    maxBytes: Number.POSITIVE_INFINITY,
  },
  'process/signal': {
    action: 'exec',
    params: z.object({ processId, signal: z.literal('interrupt').describe('SIGINT to the process group.') }),
    result: empty,
    description: 'Interrupts a process. An unknown or ended one is no error.',
    servedWhenFull: true,
  },
  'process/terminate': {
    action: 'exec',
    params: z.object({ processId }),
    result: z.object({ running: z.boolean().describe('False if it had ended or is unknown; then nothing is done.') }),
    description: 'Kills a process and all its descendants.',
    servedWhenFull: true,
  },
} as const satisfies Record<string, MethodDefinition>;

/** Notifications of this dialect. */
export const execServerNotifications = {
  'process/output': {
    params: z.object({ processId, seq, stream: outputStream, chunk: z.string().describe('Bytes in base64.') }),
    description: 'Output of a process.',
  },
  'process/exited': {
    params: z.object({ processId, seq, exitCode: z.number().int(), sandboxDenied }),
    description: 'The process has ended. Another process may still hold its output, and then more follows.',
  },
  'process/closed': {
    params: z.object({ processId, seq }),
    description: 'No process holds the output any more, and all of it was sent.',
  },
} as const;

/** Name of a request of this dialect. */
export type ExecServerMethod = keyof typeof execServerMethods;
/** Params of a request of this dialect. */
export type ExecServerParams<M extends ExecServerMethod> = z.input<(typeof execServerMethods)[M]['params']>;
/** Result of a request of this dialect. */
export type ExecServerResult<M extends ExecServerMethod> = z.output<(typeof execServerMethods)[M]['result']>;
