/**
 * The server's side of one thread that starts commands: sends it requests, gets its answers, and knows when it has ended. It knows neither clients
 * nor how many threads there are.
 *
 *     starting ──answers `restrict` or `become`──► ready ──end() or a crash──► ended
 *         └──cannot restrict itself───────────────────────────────────────────▲
 */
import { Worker } from 'node:worker_threads';
import { type RunAs, SpawnError } from '../os-process.js';
import type { NamedPaths } from '../program-path.js';
import type { ChildStart, SpawnResult } from '../spawn-call.js';
import { keepYoungHeapSmall } from '../young-heap.js';
import type { MemoryRange } from './call-memory.js';
import { SandboxPlanOutdatedError, SandboxUnavailableError } from './sandbox-errors.js';
import type { SandboxPlan } from './sandbox-plan.js';
import type { ThreadAnswer, ThreadEnd, ThreadFailure, ThreadRequest } from './thread-messages.js';

/** Enough for the longest arguments and environment that the kernel takes (6 MiB) a few times over. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 } as const;

let living = 0;

/** Threads of this program that have not ended. */
export function sandboxThreads(): number {
  return living;
}

interface Waiting {
  resolve(result: number): void;
  reject(error: Error): void;
}

export class SandboxThread {
  /** Resolves when the thread has ended, for any reason. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #leaves: readonly MemoryRange[] = [];
  #endedBy: Error | undefined;

  /**
   * @param script path of the built `sandbox-worker`
   * @param unmap gives memory back that the ended thread has left; undefined where that cannot be done
   */
  constructor(script: string, unmap?: ((range: MemoryRange) => void) | undefined) {
    // Without environment and flags the thread holds no secret, and loads none of the server's modules.
    this.#worker = new Worker(script, {
      env: {},
      execArgv: [],
      argv: [],
      resourceLimits: RESOURCE_LIMITS,
      // Descriptors come from the kernel's own calls, and the thread closes each of them.
      trackUnmanagedFds: false,
    });
    living += 1;
    this.#worker.unref();
    this.#worker.once('online', keepYoungHeapSmall);
    this.#worker.on('message', (message: ThreadAnswer | ThreadEnd) => {
      if ('leaves' in message) this.#leaves = message.leaves;
      else this.#answered(message);
    });
    this.ended = new Promise((resolve) => {
      const over = (error: Error): void => {
        this.#fail(error);
        resolve();
      };
      this.#worker.on('error', (error: Error) => over(unavailable(`its thread failed: ${error.message}`)));
      this.#worker.on('exit', () => {
        living -= 1;
        // The system's thread has been joined: nothing runs on this stack any more.
        if (unmap !== undefined) this.#leaves.forEach(unmap);
        over(unavailable('its thread has ended'));
      });
    });
  }

  /** @throws {SandboxUnavailableError} when a thread on this host cannot have mounts of its own. */
  async tryMounts(): Promise<void> {
    await this.#ask({ tryMounts: true });
  }

  /**
   * To be called once, before any `spawn`. When it fails the thread must be ended.
   * @throws {SandboxUnavailableError} when the host refuses a part of the plan.
   * @throws {SandboxPlanOutdatedError} when a root has been replaced since.
   */
  async restrict(plan: SandboxPlan, serverThreads: readonly number[]): Promise<void> {
    await this.#ask({ restrict: plan, serverThreads });
  }

  /**
   * Takes a user's rights on files, in place of a plan. To be called once, before any `spawn`.
   * @throws {SandboxUnavailableError} when the server lacks the capabilities for it; then the thread must be ended.
   */
  async become(user: RunAs): Promise<void> {
    await this.#ask({ become: user });
  }

  /**
   * Whether the thread's rights on files suffice for the directory and the program of a start.
   * @throws {SpawnError} that names what cannot be used. @throws {SandboxUnavailableError} when the thread is no more.
   */
  async check({ argv: [program], cwd, env: { PATH } }: NamedPaths): Promise<void> {
    await this.#ask({ check: { argv: [program], cwd, env: PATH === undefined ? {} : { PATH } } });
  }

  /** @throws {SandboxUnavailableError} when the thread has ended; then it is not known whether the child runs. */
  spawn(start: ChildStart): Promise<SpawnResult> {
    return this.#ask({ spawn: start });
  }

  /** Ends it after what was asked before. Its children live on, as children of the server. Idempotent. */
  end(): Promise<void> {
    if (this.#endedBy === undefined) {
      this.#worker.postMessage({ end: true } satisfies ThreadRequest);
      this.#worker.ref();
    }
    return this.ended;
  }

  #ask(request: ThreadRequest): Promise<number> {
    if (this.#endedBy !== undefined) return Promise.reject(this.#endedBy);
    this.#worker.postMessage(request);
    // A server that has nothing else to do waits for the answer, but not for the thread.
    this.#worker.ref();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #answered(answer: ThreadAnswer): void {
    const waiting = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#worker.unref();
    if ('failed' in answer) waiting?.reject(errorOf(answer.failed));
    else waiting?.resolve(answer.result);
  }

  #fail(error: Error): void {
    this.#endedBy ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#endedBy);
  }
}

function errorOf({ message, part, errno, outdated }: ThreadFailure): Error {
  if (errno !== undefined) return new SpawnError(message, errno);
  if (outdated === true) return new SandboxPlanOutdatedError(message);
  return part === undefined ? unavailable(message) : new SandboxUnavailableError([part], message);
}

/** The error of a thread that failed by itself. The cause is not known, so Landlock is named: without the thread nothing is enforced. */
function unavailable(message: string): SandboxUnavailableError {
  return new SandboxUnavailableError(['landlock'], message);
}
