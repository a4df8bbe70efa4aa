/**
 * Starts children through posix_spawn of the C library, off the event loop, and has their ends learnt: the kernel shares the server's
 * memory with a child until its exec, where Node's own `spawn` copies the page tables (half the time of a short command, and more the
 * larger the server). It knows neither pipes nor terminals.
 */
import type { LibraryHandle } from 'koffi';
import { ChildReaper } from './child-reaper.js';
import type { ExitStatus } from './os-process.js';
import { type ChildStart, type SpawnResult, spawnCall } from './spawn-call.js';

const WNOHANG = 1;
/** `int`. */
const INT_BYTES = 4;

/** Starts a child. `onExit` is called once, from the event loop, never before the promise has resolved. */
export type SpawnChild = (start: ChildStart, onExit: (status: ExitStatus) => void) => Promise<SpawnResult>;

/**
 * @param markAllCloseOnExec is called before a start where the C library cannot have the child close what it must not inherit.
 * @throws {Error} when the C library lacks one of the functions (glibc before 2.29).
 */
export function posixSpawn(lib: LibraryHandle, markAllCloseOnExec: () => void): SpawnChild {
  const call = spawnCall(lib);
  const waitpid: (pid: number, status: Buffer, options: number) => number = lib.func(
    'int waitpid(int pid, void *status, int options)',
  );
  const number = Buffer.alloc(INT_BYTES);
  const reaper = new ChildReaper((pid) => {
    const reaped = waitpid(pid, number, WNOHANG);
    if (reaped === 0) return undefined;
    return reaped === pid ? number.readInt32LE(0) : null;
  });
  return async (start, onExit) => {
    if (!call.closesInherited) markAllCloseOnExec();
    const pid = await call.onPoolThread(start);
    if (pid > 0) reaper.watch(pid, onExit);
    return pid;
  };
}
