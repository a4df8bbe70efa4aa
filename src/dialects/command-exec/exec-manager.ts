/**
 * All commands of the server, by session and processId: starts them within the bounds, finds them, ends them with their session. Knows
 * no Fastify and no transport.
 */

import { Command, type CommandEnd, type CommandEvent, type CommandSystem } from '../../commands/command.js';
import { StdinFeed } from '../../commands/input.js';
import { BufferedOutput } from '../../commands/output/capture.js';
import type { OutputSink } from '../../commands/output/output-sink.js';
import type { OutputName, ProcessSpec } from '../../process/os-process.js';
import { rpcError } from '../../protocol/errors.js';
import type { Call } from '../../rpc/connection.js';
import type { Session } from '../../session/session.js';
import { DeltaEncoder } from './delta-encoder.js';
import type { ExecRequest } from './exec-request.js';
import { StreamedOutput } from './streamed-output.js';

/** Method name under which a client opts out of output. */
const OUTPUT_DELTA = 'command/exec/outputDelta';
const OUTPUTS: readonly OutputName[] = ['stdout', 'stderr'];

/** What a trace or a metric wants to know of one command. */
export interface CommandReport {
  readonly pid: number | undefined;
  readonly end: CommandEnd | undefined;
  readonly error: Error | undefined;
  readonly outputBytes: number;
  readonly stdinBytes: number;
  readonly pausedMs: number;
}

/** Follows one command, for traces and metrics. */
export interface CommandObservation {
  /** Added to the child's environment: its trace context. */
  readonly env: Readonly<Record<string, string | null>>;
  event(event: CommandEvent): void;
  ended(report: CommandReport): void;
}

/** Makes the complete environment and the absolute directory of a child. @throws {SpawnError} for names that cannot be */
export type PrepareProcess = (
  request: ExecRequest,
  session: Session,
  added: { readonly marker: string; readonly traceEnv: Readonly<Record<string, string | null>> },
) => ProcessSpec;

export interface ExecManagerOptions {
  readonly system: CommandSystem;
  readonly prepare: PrepareProcess;
  /** Kills these leaders with their descendants, and everything else that carries a marker beginning so. */
  readonly killTrees: (pids: readonly number[], markerPrefix: string) => Promise<unknown>;
  /** Nothing that a session has started runs any more. */
  readonly onSessionKilled?: ((session: Session) => void) | undefined;
  /** In every marker of this server; nobody else's begins so. */
  readonly serverMarker: string;
  readonly maxProcesses: number;
  readonly maxProcessesPerConnection: number;
  readonly maxStdinBytes: number;
  readonly maxBufferedBytes: number;
  /** A bound of the machine that leaves no room for another process, such as descriptors; undefined when there is room. */
  readonly shortage: () => string | undefined;
  readonly observe?: ((request: ExecRequest, session: Session, call: Call) => CommandObservation) | undefined;
}

/** One command as its session knows it. */
export interface RunningCommand {
  readonly request: ExecRequest;
  readonly command: Command;
  readonly stdin: StdinFeed | undefined;
  readonly sinks: Readonly<Record<OutputName, OutputSink>>;
  readonly startedAtMs: number;
}

/** The commands of one session. */
interface SessionCommands {
  readonly markerPrefix: string;
  /** Those a client can name. */
  readonly byId: Map<string, RunningCommand>;
  readonly running: Set<RunningCommand>;
}

/** Owns the processes. */
export class ExecManager {
  readonly #options: ExecManagerOptions;
  readonly #sessions = new Map<Session, SessionCommands>();
  #sessionCount = 0;
  #commandCount = 0;
  readonly #running = new Set<RunningCommand>();
  #onIdle: Array<() => void> = [];

  constructor(options: ExecManagerOptions) {
    this.#options = options;
  }

  /** Commands that have no reply yet, of all sessions. */
  get running(): number {
    return this.#running.size;
  }

  /** Commands of all sessions, also of those that have left. */
  all(): Iterable<RunningCommand> {
    return this.#running;
  }

  /** Commands whose process is not there yet. */
  get starting(): number {
    let count = 0;
    for (const { running } of this.#sessions.values()) {
      for (const { command } of running) if (command.state === 'starting') count += 1;
    }
    return count;
  }

  /** Whether the bound on all processes is reached. */
  get isFull(): boolean {
    return this.#running.size >= this.#options.maxProcesses;
  }

  /** Commands of one session, in the order of their start. */
  list(session: Session): RunningCommand[] {
    return [...(this.#sessions.get(session)?.running ?? [])];
  }

  /** A running command by its client's name for it; undefined for the names of other sessions, too. */
  find(session: Session, processId: string): RunningCommand | undefined {
    return this.#sessions.get(session)?.byId.get(processId);
  }

  /**
   * Starts a command; the promise is that of its end.
   * @throws {RpcError} duplicateProcessId, serverOverloaded at once. @throws {SpawnError} later
   */
  async run(request: ExecRequest, session: Session, call: Call): Promise<{ end: CommandEnd; ran: RunningCommand }> {
    const commands = this.#commandsOf(session);
    if (request.processId !== undefined && commands.byId.has(request.processId)) {
      throw rpcError('duplicateProcessId', { processId: request.processId });
    }
    this.#requireRoom(commands);
    const observation = this.#options.observe?.(request, session, call);
    let started: RunningCommand;
    try {
      started = this.#start(request, session, commands, observation);
    } catch (error) {
      observation?.ended({ ...NOTHING_RAN, error: error as Error });
      throw error;
    }
    try {
      const end = await started.command.ended;
      observation?.ended(report(started, end, undefined));
      return { end, ran: started };
    } catch (error) {
      observation?.ended(report(started, undefined, error as Error));
      throw error;
    } finally {
      // The id is free BEFORE the reply goes out: a client may use it again the moment it has read that.
      this.#forget(commands, started);
    }
  }

  /** Ends everything a session started: what runs, and what earlier commands left behind. */
  closeSession(session: Session): void {
    const commands = this.#sessions.get(session);
    if (commands === undefined) return;
    this.#sessions.delete(session);
    const pids: number[] = [];
    for (const { command } of commands.running) {
      command.abandon();
      if (command.pid !== undefined) pids.push(command.pid);
    }
    const { killTrees, onSessionKilled } = this.#options;
    void killTrees(pids, commands.markerPrefix).finally(() => onSessionKilled?.(session));
  }

  /** Ends every command with SIGTERM, and with SIGKILL after `graceMs`; their replies follow. */
  terminateAll(graceMs: number): void {
    for (const commands of this.#sessions.values()) {
      for (const { command } of commands.running) command.terminate({ graceMs });
    }
  }

  /** Kills everything at once, whatever becomes of the replies. What earlier sessions left behind went with them. */
  killAll(): void {
    for (const session of [...this.#sessions.keys()]) this.closeSession(session);
  }

  /** Calls back once when no command runs, at once if none does. */
  whenIdle(callback: () => void): void {
    if (this.#running.size === 0) callback();
    else this.#onIdle.push(callback);
  }

  #commandsOf(session: Session): SessionCommands {
    let commands = this.#sessions.get(session);
    if (commands === undefined) {
      this.#sessionCount += 1;
      const markerPrefix = `${this.#options.serverMarker}.${this.#sessionCount}.`;
      commands = { markerPrefix, byId: new Map(), running: new Set() };
      this.#sessions.set(session, commands);
    }
    return commands;
  }

  #requireRoom(commands: SessionCommands): void {
    const { maxProcesses, maxProcessesPerConnection, shortage } = this.#options;
    let bound: string | undefined;
    if (commands.running.size >= maxProcessesPerConnection) bound = 'maxProcessesPerConnection';
    else if (this.#running.size >= maxProcesses) bound = 'maxProcesses';
    else bound = shortage();
    if (bound !== undefined) throw rpcError('serverOverloaded', { bound });
  }

  #start(
    request: ExecRequest,
    session: Session,
    commands: SessionCommands,
    observation: CommandObservation | undefined,
  ): RunningCommand {
    this.#commandCount += 1;
    const marker = `${commands.markerPrefix}${this.#commandCount}`;
    const process = this.#options.prepare(request, session, { marker, traceEnv: observation?.env ?? {} });
    const stdin = request.streamStdin ? new StdinFeed(this.#options.maxStdinBytes) : undefined;
    const sinks = this.#sinks(request, session, () => command);
    const command = new Command(this.#options.system, { process, marker, timeoutMs: request.timeoutMs, stdin, sinks });
    if (observation !== undefined) command.onEvent = (event) => observation.event(event);
    const started: RunningCommand = { request, command, stdin, sinks, startedAtMs: Date.now() };
    commands.running.add(started);
    if (request.processId !== undefined) commands.byId.set(request.processId, started);
    this.#running.add(started);
    command.start();
    return started;
  }

  #sinks(request: ExecRequest, session: Session, command: () => Command): Record<OutputName, OutputSink> {
    const { outbox, mirrorsVersion } = session.connection;
    const onCapReached = (): void => command().onEvent?.('capReached');
    const sinkFor = (stream: OutputName): OutputSink => {
      if (!request.streamOutput || request.processId === undefined) {
        return new BufferedOutput(Math.min(request.outputCapBytes, this.#options.maxBufferedBytes), onCapReached);
      }
      const encoder = new DeltaEncoder(request.processId, stream, mirrorsVersion);
      const onWritable = (): void => command().resumeOutput(stream);
      const sink = new StreamedOutput({ outbox, encoder, capBytes: request.outputCapBytes, onWritable, onCapReached });
      if (!session.wants(OUTPUT_DELTA)) sink.discard();
      return sink;
    };
    return { stdout: sinkFor('stdout'), stderr: sinkFor('stderr') };
  }

  #forget(commands: SessionCommands, ended: RunningCommand): void {
    commands.running.delete(ended);
    const { processId } = ended.request;
    if (processId !== undefined && commands.byId.get(processId) === ended) commands.byId.delete(processId);
    this.#running.delete(ended);
    if (this.#running.size > 0) return;
    const callbacks = this.#onIdle;
    this.#onIdle = [];
    for (const callback of callbacks) callback();
  }
}

const NOTHING_RAN = { pid: undefined, end: undefined, outputBytes: 0, stdinBytes: 0, pausedMs: 0 } as const;

function report(ran: RunningCommand, end: CommandEnd | undefined, error: Error | undefined): CommandReport {
  const outputBytes = OUTPUTS.reduce((sum, stream) => sum + ran.sinks[stream].receivedBytes, 0);
  const stdinBytes = ran.stdin?.takenBytes ?? 0;
  return { pid: ran.command.pid, end, error, outputBytes, stdinBytes, pausedMs: ran.command.pausedMs };
}
