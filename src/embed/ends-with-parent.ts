/**
 * Node loads this file before an embedded server. It kills the server when standard input ends, because then the process that started the server has
 * ended. Knows nothing of the server.
 */
import { isMainThread } from 'node:worker_threads';

// Node loads this file into every thread, too, where standard input has ended from the beginning.
if (isMainThread) {
  const { stdin } = process;
  // Without a drain: every connection came through the ended process, so no client is left. The guardian kills the commands.
  const end = (): boolean => process.kill(process.pid, 'SIGKILL');
  stdin.on('end', end).on('error', end).resume();
  // This stream must not keep the server's process alive.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
}
