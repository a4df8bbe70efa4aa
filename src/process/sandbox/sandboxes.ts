/**
 * The sandbox of a server as one object: what the host can enforce, and starts of commands under a policy. It joins the check of the host, the
 * plans and the threads, and knows no wire.
 */
import { readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Libc } from '../libc.js';
import type { RunAs } from '../os-process.js';
import { type SpawnChild, spawnOnThread } from '../posix-spawn.js';
import type { NamedPaths } from '../program-path.js';
import { UserThreads } from '../user-threads.js';
import { MAX_GUARDED_THREADS } from './filter-rules.js';
import type { OffLoop } from './path-lookup.js';
import { Placeholders } from './placeholders.js';
import type { PoolBounds } from './pool-bounds.js';
import { SandboxPlanOutdatedError, SandboxUnavailableError } from './sandbox-errors.js';
import { checkSandboxHost, mayHaveMounts, type SandboxHost } from './sandbox-host.js';
import { type PlannedSandbox, planSandbox, type SandboxPlan } from './sandbox-plan.js';
import type { SandboxRequest } from './sandbox-policy.js';
import { type PoolFigures, SandboxPool, type ThreadLease } from './sandbox-pool.js';
import { SandboxThread } from './sandbox-thread.js';

/** Plans that are made for one start at most. A root may be replaced while a thread starts for it, which makes its plan outdated. */
const PLAN_ATTEMPTS = 3;

export interface SandboxesOptions {
  /** Path of the built `sandbox-worker`. */
  readonly script: string;
  /** Told of each thread that was started, or that failed to restrict itself. */
  readonly onThread?: ((report: { readonly startMs: number; readonly error?: unknown }) => void) | undefined;
  /** Called the first time that each bound on threads leaves a command without one. */
  readonly onBound?: ((reason: string) => void) | undefined;
  readonly libc: () => Promise<Pick<Libc, 'kernelCalls' | 'reaper' | 'unmap'>>;
  readonly bounds?: Partial<PoolBounds> | undefined;
  /** Behave as a kernel with this version of Landlock, for tests. */
  readonly newestAbi?: number | undefined;
  /** False gives no thread mounts of its own, for tests. Default: where the host lets them. */
  readonly mounts?: boolean | undefined;
}

export class Sandboxes {
  /** For commands without a policy that run as another user. */
  readonly userThreads = new UserThreads(() => this.#newThread());
  readonly #options: SandboxesOptions;
  readonly #placeholders = new Placeholders();
  readonly #pool: SandboxPool;
  #host: Promise<SandboxHost> | undefined;
  #threadIds: readonly number[] | undefined;

  constructor(options: SandboxesOptions) {
    this.#options = options;
    this.#pool = new SandboxPool({
      startThread: (plan) => this.#startThread(plan),
      placeholders: this.#placeholders,
      bounds: options.bounds,
      nowMs: () => performance.now(),
      onBound: options.onBound,
    });
  }

  get figures(): PoolFigures {
    return this.#pool.figures;
  }

  /** What this host can enforce. Found out once; never rejects. */
  host(): Promise<SandboxHost> {
    this.#host ??= this.#checkHost();
    return this.#host;
  }

  /**
   * A way to start commands under this policy, as `spawnChild` of the C library is without one.
   * @throws {SandboxUnavailableError} when it cannot be enforced.
   * @throws {SandboxThreadsError} when a bound leaves no thread for it.
   * @throws {ShortageError} of `offLoop`, which looks up the paths that a client may have chosen.
   */
  async spawnChild(
    { policy, owner }: SandboxRequest,
    command: { readonly tmpdir: string | undefined; readonly user: RunAs | undefined; readonly offLoop: OffLoop },
  ): Promise<{ readonly spawnChild: SpawnChild; check(paths: NamedPaths): Promise<void>; release(): void }> {
    const host = await this.host();
    const isPlaceholder = (path: string, identity: string): boolean => this.#placeholders.has(path, identity);
    const { reaper } = await this.#options.libc();
    const lease = await this.#lease(owner, () => planSandbox(policy, { ...command, host, isPlaceholder }));
    const spawn = spawnOnThread((start) => lease.spawn(start), reaper);
    return {
      release: () => lease.release(),
      check: (paths) => lease.check(paths),
      spawnChild: (start, onExit) =>
        spawn(start, (status) => {
          lease.release();
          onExit(status);
        }),
    };
  }

  /** To be called when nothing of this owner's runs any more. The owner can start nothing after that. */
  releaseOwner(owner: object): void {
    this.#pool.releaseOwner(owner);
  }

  /** Ends all threads, that of the check of the host, too: a program that exits while one calls the C library aborts. */
  async close(): Promise<void> {
    await Promise.all([this.#host, this.#pool.close(), this.userThreads.close()]);
  }

  async #lease(owner: object, plan: () => Promise<PlannedSandbox>): Promise<ThreadLease> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#pool.lease(owner, await plan());
      } catch (error) {
        if (!(error instanceof SandboxPlanOutdatedError)) throw error;
        if (attempt === PLAN_ATTEMPTS) throw new SandboxUnavailableError(['landlock'], error.message, { cause: error });
      }
    }
  }

  async #checkHost(): Promise<SandboxHost> {
    const { newestAbi, mounts = mayHaveMounts() } = this.#options;
    const { reaper, kernelCalls } = await this.#options.libc();
    // Without a reaper the C library cannot start children, so that none could inherit anything.
    const calls = reaper === undefined ? undefined : kernelCalls?.();
    const withoutMounts = checkSandboxHost(calls, { newestAbi, mountNamespace: false });
    if (!mounts || withoutMounts.missing.length > 0) return withoutMounts;
    return checkSandboxHost(calls, { newestAbi, mountNamespace: await this.#canMount() });
  }

  async #canMount(): Promise<boolean> {
    const thread = await this.#newThread();
    try {
      await thread.tryMounts();
      return true;
    } catch {
      return false;
    } finally {
      await thread.end();
    }
  }

  async #startThread(plan: SandboxPlan): Promise<SandboxThread> {
    const { onThread } = this.#options;
    const startedAtMs = performance.now();
    const thread = await this.#newThread();
    try {
      await thread.restrict(plan, this.#serverThreads());
      onThread?.({ startMs: performance.now() - startedAtMs });
      return thread;
    } catch (error) {
      onThread?.({ startMs: performance.now() - startedAtMs, error });
      // A thread that is only partly restricted must start nothing.
      await thread.end();
      throw error;
    }
  }

  async #newThread(): Promise<SandboxThread> {
    // Libuv's pool starts in the first thread that uses it, and keeps the restrictions of that thread. So this thread uses it first.
    await stat('/');
    this.#serverThreads();
    const { unmap } = await this.#options.libc();
    return new SandboxThread(this.#options.script, unmap);
  }

  /** The server's own threads, listed before the first restricted one exists. Later threads are in other domains, and their numbers are used again. */
  #serverThreads(): readonly number[] {
    this.#threadIds ??= readdirSync('/proc/self/task').map(Number).slice(0, MAX_GUARDED_THREADS);
    return this.#threadIds;
  }
}
