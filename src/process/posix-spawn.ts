/**
 * Starts children through posix_spawn of the C library, off the event loop, and has the reaper learn their ends. With posix_spawn the kernel shares
 * the server's memory with a child until its exec; Node's own `spawn` copies the page tables, which is half the time of a short command and more for
 * a larger server. It knows neither pipes nor terminals.
 */
import type { ChildReaper } from './child-reaper.js';
import type { ExitStatus } from './os-process.js';
import { beginStart } from './own-children.js';
import type { ChildStart, SpawnCall, SpawnResult } from './spawn-call.js';

/** Starts a child. `onExit` is called once, from the event loop, never before the promise has resolved. */
export type SpawnChild = (start: ChildStart, onExit: (status: ExitStatus) => void) => Promise<SpawnResult>;

/**
 * The children lead sessions and groups of their own. After its end a child stays a zombie until {@link ownChild} of its pid is released.
 * @param reaper learns their ends
 * @param markAllCloseOnExec called before a start if the C library cannot make the child close what it must not inherit
 */
export function posixSpawn(call: SpawnCall, reaper: ChildReaper, markAllCloseOnExec: () => void): SpawnChild {
  return spawnOnThread((start) => {
    if (!call.closesInherited) markAllCloseOnExec();
    return call.onPoolThread(start);
  }, reaper);
}

/** Starts children on the given thread, and has the reaper learn their ends. */
export function spawnOnThread(
  spawn: (start: ChildStart) => Promise<SpawnResult>,
  reaper: ChildReaper | undefined,
): SpawnChild {
  return async (start, onExit) => {
    const isOver = beginStart();
    try {
      const pid = await spawn(start);
      if (pid > 0) reaper?.watch(pid, onExit);
      return pid;
    } finally {
      isOver();
    }
  };
}
