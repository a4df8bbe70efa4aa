/** All commands of the server: starts them within its bounds, and ends them. Knows neither the client of a command nor where its output goes. */
import type { OutputName, ProcessSpec } from '../process/os-process.js';
import { Command, type CommandEnd, type CommandEvent, type CommandSystem } from './command.js';
import { CommandError } from './command-error.js';
import { CommandInput } from './input.js';
import type { OutputSink } from './output/output-sink.js';
import { Owner } from './owner.js';
import type { RunningCommand } from './running-command.js';

const OUTPUTS: readonly OutputName[] = ['stdout', 'stderr'];

/** What traces and metrics report of one command. */
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

/** What to run, with everything decided. */
export interface CommandStart {
  /** Makes the complete environment and the absolute directory of the child. @throws {SpawnError} for values that are impossible */
  readonly prepare: (marker: string, owner: Owner) => ProcessSpec;
  /** Milliseconds, or undefined for none. */
  readonly timeoutMs: number | undefined;
  readonly readsInput: boolean;
  /** @see CommandOptions.waitsForHolders */
  readonly waitsForHolders?: boolean | undefined;
  readonly outputs: Readonly<Record<OutputName, OutputSink>>;
  readonly observation: CommandObservation | undefined;
  /** Called at each step of the command, after the observation. */
  readonly onEvent?: ((event: CommandEvent) => void) | undefined;
}

export interface CommandTableOptions {
  readonly system: CommandSystem;
  /** Kills these leaders with their descendants, and every process whose marker begins with this prefix. */
  readonly killTrees: (pids: readonly number[], markerPrefix: string) => Promise<unknown>;
  /** No process that an owner has started is left. */
  readonly onOwnerKilled?: ((owner: Owner) => void) | undefined;
  /** Every marker of this server begins with this; no marker of another server does. */
  readonly serverMarker: string;
  readonly maxProcesses: number;
  readonly maxStdinBytes: number;
  /** Name of a bound of the machine that leaves no room for another process, such as descriptors; undefined when there is room. */
  readonly shortage: () => string | undefined;
}

export class CommandTable {
  readonly #options: CommandTableOptions;
  readonly #running = new Set<RunningCommand>();
  readonly #owners = new Set<Owner>();
  #ownerCount = 0;
  #commandCount = 0;
  #isEnding = false;
  #onIdle: Array<() => void> = [];

  constructor(options: CommandTableOptions) {
    this.#options = options;
  }

  /** Commands that have not ended, those of closed owners included. */
  get running(): number {
    return this.#running.size;
  }

  all(): Iterable<RunningCommand> {
    return this.#running;
  }

  /** Commands whose process does not exist yet and whose owner is still open. */
  get starting(): number {
    let count = 0;
    for (const owner of this.#owners) {
      for (const { command } of owner.running) if (command.state === 'starting') count += 1;
    }
    return count;
  }

  /** Whether the bound on all processes is reached. */
  get isFull(): boolean {
    return this.#running.size >= this.#options.maxProcesses;
  }

  /** A new owner; `closeOwner` ends it. */
  openOwner(): Owner {
    this.#ownerCount += 1;
    const { serverMarker, killTrees, onOwnerKilled } = this.#options;
    const owner: Owner = new Owner(`${serverMarker}.${this.#ownerCount}.`, (pids, markerPrefix) => {
      void killTrees(pids, markerPrefix).finally(() => onOwnerKilled?.(owner));
    });
    this.#owners.add(owner);
    return owner;
  }

  /** Ends an owner with everything it started. */
  closeOwner(owner: Owner): void {
    this.#owners.delete(owner);
    owner.close();
  }

  /** @throws {CommandError} noRoom */
  requireRoom(): void {
    if (this.#isEnding) throw new CommandError('noRoom', { bound: 'draining' });
    const bound = this.isFull ? 'maxProcesses' : this.#options.shortage();
    if (bound !== undefined) throw new CommandError('noRoom', { bound });
  }

  /** Starts a command; there must be room. @throws {SpawnError} when it cannot even be prepared */
  start(owner: Owner, start: CommandStart): RunningCommand {
    const { observation, outputs, timeoutMs, waitsForHolders } = start;
    this.#commandCount += 1;
    const marker = `${owner.markerPrefix}${this.#commandCount}`;
    let process: ProcessSpec;
    try {
      process = start.prepare(marker, owner);
    } catch (error) {
      observation?.ended({ ...NOTHING_RAN, error: error as Error });
      throw error;
    }
    const input = start.readsInput ? new CommandInput(this.#options.maxStdinBytes) : undefined;
    const command = new Command(this.#options.system, { process, marker, timeoutMs, input, outputs, waitsForHolders });
    command.onEvent = (event) => {
      observation?.event(event);
      start.onEvent?.(event);
    };
    const ended = command.ended.then(
      (end) => {
        observation?.ended(report(running, end, undefined));
        this.#forget(owner, running);
        return end;
      },
      (error: Error) => {
        observation?.ended(report(running, undefined, error));
        this.#forget(owner, running);
        throw error;
      },
    );
    const running: RunningCommand = { command, input, outputs, startedAtMs: Date.now(), ended };
    owner.running.add(running);
    this.#running.add(running);
    command.start();
    return running;
  }

  /** Ends every command with SIGTERM, and with SIGKILL after `graceMs`; their replies follow. There is no room for another command from now on. */
  terminateAll(graceMs: number): void {
    this.#isEnding = true;
    for (const owner of this.#owners) for (const { command } of owner.running) command.terminate({ graceMs });
  }

  /** Kills everything at once, without waiting for replies. */
  killAll(): void {
    for (const owner of [...this.#owners]) this.closeOwner(owner);
  }

  /** Calls back once when no command runs, at once if none does. */
  whenIdle(callback: () => void): void {
    if (this.#running.size === 0) callback();
    else this.#onIdle.push(callback);
  }

  #forget(owner: Owner, ended: RunningCommand): void {
    owner.running.delete(ended);
    this.#running.delete(ended);
    if (this.#running.size > 0) return;
    const callbacks = this.#onIdle;
    this.#onIdle = [];
    for (const callback of callbacks) callback();
  }
}

const NOTHING_RAN = { pid: undefined, end: undefined, outputBytes: 0, stdinBytes: 0, pausedMs: 0 } as const;

function report(ran: RunningCommand, end: CommandEnd | undefined, error: Error | undefined): CommandReport {
  const outputBytes = OUTPUTS.reduce((sum, output) => sum + ran.outputs[output].receivedBytes, 0);
  const stdinBytes = ran.input?.takenBytes ?? 0;
  return { pid: ran.command.pid, end, error, outputBytes, stdinBytes, pausedMs: ran.command.pausedMs };
}
