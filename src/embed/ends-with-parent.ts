/**
 * Loaded before an embedded server: ends it when its standard input ends, which is the end of the process that started it. Knows nothing of the server.
 */
import { isMainThread } from 'node:worker_threads';

// Node loads it into every thread, and a thread's input has ended at once.
if (isMainThread) {
  const { stdin } = process;
  // At once: every connection came through that process, so nobody is left to drain for. The guardian ends what commands have left.
  const end = (): boolean => process.kill(process.pid, 'SIGKILL');
  stdin.on('end', end).on('error', end).resume();
  // The server itself decides how long it lives.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
}
