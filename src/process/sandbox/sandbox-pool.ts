/**
 * Keeps the restricted threads of a server: gives one to each start, bounds their number, and ends those that are not needed. It knows neither
 * policies nor processes. A thread can serve every start whose plan has the same key.
 *
 *     starting ──restricted──► of an owner ──owner released──► free ──same key──► of another owner
 *         └──failed──► gone ◄──least recently used, when there are too many──┴────┘
 *
 * A thread shares its Landlock domain with the processes that it has started, so it serves one owner at a time. Those processes run on when
 * their thread ends. Threads are kept, because a new one costs 25 ms and every thread leaves some memory behind when it ends.
 *
 * Long because all of this changes one set of threads.
 */
import type { NamedPaths } from '../program-path.js';
import type { ChildStart, SpawnResult } from '../spawn-call.js';
import { ChangeSignal } from './change-signal.js';
import type { Placeholders } from './placeholders.js';
import { DEFAULT_POOL_BOUNDS, type PoolBounds } from './pool-bounds.js';
import { SandboxThreadsError } from './sandbox-errors.js';
import type { PlannedSandbox, SandboxPlan } from './sandbox-plan.js';

/** What the pool needs of a thread. */
export interface PoolThread {
  readonly ended: Promise<void>;
  check(paths: NamedPaths): Promise<void>;
  spawn(start: ChildStart): Promise<SpawnResult>;
  end(): Promise<void>;
}

export interface SandboxPoolOptions {
  /** Starts a thread and has it restrict itself. @throws {Error} when it cannot; then no thread is left. */
  readonly startThread: (plan: SandboxPlan) => Promise<PoolThread>;
  readonly placeholders: Placeholders;
  readonly bounds?: Partial<PoolBounds> | undefined;
  readonly nowMs: () => number;
  /** Called when a bound is reached for the first time; the figures count what is refused after that. */
  readonly onBound?: ((reason: string) => void) | undefined;
}

/** Figures for metrics and logs. */
export interface PoolFigures {
  readonly threads: number;
  readonly idleThreads: number;
  readonly threadsStarted: number;
  /** Milliseconds that all starts of threads took together. */
  readonly startMs: number;
  /** Threads that could not restrict themselves. */
  readonly threadsFailed: number;
  /** Commands that were refused because of a bound on threads. */
  readonly refused: number;
}

interface Slot {
  readonly key: string;
  owner: object | undefined;
  readonly thread: Promise<PoolThread>;
  readonly placeholders: readonly string[];
  /** Starts under way. */
  starting: number;
  /** Commands that have not ended. */
  running: number;
  usedAtMs: number;
}

/** A command's use of a thread. The thread is not ended before the command has started. */
export interface ThreadLease {
  /** Whether the thread's rights on files suffice for a start. @throws {SpawnError} that names what cannot be used. */
  check(paths: NamedPaths): Promise<void>;
  /** May be called again after a negative result. */
  spawn(start: ChildStart): Promise<SpawnResult>;
  /** The command has ended, or will never start. Idempotent. */
  release(): void;
}

export class SandboxPool {
  readonly #options: SandboxPoolOptions;
  readonly #bounds: PoolBounds;
  readonly #slots = new Set<Slot>();
  /** Given when there may be room. */
  readonly #room = new ChangeSignal();
  /** Placeholders of threads that have ended. They stay until their owner is released, because its processes may still run behind the mounts. */
  readonly #leftBehind = new Map<object, string[]>();
  /** Owners that get no thread any more: nothing would give it back. */
  readonly #released = new WeakSet<object>();
  #ending = 0;
  #threadsStarted = 0;
  #threadsFailed = 0;
  #startMs = 0;
  #refused = 0;
  readonly #boundsReached = new Set<string>();

  constructor(options: SandboxPoolOptions) {
    this.#options = options;
    this.#bounds = { ...DEFAULT_POOL_BOUNDS, ...options.bounds };
  }

  get figures(): PoolFigures {
    return {
      threads: this.#alive,
      idleThreads: this.#idle().length,
      threadsStarted: this.#threadsStarted,
      threadsFailed: this.#threadsFailed,
      startMs: this.#startMs,
      refused: this.#refused,
    };
  }

  /**
   * Takes a thread that carries this plan, of the same owner or of none, or starts one.
   * @throws {SandboxThreadsError} when a bound leaves none.
   * @throws {Error} of `startThread`.
   */
  async lease(owner: object, planned: PlannedSandbox): Promise<ThreadLease> {
    const slot = await this.#claim(owner, planned);
    const lease = this.#leaseOf(slot);
    try {
      await slot.thread;
      return lease;
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  /** To be called when nothing of this owner's runs any more: others may have the threads. The owner gets no other thread after that. */
  releaseOwner(owner: object): void {
    this.#released.add(owner);
    for (const slot of this.#slots) {
      if (slot.owner !== owner) continue;
      slot.owner = undefined;
      slot.usedAtMs = this.#options.nowMs();
      // Processes of this owner still run in this domain, so no other owner may have the thread.
      if (!isIdle(slot)) void this.#end(slot);
    }
    this.#options.placeholders.release(this.#leftBehind.get(owner) ?? []);
    this.#leftBehind.delete(owner);
    this.#trim();
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    const ended = [...this.#slots].map((slot) => this.#end(slot));
    await Promise.all(ended);
    for (const paths of this.#leftBehind.values()) this.#options.placeholders.release(paths);
    this.#leftBehind.clear();
  }

  get #alive(): number {
    return this.#slots.size + this.#ending;
  }

  /** Marks the thread as used before it returns, so that another waiting start cannot end it. */
  async #claim(owner: object, planned: PlannedSandbox): Promise<Slot> {
    const untilMs = this.#options.nowMs() + this.#bounds.waitMs;
    for (;;) {
      if (this.#released.has(owner)) throw new SandboxThreadsError('the connection that asked for it is closed');
      const slot =
        this.#find(owner, planned.key) ?? (this.#alive < this.#bounds.all ? this.#start(owner, planned) : undefined);
      if (slot !== undefined) {
        slot.starting += 1;
        slot.running += 1;
        return slot;
      }
      if (this.#ending <= this.#room.waiting) this.#endLeastUsed();
      if (!(await this.#room.within(untilMs - this.#options.nowMs()))) {
        throw this.#refusal(`all ${this.#bounds.all} were busy for ${this.#bounds.waitMs} ms`);
      }
    }
  }

  #find(owner: object, key: string): Slot | undefined {
    let free: Slot | undefined;
    for (const slot of this.#slots) {
      if (slot.key !== key) continue;
      if (slot.owner === owner) return this.#used(slot);
      if (slot.owner === undefined) free = slot;
    }
    if (free === undefined) return undefined;
    free.owner = owner;
    return this.#used(free);
  }

  #used(slot: Slot): Slot {
    slot.usedAtMs = this.#options.nowMs();
    return slot;
  }

  #start(owner: object, planned: PlannedSandbox): Slot {
    if (this.#threadsStarted >= this.#bounds.ever) {
      throw this.#refusal(`${this.#bounds.ever} have been started since the server's start, and no more may be`);
    }
    const startedAtMs = this.#options.nowMs();
    const placeholders = this.#options.placeholders.hold(planned.placeholders);
    this.#threadsStarted += 1;
    const thread = this.#startThread(planned);
    const slot: Slot = {
      key: planned.key,
      owner,
      thread,
      placeholders,
      starting: 0,
      running: 0,
      usedAtMs: startedAtMs,
    };
    this.#slots.add(slot);
    thread.then(
      (started) => {
        this.#startMs += this.#options.nowMs() - startedAtMs;
        void started.ended.then(() => this.#gone(slot));
      },
      () => {
        this.#threadsFailed += 1;
        this.#gone(slot);
      },
    );
    return slot;
  }

  /** An error of `plan()` rejects the promise, too, so that the thread counts as failed. */
  async #startThread(planned: PlannedSandbox): Promise<PoolThread> {
    return this.#options.startThread(planned.plan());
  }

  #leaseOf(slot: Slot): ThreadLease {
    let isStarting = true;
    let isRunning = true;
    const started = (): void => {
      if (!isStarting) return;
      isStarting = false;
      slot.starting -= 1;
    };
    return {
      check: async (paths) => (await slot.thread).check(paths),
      spawn: async (start) => {
        const result = await (await slot.thread).spawn(start);
        if (result > 0) {
          started();
          this.#room.give();
        }
        return result;
      },
      release: () => {
        if (!isRunning) return;
        isRunning = false;
        started();
        slot.running -= 1;
        this.#used(slot);
        this.#trim();
        this.#room.give();
      },
    };
  }

  #idle(): Slot[] {
    return [...this.#slots].filter(isIdle);
  }

  #trim(): void {
    const idle = this.#idle().sort((one, other) => one.usedAtMs - other.usedAtMs);
    for (const slot of idle.slice(0, Math.max(0, idle.length - this.#bounds.idle))) void this.#end(slot);
  }

  /** Prefers an idle thread. The commands of a busy one run on. */
  #endLeastUsed(): void {
    const order = (slot: Slot): number => (isIdle(slot) ? 0 : 1);
    const [least] = [...this.#slots]
      .filter(({ starting }) => starting === 0)
      .sort((one, other) => order(one) - order(other) || one.usedAtMs - other.usedAtMs);
    if (least !== undefined) void this.#end(least);
  }

  async #end(slot: Slot): Promise<void> {
    if (!this.#slots.delete(slot)) return;
    this.#leave(slot);
    this.#ending += 1;
    try {
      await (await slot.thread).end();
    } catch {
      // The thread failed at its start, and the starts that waited for it have got that error.
    }
    this.#ending -= 1;
    this.#room.give();
  }

  /** The thread has ended by itself. */
  #gone(slot: Slot): void {
    if (!this.#slots.delete(slot)) return;
    this.#leave(slot);
    this.#room.give();
  }

  #leave({ owner, placeholders }: Slot): void {
    if (owner === undefined) this.#options.placeholders.release(placeholders);
    else this.#leftBehind.set(owner, [...(this.#leftBehind.get(owner) ?? []), ...placeholders]);
  }

  #refusal(reason: string): SandboxThreadsError {
    this.#refused += 1;
    if (!this.#boundsReached.has(reason)) this.#options.onBound?.(reason);
    this.#boundsReached.add(reason);
    return new SandboxThreadsError(reason);
  }
}

function isIdle({ starting, running }: Slot): boolean {
  return starting === 0 && running === 0;
}
