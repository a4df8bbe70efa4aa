/** Everything that a program may import from the package, except `connect`, which each platform has its own of. */
export type { AbortSignalLike } from './abort-signal.js';
export type { Box } from './box.js';
export type { OutputChunk } from './capture.js';
export { ConnectError, RpcError, type WireError } from './errors.js';
export type { Input, InputChunk, WebStream } from './input-source.js';
export type {
  AttachOptions,
  AttachTerminalOptions,
  BoxStatus,
  CommonOptions,
  ConnectOptions,
  DetachableOptions,
  Encoding,
  ExecOptions,
  HeadAndTail,
  ReconnectOptions,
  ShellOptions,
  TerminalOptions,
  TerminalSize,
} from './options.js';
export type { OutputEvent, OutputGap } from './output.js';
export { type Captured, type Cause, ExecError, LostError, type Result, UnknownOutcomeError } from './result.js';
export type { Run } from './run.js';
export type { SandboxPolicy } from './sandbox-policy.js';
export type { Shell, ShellResult, ShellRunOptions } from './shell.js';
export type { Started } from './started.js';
export type { Terminal, TerminalResult } from './terminal.js';
export type { TraceSource } from './trace.js';
export type { Transport, TransportEnd, TransportListener, TransportRequest } from './transport.js';
export type { Expectation, Met } from './wait-for.js';
export type { WebSocketLike } from './websocket-transport.js';
export type {
  ListedCommand,
  ListParams,
  NotificationName,
  Notifications,
  RequestName,
  Requests,
  StreamName,
  StreamRange,
  TraceCarrier,
} from './wire.js';
