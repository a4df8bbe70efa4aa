/**
 * Starts children through posix_spawn of the C library, off the event loop, and has their ends learnt: the kernel shares the server's
 * memory with a child until its exec, where Node's own `spawn` copies the page tables (half the time of a short command, and more the
 * larger the server). It knows neither pipes nor terminals.
 */
import type { LibraryHandle } from 'koffi';
import type { ChildReaper } from './child-reaper.js';
import type { ExitStatus } from './os-process.js';
import { beginStart } from './own-children.js';
import { type ChildStart, type SpawnResult, spawnCall } from './spawn-call.js';

/** Starts a child. `onExit` is called once, from the event loop, never before the promise has resolved. */
export type SpawnChild = (start: ChildStart, onExit: (status: ExitStatus) => void) => Promise<SpawnResult>;

/**
 * The children lead sessions and groups of their own; after its end a child stays a zombie until {@link ownChild} of its pid is released.
 * @param reaper learns their ends
 * @param markAllCloseOnExec is called before a start where the C library cannot have the child close what it must not inherit.
 * @throws {Error} when the C library lacks one of the functions (glibc before 2.29).
 */
export function posixSpawn(lib: LibraryHandle, reaper: ChildReaper, markAllCloseOnExec: () => void): SpawnChild {
  const call = spawnCall(lib);
  return spawnOnThread((start) => {
    if (!call.closesInherited) markAllCloseOnExec();
    return call.onPoolThread(start);
  }, reaper);
}

/** Has the ends of children learnt that a thread starts, whichever it is. */
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
