/**
 * Calls of the C library about children and other processes that Node lacks. It decides nothing, and keeps no state.
 */
import type { LibraryHandle } from 'koffi';

/** idtype_t (sys/wait.h). */
const P_PID = 1;
const WNOHANG = 1;
const WEXITED = 4;
/** Leaves the child a zombie. */
const WNOWAIT = 0x0100_0000;
/** Covers children whose end is reported by a signal other than SIGCHLD, or by none. */
const WALL = 0x4000_0000;
/** `siginfo_t` is 128 bytes. */
const SIGINFO_BYTES = 128;
/** Offset of `si_code`; the same on every architecture that Node has a build for. */
const SI_CODE_OFFSET = 8;
/** Offset of `si_pid`, the first of the union: it is aligned to a pointer. */
const SI_PID_OFFSET = process.arch === 'arm' || process.arch === 'ia32' ? 12 : 16;
/** `si_uid` stands between the two. */
const SI_STATUS_OFFSET = SI_PID_OFFSET + 8;
const CLD_EXITED = 1;
const CLD_DUMPED = 3;
const CORE_DUMPED = 0x80;
const PR_SET_CHILD_SUBREAPER = 36;
/** The same numbers on every architecture; glibc has had wrappers only since 2.36. */
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;

/** Calls of the C library about processes. */
export interface ChildCalls {
  /**
   * Raw status (wait(2)) of a child that has ended. The child stays a zombie and keeps its number. Undefined while it runs; null when it is no child
   * of this process, or has been reaped elsewhere.
   */
  peek(pid: number): number | null | undefined;
  /** Reaps a zombie. Does nothing to a running child. */
  reap(pid: number): void;
  /** Makes this process the parent of every descendant that loses its own. @returns whether it took effect */
  becomeSubreaper(): boolean;
  /** Number of the session or the group of a process, even if /proc hides it. -1 when there is no such process. */
  sessionOf(pid: number): number;
  groupOf(pid: number): number;
  /** A descriptor (close-on-exec) of this process and of no later one with its number; -1 when there can be none. */
  openPidfd(pid: number): number;
  /** @returns whether the signal was sent */
  signalPidfd(pidfd: number, signalNumber: number): boolean;
}

/** @throws {Error} when the C library lacks one of the functions. */
export function childCalls(lib: LibraryHandle): ChildCalls {
  const waitid: (idType: number, id: number, info: Buffer, options: number) => number = lib.func(
    'int waitid(int idtype, unsigned int id, void *info, int options)',
  );
  const waitpid: (pid: number, status: null, options: number) => number = lib.func(
    'int waitpid(int pid, void *status, int options)',
  );
  const prctl: (option: number, a: number, b: number, c: number, d: number) => number = lib.func(
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  );
  const syscall: (n: number, a: number, b: number, c: number, d: number) => number = lib.func(
    'long syscall(long number, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  );
  const info = Buffer.alloc(SIGINFO_BYTES);

  return {
    peek(pid) {
      info.writeInt32LE(0, SI_PID_OFFSET);
      if (waitid(P_PID, pid, info, WEXITED | WNOHANG | WNOWAIT | WALL) !== 0) return null;
      if (info.readInt32LE(SI_PID_OFFSET) === 0) return undefined;
      const code = info.readInt32LE(SI_CODE_OFFSET);
      const status = info.readInt32LE(SI_STATUS_OFFSET);
      if (code === CLD_EXITED) return (status & 0xff) << 8;
      return code === CLD_DUMPED ? status | CORE_DUMPED : status;
    },
    reap(pid) {
      waitpid(pid, null, WNOHANG | WALL);
    },
    becomeSubreaper: () => prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) === 0,
    sessionOf: lib.func('int getsid(int pid)'),
    groupOf: lib.func('int getpgid(int pid)'),
    openPidfd: (pid) => Number(syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0)),
    signalPidfd: (pidfd, signalNumber) => Number(syscall(SYS_PIDFD_SEND_SIGNAL, pidfd, signalNumber, 0, 0)) === 0,
  };
}
