/**
 * Loaded before an embedded server: drains it when its standard input ends, which is the end of the process that started it. Knows nothing of the
 * server.
 */
import { isMainThread } from 'node:worker_threads';

// Node loads it into every thread, and a thread's input has ended at once.
if (isMainThread) {
  const { stdin } = process;
  const drain = (): boolean => process.kill(process.pid, 'SIGTERM');
  stdin.on('end', drain).on('error', drain).resume();
  // The server itself decides how long it lives.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
}
