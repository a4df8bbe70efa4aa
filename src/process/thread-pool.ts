/**
 * libuv's pool of threads, on which files are looked up and children are started: sets its size, and starts all threads at the beginning. It knows
 * nothing of what they do.
 */
import { promises, readdirSync } from 'node:fs';

/**
 * A thread is held as long as a file system does not answer. Four, libuv's default, would soon be held. Starts have half of them, operations on
 * files of clients ten. An idle thread costs a few kilobytes.
 */
const POOL_THREADS = 24;
/** libuv's own default. */
const DEFAULT_POOL_THREADS = 4;
/** Where libuv reads the size when the pool starts. */
const SIZE_VARIABLE = 'UV_THREADPOOL_SIZE';

let threads = DEFAULT_POOL_THREADS;

/** Threads of the pool. */
export function poolThreads(): number {
  return threads;
}

/**
 * Starts the pool before the process may have reached a limit of threads: libuv aborts the process when a thread cannot be made later. If something
 * else has started the pool earlier, such as `--import` in NODE_OPTIONS, it stays as small as it is.
 */
export async function startThreadPool(): Promise<void> {
  const wanted = process.env[SIZE_VARIABLE];
  // Removed from the environment again, because commands inherit it.
  if (wanted === undefined) process.env[SIZE_VARIABLE] = String(POOL_THREADS);
  const before = threadsOfProcess();
  await promises.stat('/');
  if (wanted === undefined) delete process.env[SIZE_VARIABLE];
  const started = threadsOfProcess() - before;
  if (started > 0) threads = started;
}

/** 0 without /proc. */
function threadsOfProcess(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return 0;
  }
}
