/**
 * libuv's pool of threads, on which files are looked up and children are started: how many threads it has, and that all of them are there
 * from the beginning. It knows nothing of what they do.
 */
import { promises, readdirSync } from 'node:fs';

/**
 * A thread is held as long as a file system does not answer, and four, as libuv has by default, would soon be held. An idle thread
 * costs a few kilobytes.
 */
const POOL_THREADS = 16;
/** What libuv makes by itself. */
const DEFAULT_POOL_THREADS = 4;
/** Where libuv reads the size when the pool starts. */
const SIZE_VARIABLE = 'UV_THREADPOOL_SIZE';

let threads = DEFAULT_POOL_THREADS;

/** Threads of the pool. */
export function poolThreads(): number {
  return threads;
}

/**
 * Starts the pool, before the process may have reached a limit of threads: libuv aborts it when a thread cannot be made later. Where something
 * has started it before, such as `--import` in NODE_OPTIONS, it stays as small as it is.
 */
export async function startThreadPool(): Promise<void> {
  const wanted = process.env[SIZE_VARIABLE];
  // Not left in the environment: commands inherit that.
  if (wanted === undefined) process.env[SIZE_VARIABLE] = String(POOL_THREADS);
  const before = threadsOfProcess();
  await promises.stat('/');
  if (wanted === undefined) delete process.env[SIZE_VARIABLE];
  const started = threadsOfProcess() - before;
  if (started > 0) threads = started;
}

/** 0 where there is no /proc. */
function threadsOfProcess(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return 0;
  }
}
