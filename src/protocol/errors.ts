/**
 * Every error that can travel on the wire, in one table. Knows no transport and no handler. Long because it is one table.
 * The table is the source of `docs/protocol.md`'s error section.
 */

/** What a caller may add to an error; `data.reason` is always sent, too. */
export type ErrorData = Readonly<Record<string, unknown>>;

interface ErrorRow {
  readonly code: number;
  readonly message: (data: ErrorData) => string;
  readonly description: string;
}

const INVALID_REQUEST = -32600;
const INVALID_PARAMS = -32602;
const INTERNAL_ERROR = -32603;

const quote = (value: unknown): string => JSON.stringify(value);

/** One row for each reason: code, text, and when it is used. Existing clients match on the texts, so they should not change. */
export const errorTable = {
  parseError: {
    code: -32700,
    message: (data) => `Parse error: ${data.detail ?? 'the message is not JSON'}`,
    description: 'The text is not JSON. Answered with id null.',
  },
  invalidRequest: {
    code: INVALID_REQUEST,
    message: (data) => `Invalid request: ${data.detail}`,
    description: 'JSON, but not a JSON-RPC request: a batch, a bad id, or a method that is not a string.',
  },
  messageTooLarge: {
    code: INVALID_REQUEST,
    message: (data) => `Message too large: ${data.detail}`,
    description:
      'A message longer than its method takes (`data.maxBytes`), or with more outside of its strings than any message may have (`data.maxStructuralCharacters`, `data.maxBytesOutsideStrings`; id null).',
  },
  notInitialized: {
    code: INVALID_REQUEST,
    message: () => 'Not initialized',
    description: 'A request other than `initialize` came before it.',
  },
  alreadyInitialized: {
    code: INVALID_REQUEST,
    message: () => 'Already initialized',
    description: 'A second `initialize` on one connection.',
  },
  invalidClientName: {
    code: INVALID_REQUEST,
    message: (data) => `Invalid clientInfo.name: '${data.name}'. Must be a valid HTTP header value.`,
    description: '`clientInfo.name` is not a valid value of an HTTP header. A later valid `initialize` is accepted.',
  },
  experimentalRequired: {
    code: INVALID_REQUEST,
    message: (data) => `${data.feature} requires experimentalApi capability`,
    description: 'An experimental method or field was used by a connection that did not ask for the capability.',
  },
  notAuthorized: {
    code: INVALID_REQUEST,
    message: (data) => `Not authorized: ${data.detail}`,
    description: 'The credential of this connection does not allow the request, or has expired.',
  },
  methodNotFound: {
    code: -32601,
    message: (data) => `Method not found: ${quote(data.method)}`,
    description: 'There is no such method.',
  },
  invalidParams: {
    code: INVALID_PARAMS,
    message: (data) => `Invalid params: ${data.detail}`,
    description:
      'A parameter is missing or has the wrong type; the message names it and `data.issues` holds the first 10 faults.',
  },
  emptyCommand: {
    code: INVALID_REQUEST,
    message: () => 'command must not be empty',
    description: '`command` has no element.',
  },
  sizeWithoutTty: {
    code: INVALID_PARAMS,
    message: () => 'command/exec size requires tty: true',
    description: '`size` was given for a command that has no terminal.',
  },
  conflictingOutputCap: {
    code: INVALID_PARAMS,
    message: () => 'command/exec cannot set both outputBytesCap and disableOutputCap',
    description: 'Both cap options were set.',
  },
  conflictingTimeout: {
    code: INVALID_PARAMS,
    message: () => 'command/exec cannot set both timeoutMs and disableTimeout',
    description: 'Both timeout options were set.',
  },
  negativeTimeout: {
    code: INVALID_PARAMS,
    message: (data) => `command/exec timeoutMs must be non-negative, got ${data.timeoutMs}`,
    description: '`timeoutMs` is negative.',
  },
  zeroSize: {
    code: INVALID_PARAMS,
    message: () => 'command/exec size rows and cols must be greater than 0',
    description: 'A terminal has at least one row and one column.',
  },
  policyConflict: {
    code: INVALID_REQUEST,
    message: () => '`permissionProfile` cannot be combined with `sandboxPolicy`',
    description: 'Both ways to ask for a sandbox were used.',
  },
  unsupportedSandbox: {
    code: INVALID_PARAMS,
    message: (data) =>
      `unsupported ${data.field}: use a sandboxPolicy of type readOnly, workspaceWrite, externalSandbox or dangerFullAccess, or leave it out`,
    description: 'A kind of sandbox was asked for that this server does not know; `data.field` names it.',
  },
  sandboxUnavailable: {
    code: INVALID_PARAMS,
    message: (data) => `sandboxPolicy: ${data.detail}`,
    description:
      'The policy cannot be enforced, so nothing was started. `data.missing` names what is missing: `architecture`, `landlock`, `seccomp`, `capabilities`, `mountNamespace`, or `authentication` for a policy with a network.',
  },
  processIdRequired: {
    code: INVALID_REQUEST,
    message: () => 'command/exec tty or streaming requires a client-supplied processId',
    description: '`tty`, `streamStdin` or `streamStdoutStderr` without `processId`.',
  },
  duplicateProcessId: {
    code: INVALID_REQUEST,
    message: (data) => `duplicate active command/exec process id: ${quote(data.processId)}`,
    description: 'This connection already runs a command under that id.',
  },
  processNotFound: {
    code: INVALID_REQUEST,
    message: (data) => `no active command/exec for process id ${quote(data.processId)}`,
    description: 'No command of this connection runs under that id.',
  },
  stdinNotStreamed: {
    code: INVALID_REQUEST,
    message: () => 'stdin streaming is not enabled for this command/exec',
    description: 'A write to a command that was started without `streamStdin`.',
  },
  stdinClosed: {
    code: INVALID_REQUEST,
    message: () => 'stdin is already closed',
    description: 'A write after `closeStdin`, or to a command that has ended or closed its stdin.',
  },
  emptyWrite: {
    code: INVALID_PARAMS,
    message: () => 'command/exec/write requires deltaBase64 or closeStdin',
    description: 'A write with nothing to do.',
  },
  invalidBase64: {
    code: INVALID_PARAMS,
    message: (data) => `invalid deltaBase64: ${data.detail}`,
    description: '`deltaBase64` is not strict standard base64 (RFC 4648 section 4, padded).',
  },
  notATerminal: {
    code: INVALID_REQUEST,
    message: () => 'failed to resize PTY: process is not attached to a PTY',
    description: 'A resize of a command that has no terminal.',
  },
  streamingRequired: {
    code: INVALID_PARAMS,
    message: () => 'command/exec detachable and window require tty or streamStdoutStderr',
    description: '`detachable` or `window` for a command whose output is in its reply.',
  },
  beyondCeiling: {
    code: INVALID_PARAMS,
    message: (data) => `${data.field} ${data.value} is more than ${data.ceiling} allows (${data.max})`,
    description: "A request asks for more than the server's ceiling; the message names the flag.",
  },
  pauseKeepsNothing: {
    code: INVALID_PARAMS,
    message: () => 'detachable.whenFull "pause" requires replayBytes above 0',
    description: 'A command that waits for its writer must keep something for it.',
  },
  keyConflict: {
    code: INVALID_REQUEST,
    message: (data) => `detachable key ${quote(data.key)} belongs to another command`,
    description: 'A second start under a known key with another `command`, `cwd`, `env` or `tty`.',
  },
  keyNotFound: {
    code: INVALID_REQUEST,
    message: (data) => `no detachable command with key ${quote(data.key)}`,
    description: 'This principal has no command under that key: it never had one, or the command was forgotten.',
  },
  stillRunning: {
    code: INVALID_REQUEST,
    message: (data) => `detachable command with key ${quote(data.key)} is still running`,
    description: '`command/exec/forget` of a command that has not ended.',
  },
  writerPresent: {
    code: INVALID_REQUEST,
    message: () => 'another connection is the writer',
    description: 'An attach as `writer` without `takeover` while there is a writer.',
  },
  notWriter: {
    code: INVALID_REQUEST,
    message: () => 'not the writer',
    description: 'A write or a resize by an observer.',
  },
  notDetachable: {
    code: INVALID_REQUEST,
    message: () => 'command is not detachable',
    description: '`command/exec/detach`, or a `write` with `offset`, for an ordinary command.',
  },
  detached: {
    code: INVALID_REQUEST,
    message: (data) => `detached: ${data.why}`,
    description: 'The view ended before its command: `takeover`, `requested` or `fellBehind`.',
  },
  offsetAhead: {
    code: INVALID_PARAMS,
    message: (data) => `${data.stream} offset ${data.offset} is ahead of ${data.next}`,
    description: '`from` is behind the end of the stream.',
  },
  screenWithFrom: {
    code: INVALID_PARAMS,
    message: () => 'command/exec/attach cannot have both screen and from',
    description: 'A screen takes the place of a replay.',
  },
  screenWithoutTty: {
    code: INVALID_PARAMS,
    message: () => 'command/exec/attach screen requires a command with a terminal',
    description: '`screen` for a command that has no terminal.',
  },
  sizeOfObserver: {
    code: INVALID_PARAMS,
    message: () => 'command/exec/attach size requires the writer of a terminal',
    description: '`size` from an observer, or for a command that has no terminal.',
  },
  stdinGap: {
    code: INVALID_REQUEST,
    message: (data) => `stdin offset ${data.offset} is ahead of ${data.next}`,
    description: 'A write that would leave a hole in the input.',
  },
  emptyProcessHandle: {
    code: INVALID_REQUEST,
    message: () => 'processHandle must not be empty',
    description: '`processHandle` has no character.',
  },
  relativeDirectory: {
    code: INVALID_REQUEST,
    message: (data) => `Invalid request: cwd ${quote(data.cwd)} is not an absolute path`,
    description: '`process/spawn` takes an absolute `cwd` only.',
  },
  spawnSizeWithoutTty: {
    code: INVALID_PARAMS,
    message: () => 'process/spawn size requires tty: true',
    description: '`size` was given for a process that has no terminal.',
  },
  spawnZeroSize: {
    code: INVALID_PARAMS,
    message: () => 'process size rows and cols must be greater than 0',
    description: 'A terminal of a spawned process has at least one row and one column.',
  },
  spawnNegativeTimeout: {
    code: INVALID_PARAMS,
    message: (data) => `process/spawn timeoutMs must be non-negative, got ${data.timeoutMs}`,
    description: '`timeoutMs` of `process/spawn` is negative.',
  },
  duplicateProcessHandle: {
    code: INVALID_REQUEST,
    message: (data) => `duplicate active process handle: ${quote(data.processHandle)}`,
    description: 'This connection already runs a process under that handle.',
  },
  processHandleNotFound: {
    code: INVALID_REQUEST,
    message: (data) => `no active process for process handle ${quote(data.processHandle)}`,
    description: 'No spawned process of this connection runs under that handle.',
  },
  processStdinNotStreamed: {
    code: INVALID_REQUEST,
    message: () => 'stdin streaming is not enabled for this process',
    description: 'A write to a spawned process that was started without `streamStdin`.',
  },
  emptyProcessWrite: {
    code: INVALID_PARAMS,
    message: () => 'process/writeStdin requires deltaBase64 or closeStdin',
    description: 'A write to a spawned process with nothing to do.',
  },
  processSpawnFailed: {
    code: INTERNAL_ERROR,
    message: (data) => `failed to spawn process: ${data.detail}`,
    description: 'The program of `process/spawn` could not be started; `data.errno` says why.',
  },
  alreadyInitializedSession: {
    code: INVALID_REQUEST,
    message: () => 'initialize may only be sent once per connection',
    description: 'exec-server: a second `initialize` on one connection.',
  },
  notConfirmed: {
    code: INVALID_REQUEST,
    message: () => 'client must send initialized before using exec methods',
    description: 'exec-server: a request came before the notification `initialized`.',
  },
  sessionAttached: {
    code: -32010,
    message: (data) => `session ${data.sessionId} is already attached to another connection`,
    description: 'exec-server: the session that was to be resumed has a connection. Retry.',
  },
  unknownSession: {
    code: INVALID_REQUEST,
    message: (data) => `unknown session id ${data.sessionId}`,
    description:
      'exec-server: this server has no such session of this principal, or has none any more. Begin a new one.',
  },
  emptyArgv: {
    code: INVALID_PARAMS,
    message: () => 'argv must not be empty',
    description: 'exec-server: `argv` has no element.',
  },
  processExists: {
    code: INVALID_REQUEST,
    message: (data) => `process ${data.processId} already exists`,
    description: 'exec-server: the session has, or had not long ago, a process of that name.',
  },
  processStarting: {
    code: INVALID_REQUEST,
    message: (data) => `process id ${data.processId} is starting`,
    description: 'exec-server: a read of a process whose start was not answered yet.',
  },
  unknownProcess: {
    code: INVALID_REQUEST,
    message: (data) => `unknown process id ${data.processId}`,
    description: 'exec-server: a read of a process that the session does not have.',
  },
  stdinUnwritable: {
    code: INTERNAL_ERROR,
    message: () => 'failed to write to process stdin',
    description: 'exec-server: a write to a process that has ended or closed its stdin.',
  },
  wrongFileUri: {
    code: INVALID_PARAMS,
    message: (data) => `${data.field}: ${data.detail}`,
    description: 'exec-server: not the `file:` URI of an absolute path on this machine.',
  },
  unsupportedParam: {
    code: INVALID_PARAMS,
    message: (data) => `${data.field} is not supported by this server; leave it out`,
    description: 'exec-server: a feature that this server does not declare as a capability.',
  },
  untranslatableSandbox: {
    code: INVALID_PARAMS,
    message: (data) =>
      `sandbox: ${data.detail}. This server enforces a sandbox as it is asked for or refuses it; inside a container, sandbox_mode = "danger-full-access" asks for none`,
    description: 'exec-server: the sandbox cannot be enforced exactly as it was asked for; nothing was done.',
  },
  fileNotFound: {
    code: -32004,
    message: (data) => `${data.detail}`,
    description:
      'exec-server: nothing is at a path of `fs/*`, or a handle is not open. In that protocol this code says nothing else.',
  },
  osError: {
    code: INTERNAL_ERROR,
    message: (data) => `${data.detail}`,
    description: 'exec-server: the operating system refused; `data.errno` says why.',
  },
  invalidSignal: {
    code: INVALID_PARAMS,
    message: (data) => `unknown signal ${quote(data.signal)}; use a name such as "SIGTERM"`,
    description: 'The operating system knows no signal of that name.',
  },
  spawnFailed: {
    code: INTERNAL_ERROR,
    message: (data) => `failed to spawn command: ${data.detail}`,
    description: 'The program could not be started; `data.errno` says why.',
  },
  fileFailed: {
    code: INTERNAL_ERROR,
    message: (data) => `${data.detail}`,
    description:
      'The operating system refused an operation on a file: its text is the message, `data.errno` its name, and `data.why` the reason in one word, such as `notFound`.',
  },
  fileRefused: {
    code: INVALID_REQUEST,
    message: (data) => `${data.detail}`,
    description:
      'The server refused an operation on a file. `data.why` says the reason in one word: `notAFile`, `tooLarge`, `outsideRoot`, `denied`, `isADirectory`, `invalid`.',
  },
  invalidFileBase64: {
    code: INVALID_REQUEST,
    message: (data) => `fs/writeFile requires valid base64 dataBase64: ${data.detail}`,
    description: '`dataBase64` is not strict standard base64 (RFC 4648 section 4, padded).',
  },
  relativePath: {
    code: INVALID_REQUEST,
    message: () => 'Invalid request: AbsolutePathBuf deserialized without a base path',
    description: 'A path of `fs/*` is not absolute.',
  },
  watchExists: {
    code: INVALID_REQUEST,
    message: (data) => `watchId already exists: ${data.watchId}`,
    description: 'This connection already has a watch of that name.',
  },
  internalError: {
    code: INTERNAL_ERROR,
    message: () => 'Internal error',
    description: 'A fault of the server; its log has the whole error under `data.traceId`.',
  },
  serverOverloaded: {
    code: -32001,
    message: () => 'Server overloaded; retry later.',
    description: 'A bound was reached (`data.bound` names it) and nothing was started: retry with back-off.',
  },
  serverDraining: {
    code: -32004,
    message: () => 'Server is draining; connect to another one.',
    description: 'The server is draining and nothing was started: connect to another one.',
  },
} as const satisfies Record<string, ErrorRow>;

/** The machine-readable name of an error, sent as `data.reason`. */
export type ErrorReason = keyof typeof errorTable;

/** An error as it is sent: built from the table by {@link rpcError}, or received from the other side. */
export class RpcError extends Error {
  readonly code: number;
  /** `data.reason`; undefined for an error of a peer that sends none. */
  readonly reason: string | undefined;
  /** Everything but code and message; includes `reason`. */
  readonly data: unknown;

  constructor(wire: { code: number; message: string; data?: unknown }, options?: { cause?: unknown }) {
    super(wire.message, options);
    this.name = 'RpcError';
    this.code = wire.code;
    this.data = wire.data;
    const reason =
      typeof wire.data === 'object' && wire.data !== null && 'reason' in wire.data ? wire.data.reason : undefined;
    this.reason = typeof reason === 'string' ? reason : undefined;
  }
}

/** Builds the error of a table row. `data` fills the message and is sent, except `detail`, which is part of the message only. */
export function rpcError(reason: ErrorReason, data: ErrorData = {}, options?: { cause?: unknown }): RpcError {
  const row: ErrorRow = errorTable[reason];
  const { detail: _inMessage, ...sent } = data;
  return withoutStack(
    () => new RpcError({ code: row.code, message: row.message(data), data: { reason, ...sent } }, options),
  );
}

/** Errors without a stack: a refusal is an answer, not a fault, and taking the stack was a quarter of the work of a refused request. */
function withoutStack<T>(make: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
