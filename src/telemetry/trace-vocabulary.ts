/**
 * The names in this server's traces: spans, their attributes and events. Nothing else can be recorded, and `docs/observability.md` lists exactly
 * these. No name stands for arguments, environment, output or tokens, except the one that `--trace-argv` enables.
 * @see https://opentelemetry.io/docs/specs/semconv/rpc/json-rpc/ semantic conventions 1.45
 */

/** Spans, by what they describe; a request's span has the name of its method. */
export const spanNames = {
  request: '{method}',
  command: 'command',
  connection: 'connection',
  drain: 'drain',
} as const;

export const attributes = {
  'rpc.system.name': 'request: always `jsonrpc`',
  'rpc.method': 'request: the method, `_OTHER` for an unknown one',
  'rpc.method_original': 'request: the name of an unknown method, cut at 200 characters',
  'rpc.response.status_code': 'request: the error code as text, if it failed',
  'error.type':
    'request: the error code as text; command: the `errno` or the class of the error, if it failed to start',
  'jsonrpc.protocol.version': 'request: `2.0`, if the request said so',
  'jsonrpc.request.id': 'request: the id as text, cut at 200 characters',
  'execwire.error.reason': 'request: `data.reason` of the error, if it failed',
  'execwire.transport': 'request, connection: `websocket` or `stdio`',
  'execwire.connection.id': 'request, command, connection: the `connectionId` of the `initialize` reply',
  'execwire.client.name': "request, connection: the client's name; the request of `initialize` has it already",
  'execwire.client.version': "request, connection: the client's version",
  'process.pid': 'command: the process id, if it started',
  'process.exit.code':
    'command: the exit code as the protocol counts, if it ended: 128+n for signal n, 124 for the timeout',
  'process.command_args': 'command: the arguments, with `--trace-argv` only',
  'gen_ai.tool.call.id': 'command: the tool call of an agent that it belongs to, if its start named one',
  'gen_ai.conversation.id': 'command: the conversation of an agent that it belongs to, likewise',
  'execwire.command.kind': 'command: `tty`, `streamed` or `buffered`',
  'execwire.command.signal': 'command: the signal that ended it, if one did',
  'execwire.command.cause':
    'command: why it ended: `exit`, `signal`, `terminate`, `timeout`, `disconnect`, `not_started`',
  'execwire.command.output_bytes': 'command: bytes it wrote',
  'execwire.command.stdin_bytes': 'command: bytes it took from the client',
  'execwire.command.paused_ms': 'command: milliseconds it was held back because the client read slowly',
  'execwire.connection.close_code': 'connection: the close code',
  'execwire.connection.requests': 'connection: requests it sent; the last 128 of them that were sampled are links',
  'execwire.drain.connections': 'drain: open connections at its beginning',
  'execwire.drain.commands': 'drain: running commands at its beginning',
} as const;

export type AttributeName = keyof typeof attributes;
export type Attributes = { [N in AttributeName]?: string | number | string[] };

/** Events of spans. */
export const events = {
  started: 'command: the process runs',
  terminate: 'command: the client, or the drain, asked for its end',
  resize: 'command: the size of its terminal was set',
  timeout: 'command: its timeout passed',
  capReached: 'command: a stream has had as many bytes as it may',
  exited: 'command: the process has exited; output may follow',
  cut: 'command: a background process still held the output, which was cut',
  draining: 'drain: the drain delay is over, new work is refused',
} as const;

export type EventName = keyof typeof events;
