/**
 * All commands that outlive their viewers, by principal and key: starts each once, finds it again, and forgets it when its time is over.
 * Knows no connection.
 */
import type { OutputName, TerminalSize } from '../process/os-process.js';
import type { Clock } from './clock.js';
import type { CommandEvent } from './command.js';
import { CommandError } from './command-error.js';
import { type CommandHolder, DetachableCommand } from './detachable.js';
import { OutputLog, type Retention } from './output/log.js';
import { ReplayBudget } from './output/replay-budget.js';
import type { Owner } from './owner.js';
import { CommandScreen, FoldTurns, type MakeTerminal } from './screen.js';
import type { CommandStart, CommandTable } from './table.js';

/** Each takes a few KB, even with nothing to replay. */
const MAX_ENDED = 10_000;

/** The part of a key that balancers hash: up to the first dot. */
export function affinityOf(key: string): string {
  const dot = key.indexOf('.');
  return dot < 0 ? key : key.slice(0, dot);
}

export interface DetachablesOptions {
  readonly table: CommandTable;
  readonly clock: Clock;
  /** Bytes of all logs together. */
  readonly replayBudgetBytes: number;
  /** @see AttachmentContext.stallTimeoutMs */
  readonly stallTimeoutMs: number;
  /** Whether terminals keep a screen of output that leaves their log. */
  readonly keepsScreens: boolean;
  readonly makeTerminal: MakeTerminal;
  /** Ended commands that are kept for one principal; beyond it the oldest are forgotten early. Default 10,000. */
  readonly maxEnded?: number;
  /** A command was ended because its ttl was over. */
  readonly onExpired: (command: DetachableCommand) => void;
}

/** What to start, and how much of it to keep. */
export interface DetachableStart {
  readonly key: string;
  readonly principal: string;
  readonly identity: string;
  readonly ttlMs: number;
  /** Bytes kept of each stream. */
  readonly replayBytes: number;
  /** Whether the command waits, with nobody attached, before a byte is forgotten that the last writer has not acknowledged. */
  readonly waitsForWriter: boolean;
  /** Size of its terminal, if it has one. */
  readonly tty: TerminalSize | undefined;
  readonly capBytes: number;
  /** Keeps it; then `ttlMs` is Infinity, and the holder calls `expire`. Default: nobody. */
  readonly holder?: CommandHolder;
  /** Who its processes belong to; the caller closes it. Default: an owner of its own, closed when it is gone. */
  readonly owner?: Owner;
  readonly start: Omit<CommandStart, 'outputs'>;
}

export class Detachables {
  readonly budget: ReplayBudget;
  readonly #options: DetachablesOptions;
  readonly #byPrincipal = new Map<string, Map<string, DetachableCommand>>();
  /** Ended commands of each principal, in the order of their end. */
  readonly #ended = new Map<string, Set<DetachableCommand>>();
  readonly #turns = new FoldTurns();

  constructor(options: DetachablesOptions) {
    this.#options = options;
    this.budget = new ReplayBudget(options.replayBudgetBytes);
  }

  /** Commands of one principal that run or are kept, in the order of their start. */
  of(principal: string): DetachableCommand[] {
    return [...(this.#byPrincipal.get(principal)?.values() ?? [])];
  }

  /** Commands that run with nobody attached. */
  get detachedCount(): number {
    let count = 0;
    for (const commands of this.#byPrincipal.values()) {
      for (const { clientCount, end } of commands.values()) if (clientCount === 0 && end === undefined) count += 1;
    }
    return count;
  }

  find(principal: string, key: string): DetachableCommand | undefined {
    return this.#byPrincipal.get(principal)?.get(key);
  }

  /** Whether a principal has a command whose key begins with the affinity of this one. */
  knowsAffinity(principal: string, key: string): boolean {
    const affinity = affinityOf(key);
    return this.of(principal).some((command) => affinityOf(command.key) === affinity);
  }

  /** Starts a command under a free key. @throws {CommandError} noRoom @throws {SpawnError} when it cannot even be prepared */
  start(start: DetachableStart): DetachableCommand {
    const { table, clock, stallTimeoutMs } = this.#options;
    table.requireRoom();
    const streams: readonly OutputName[] = start.tty === undefined ? ['stdout', 'stderr'] : ['stdout'];
    this.#requireReserve(start.waitsForWriter ? start.replayBytes * streams.length : 0);
    const outputs = { stdout: this.#log(start, 'stdout'), stderr: this.#log(start, 'stderr') };
    const owner = start.owner ?? table.openOwner();
    const closeOwn = (): void => {
      if (start.owner === undefined) table.closeOwner(owner);
    };
    const command: DetachableCommand = new DetachableCommand({
      key: start.key,
      principal: start.principal,
      identity: start.identity,
      ttlMs: start.ttlMs,
      replayBytes: start.replayBytes,
      logs: Object.fromEntries(streams.map((stream) => [stream, outputs[stream]])),
      screen: this.#screen(start.tty, outputs.stdout),
      clock,
      holder: start.holder,
      stallTimeoutMs,
      onGone: (gone, wasRunning) => {
        this.#remove(gone);
        const isCut = wasRunning && start.holder === undefined && gone.running.command.state !== 'closed';
        if (isCut) this.#options.onExpired(gone);
        closeOwn();
      },
    });
    const onEvent = (event: CommandEvent): void => {
      if (event === 'started') command.started();
      start.start.onEvent?.(event);
    };
    try {
      command.runs(table.start(owner, { ...start.start, onEvent, outputs }));
    } catch (error) {
      closeOwn();
      for (const log of Object.values(outputs)) log.discard();
      throw error;
    }
    let commands = this.#byPrincipal.get(start.principal);
    if (commands === undefined) {
      commands = new Map();
      this.#byPrincipal.set(start.principal, commands);
    }
    commands.set(start.key, command);
    command.running.ended.then(
      () => this.#onEnded(command),
      () => {},
    );
    return command;
  }

  /** Forgets a command that has ended. @throws {CommandError} keyNotFound, stillRunning */
  forget(principal: string, key: string): void {
    const command = this.find(principal, key);
    if (command === undefined) throw new CommandError('keyNotFound', { key });
    if (command.end === undefined) throw new CommandError('stillRunning', { key });
    command.expire();
  }

  #onEnded(command: DetachableCommand): void {
    const { principal, key } = command.options;
    // Its time may have been over before its end.
    if (this.find(principal, key) !== command) return;
    const ended = this.#ended.get(principal) ?? new Set();
    ended.add(command);
    this.#ended.set(principal, ended);
    if (ended.size > (this.#options.maxEnded ?? MAX_ENDED)) oldestUnviewed([ended])?.expire();
  }

  #remove(command: DetachableCommand): void {
    const { principal, key } = command.options;
    const ended = this.#ended.get(principal);
    ended?.delete(command);
    if (ended?.size === 0) this.#ended.delete(principal);
    const commands = this.#byPrincipal.get(principal);
    if (commands?.get(key) !== command) return;
    commands.delete(key);
    if (commands.size === 0) this.#byPrincipal.delete(principal);
  }

  /** Forgets ended commands that still hold a reservation, the oldest first. @throws {CommandError} noRoom */
  #requireReserve(bytes: number): void {
    while (!this.budget.canReserve(bytes)) {
      const oldest = oldestUnviewed(this.#ended.values());
      if (oldest === undefined) throw new CommandError('noRoom', { bound: 'replayBudget' });
      oldest.expire();
    }
  }

  #log({ capBytes, replayBytes, waitsForWriter, tty }: DetachableStart, stream: OutputName): OutputLog {
    // A terminal has no second stream, so nothing is kept of one, and it has no share of the budget that nobody would give back.
    if (tty !== undefined && stream === 'stderr') return new OutputLog({ capBytes });
    const retention: Retention = { keepBytes: replayBytes, waitsForWriter, budget: this.budget };
    return new OutputLog({ capBytes, retention });
  }

  #screen(size: TerminalSize | undefined, log: OutputLog): CommandScreen | undefined {
    if (size === undefined) return undefined;
    const { makeTerminal, keepsScreens } = this.#options;
    return new CommandScreen({ log, size, makeTerminal, turns: this.#turns, folds: keepsScreens });
  }
}

/** Of ended commands that nobody views, the one that ended first. */
function oldestUnviewed(ended: Iterable<Set<DetachableCommand>>): DetachableCommand | undefined {
  let oldest: DetachableCommand | undefined;
  for (const commands of ended) {
    for (const command of commands) {
      if (command.attachments.size > 0) continue;
      if (oldest === undefined || endedAtMs(command) < endedAtMs(oldest)) oldest = command;
      break;
    }
  }
  return oldest;
}

function endedAtMs({ running, end }: DetachableCommand): number {
  return running.startedAtMs + (end?.durationMs ?? 0);
}
