/**
 * The threads that start the commands of another user: each has that user's rights on files, so that a directory or a program which the user
 * may not reach is refused as it would be for the user. It knows no sandbox, and not how a command becomes that user.
 *
 * A thread serves one start at a time, because a file system that does not answer holds it. There are as many as starts at the same time,
 * up to a bound; with all of them held, starts are refused as those of the server's own user are.
 */
import { type RunAs, SpawnError } from './os-process.js';
import type { NamedPaths } from './program-path.js';
import type { SandboxThread } from './sandbox/sandbox-thread.js';
import type { ChildStart, SpawnResult } from './spawn-call.js';
import { StartLane } from './start-lane.js';

/** Each is 7 MB and lives until the server ends. */
const MAX_THREADS = 4;

/** What a start may ask of its thread. */
export interface UserThread {
  /** @throws {SpawnError} that names what the user cannot use. */
  check(paths: NamedPaths): Promise<void>;
  spawn(start: ChildStart): Promise<SpawnResult>;
}

interface Crew {
  readonly user: RunAs;
  readonly thread: SandboxThread;
}

export class UserThreads {
  readonly #newThread: () => Promise<SandboxThread>;
  readonly #lane: StartLane;
  readonly #idle = new Set<Crew>();

  /** @param newThread starts a thread that has the server's rights. */
  constructor(newThread: () => Promise<SandboxThread>, { standstillMs }: { standstillMs?: number } = {}) {
    this.#newThread = newThread;
    this.#lane = new StartLane(() => MAX_THREADS, standstillMs === undefined ? {} : { standstillMs });
  }

  /**
   * Does the work of one start on a thread with this user's rights on files.
   * @throws {ShortageError} `starts` when no thread comes free.
   * @throws {SpawnError} `EPERM` when the server may not take such rights.
   */
  run<T>(user: RunAs, work: (thread: UserThread) => Promise<T>): Promise<T> {
    return this.#lane.run(async () => {
      const crew = this.#takeIdle(user) ?? (await this.#start(user));
      try {
        return await work(crew.thread);
      } finally {
        this.#idle.add(crew);
        void crew.thread.ended.then(() => this.#idle.delete(crew));
      }
    });
  }

  /** Ends the threads that serve no start. */
  async close(): Promise<void> {
    await Promise.all([...this.#idle].map(({ thread }) => thread.end()));
  }

  #takeIdle(user: RunAs): Crew | undefined {
    for (const crew of this.#idle) {
      this.#idle.delete(crew);
      if (crew.user.uid === user.uid) return crew;
      void crew.thread.end();
    }
    return undefined;
  }

  async #start(user: RunAs): Promise<Crew> {
    const thread = await this.#newThread();
    try {
      await thread.become(user);
      return { user, thread };
    } catch (error) {
      await thread.end();
      const reason = error instanceof Error ? error.message : String(error);
      throw new SpawnError(
        `to run as ${user.name} the server needs CAP_SETUID and CAP_SETGID, and a thread (${reason})`,
        'EPERM',
      );
    }
  }
}
