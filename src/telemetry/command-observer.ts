/** Follows one command: its span and its numbers. Works the same with and without traces. */
import type { CommandEnd, CommandEvent } from '../commands/command.js';
import type { CommandObservation, CommandReport } from '../commands/table.js';
import type { ExecRequest } from '../dialects/command-exec/exec-request.js';
import type { Metrics } from './metric-store.js';
import type { Attributes } from './trace-vocabulary.js';
import type { CommandSpan } from './tracing.js';

const MS_PER_SECOND = 1000;
/** A trace cannot usefully show more arguments than this. */
const MAX_ARGS = 64;
const MAX_ARG_CHARS = 1000;

export interface CommandObserverOptions {
  readonly metrics: Metrics;
  readonly kind: CommandKind;
  /** Undefined without traces. */
  readonly span: CommandSpan | undefined;
  /** Trace context for the child. */
  readonly env: Readonly<Record<string, string | null>>;
  /** Whether the client is still there. */
  readonly isConnected: () => boolean;
}

export type CommandKind = 'tty' | 'streamed' | 'buffered';

/** The kind of a command, as metrics and traces call it. */
export function kindOf(command: ExecRequest): CommandKind {
  if (command.tty !== undefined) return 'tty';
  return command.streamOutput ? 'streamed' : 'buffered';
}

/** What a span says of a command at its start. */
export function startAttributes(command: ExecRequest, traceArgv: boolean): Attributes {
  const about: Attributes = { 'execwire.command.kind': kindOf(command), ...agentAttributes(command) };
  if (!traceArgv) return about;
  return {
    ...about,
    'process.command_args': command.argv.slice(0, MAX_ARGS).map((arg) => arg.slice(0, MAX_ARG_CHARS)),
  };
}

/** What an agent said of a command that it started. */
function agentAttributes({ metadata }: ExecRequest): Attributes {
  const { toolCallId, threadId } = metadata ?? {};
  return {
    ...(typeof toolCallId === 'string' ? { 'gen_ai.tool.call.id': toolCallId } : {}),
    ...(typeof threadId === 'string' ? { 'gen_ai.conversation.id': threadId } : {}),
  };
}

/** One command as telemetry sees it. */
export class CommandObserver implements CommandObservation {
  readonly env: Readonly<Record<string, string | null>>;
  readonly #options: CommandObserverOptions;
  readonly #startedAtMs = performance.now();
  #wasTerminated = false;
  #wasConnected = true;

  constructor(options: CommandObserverOptions) {
    this.#options = options;
    this.env = options.env;
  }

  event(event: CommandEvent): void {
    const { metrics, kind, span, isConnected } = this.#options;
    if (event === 'started') metrics.spawnDuration.observe(this.#elapsedSeconds(), kind);
    else if (event === 'terminate') this.#wasTerminated = true;
    else if (event === 'exited') this.#wasConnected = isConnected();
    span?.event(event);
  }

  ended(outcome: CommandReport): void {
    const { metrics, kind, span } = this.#options;
    const { pid, end, error, outputBytes, stdinBytes, pausedMs } = outcome;
    metrics.commands.add(1, kind, outcomeOf(end));
    metrics.commandDuration.observe(this.#elapsedSeconds(), kind);
    metrics.outputBytes.add(outputBytes);
    metrics.stdinBytes.add(stdinBytes);
    metrics.pausedSeconds.add(pausedMs / MS_PER_SECOND);
    if (span === undefined) return;
    const attributes: Attributes = {
      'execwire.command.cause': this.#cause(end),
      'execwire.command.output_bytes': outputBytes,
      'execwire.command.stdin_bytes': stdinBytes,
      'execwire.command.paused_ms': pausedMs,
    };
    if (pid !== undefined) attributes['process.pid'] = pid;
    if (end !== undefined) attributes['process.exit.code'] = end.exitCode;
    if (end?.signal != null) attributes['execwire.command.signal'] = end.signal;
    if (error === undefined) span.end(attributes);
    else span.fail(typeOf(error), attributes);
  }

  #cause(end: CommandEnd | undefined): string {
    if (end === undefined) return 'not_started';
    if (end.timedOut) return 'timeout';
    if (end.signal === null) return 'exit';
    if (this.#wasTerminated) return 'terminate';
    return this.#wasConnected ? 'signal' : 'disconnect';
  }

  #elapsedSeconds(): number {
    return (performance.now() - this.#startedAtMs) / MS_PER_SECOND;
  }
}

function outcomeOf(end: CommandEnd | undefined): string {
  if (end === undefined) return 'not_started';
  if (end.timedOut) return 'timeout';
  if (end.signal !== null) return 'signal';
  return end.exitCode === 0 ? 'success' : 'failure';
}

/** The errno of a failed start, else the class of the error. Never its text, which may quote an argument. */
function typeOf(error: Error): string {
  return 'errno' in error && typeof error.errno === 'string' ? error.errno : error.name;
}
