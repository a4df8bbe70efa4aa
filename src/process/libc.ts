/**
 * The few calls of the C library that Node lacks, through koffi: real pipes, close-on-exec for everything, no core dumps. It knows nothing of
 * processes. It is loaded at the first command, so that the start-up is not slower.
 */
import { readdirSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { LibraryHandle } from 'koffi';
import { type ChildCalls, childCalls } from './child-calls.js';
import { ChildReaper } from './child-reaper.js';
import { type OpenBeneath, openBeneathCall } from './open-beneath.js';
import { SpawnError } from './os-process.js';
import { posixSpawn, type SpawnChild } from './posix-spawn.js';
import { type KernelCalls, kernelCalls } from './sandbox/kernel-calls.js';
import { sandboxArchitecture } from './sandbox/syscall-numbers.js';
import { spawnCall } from './spawn-call.js';
import { O_CLOEXEC, type TerminalCalls, terminalCalls } from './terminal-pair.js';

/** close_range(2) has this number on every architecture. Its glibc wrapper needs glibc 2.34; the call itself needs only the kernel. */
const SYS_CLOSE_RANGE = 436;
/** Marks descriptors instead of closing them; Linux 5.11 (linux/close_range.h). */
const CLOSE_RANGE_CLOEXEC = 4;
/** The highest descriptor that close_range knows: an unsigned -1. */
const LAST_DESCRIPTOR = 0xffffffff;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const PR_SET_DUMPABLE = 4;
/** The same on every architecture that Node has a build for (asm-generic/resource.h). */
const RLIMIT_NOFILE = 7;
/** Two 64-bit numbers on every 64-bit architecture. */
const RLIMIT_BYTES = 16;
/** flock(2): exclusive, and an error instead of a wait. */
const LOCK_EX_NB = 2 | 4;
/** Room for an extended attribute that is a flag. */
const ATTRIBUTE_BYTES = 64;
/** mallopt(3) of glibc. */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
/**
 * Blocks from this size on are mapped, so that they go back to the kernel when they are freed. This is glibc's own default, but glibc raises it up to
 * 32 MiB when such a block is freed, unless it is set.
 */
const MMAP_THRESHOLD_BYTES = 128 * 1024;
/** Both ends of a pipe; both are close-on-exec and blocking. */
export interface PipeEnds {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** The calls that could be loaded. */
export interface Libc {
  /** Whether `openPipe` works. Without it a child gets sockets, and `/dev/stdout` cannot be opened by name. */
  readonly realPipes: boolean;
  /** Why something is missing, for the log; undefined when nothing is. */
  readonly reason: string | undefined;
  /** @throws {SpawnError} `EMFILE` or `ENFILE` when no descriptor is left. */
  openPipe(): PipeEnds;
  /** Starts a child on such pipes. Missing if the C library is too old; then Node's own `spawn` is used. */
  readonly spawnChild?: SpawnChild | undefined;
  /** Calls about children; missing without `spawnChild`. */
  readonly childCalls?: ChildCalls | undefined;
  /** Whether `spawnChild` can start a child in another control group (glibc 2.39). */
  readonly entersCgroup?: boolean | undefined;
  /** Learns the ends of the children; missing without `spawnChild`. */
  readonly reaper?: ChildReaper | undefined;
  /** Calls that restrict a thread; undefined on an architecture whose numbers are not known. */
  kernelCalls?(): KernelCalls | undefined;
  /** Marks every descriptor from 3 up close-on-exec, so that the next child has 0, 1 and 2 and no other. */
  markAllCloseOnExec(): void;
  /** Keeps processes of the same user from reading this one's memory and environment. @returns whether it took effect */
  denyDump(): boolean;
  /** Opens terminals and sets their size; missing if the C library cannot be called. */
  readonly terminals?: TerminalCalls | undefined;
  /**
   * Takes the lock of an open file, without waiting; closing the descriptor gives it back. Missing if the C library cannot be called.
   * @returns whether the lock was free
   */
  readonly tryLock?: ((fd: number) => boolean) | undefined;
  /** Value of an extended attribute of a file. Missing if the C library cannot be called. @returns undefined when it has none, or cannot be read */
  readonly attributeOf?: ((path: string, name: string) => string | undefined) | undefined;
  /** Opens a path that may not leave a folder. Missing if the C library cannot be called; the kernel may still lack the call (`ENOSYS`). */
  readonly openBeneath?: OpenBeneath | undefined;
  /** Gives mapped memory back to the kernel, which nothing may use any more. Missing if the C library cannot be called. */
  readonly unmap?: ((range: { readonly address: number; readonly bytes: number }) => void) | undefined;
  /** Gives free memory back to the kernel. Missing if the C library keeps none or cannot be called. */
  readonly trimMemory?: (() => void) | undefined;
  /** Sets how many descriptors this process and its children may have, up to their hard limit, which stays. Missing without a C library. */
  readonly limitDescriptors?: ((count: number) => void) | undefined;
  /** Ends the process at once, without waiting for other threads, which may be waiting for a file system. Missing without a C library. */
  readonly exitAtOnce?: ((exitCode: number) => void) | undefined;
  /** Name of the last error of a C call on this thread, such as `EMFILE`; undefined when unknown. */
  lastError(): string | undefined;
}

/** Loads libc once for the program. Never rejects: what cannot be loaded is missing, and `reason` says why. */
export function loadLibc(): Promise<Libc> {
  loading ??= load().then((libc) => {
    loaded = libc;
    return libc;
  });
  return loading;
}

/** Libc, once {@link loadLibc} has loaded it. */
export function loadedLibc(): Libc | undefined {
  return loaded;
}

let loading: Promise<Libc> | undefined;
let loaded: Libc | undefined;

async function load(): Promise<Libc> {
  if (process.platform !== 'linux') return withoutLibc(`real pipes need Linux, this is ${process.platform}`);
  try {
    const { default: koffi } = await import('koffi');
    const lib = koffi.load(null);
    const architecture = sandboxArchitecture(process.arch);
    return {
      ...linuxLibc(lib, () => koffi.errno()),
      kernelCalls: () => (architecture === undefined ? undefined : kernelCalls(koffi, lib, architecture)),
    };
  } catch (error) {
    return withoutLibc(`koffi cannot be used: ${messageOf(error)}`);
  }
}

function withoutLibc(reason: string): Libc {
  return {
    realPipes: false,
    reason,
    openPipe() {
      throw new SpawnError(reason, 'ENOSYS');
    },
    markAllCloseOnExec() {},
    denyDump: () => false,
    lastError: () => undefined,
  };
}

function linuxLibc(lib: LibraryHandle, errno: () => number): Libc {
  const pipe2: (fds: number[], flags: number) => number = lib.func('int pipe2(_Out_ int *fds, int flags)');
  const syscall: (n: number, a: number, b: number, c: number) => number = lib.func(
    'long syscall(long number, unsigned long a, unsigned long b, unsigned long c)',
  );
  const fcntl: (fd: number, command: number, argument: number) => number = lib.func(
    'int fcntl(int fd, int command, long argument)',
  );
  const prctl: (option: number, a: number, b: number, c: number, d: number) => number = lib.func(
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  );

  const flock: (fd: number, operation: number) => number = lib.func('int flock(int fd, int operation)');

  const lastError = (): string | undefined => {
    const code = errno();
    return code === 0 ? undefined : getSystemErrorName(-code);
  };
  const markRange = (): boolean => Number(syscall(SYS_CLOSE_RANGE, 3, LAST_DESCRIPTOR, CLOSE_RANGE_CLOEXEC)) === 0;
  // BEFORE the first command, so that a kernel or a seccomp profile that refuses the call is noticed once, not per command.
  const hasCloseRange = markRange();

  const markAllCloseOnExec = (): void => {
    if (hasCloseRange) {
      markRange();
      return;
    }
    for (const name of readdirSync('/proc/self/fd')) {
      const fd = Number(name);
      if (fd > 2) fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
  };

  return {
    realPipes: true,
    ...spawning(lib, markAllCloseOnExec),
    terminals: terminalCalls(lib, errno),
    limitDescriptors: descriptorLimiter(lib),
    exitAtOnce: lib.func('void _exit(int code)'),
    lastError,
    openPipe() {
      const ends = [0, 0];
      if (pipe2(ends, O_CLOEXEC) !== 0) {
        const code = lastError() ?? 'EMFILE';
        throw new SpawnError(`no pipe could be opened (${code})`, code);
      }
      return { readEnd: ends[0] ?? -1, writeEnd: ends[1] ?? -1 };
    },
    openBeneath: openBeneathCall(lib, errno),
    unmap: memoryUnmapper(lib),
    tryLock: (fd) => flock(fd, LOCK_EX_NB) === 0,
    attributeOf: attributeReader(lib),
    trimMemory: memoryTrimmer(lib),
    markAllCloseOnExec,
    denyDump: () => prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) === 0,
  };
}

function spawning(
  lib: LibraryHandle,
  markAllCloseOnExec: () => void,
): Pick<Libc, 'spawnChild' | 'childCalls' | 'entersCgroup' | 'reaper' | 'reason'> {
  try {
    const calls = childCalls(lib);
    const reaper = new ChildReaper(calls);
    const call = spawnCall(lib);
    return {
      spawnChild: posixSpawn(call, reaper, markAllCloseOnExec),
      entersCgroup: call.entersCgroup,
      childCalls: calls,
      reaper,
      reason: undefined,
    };
  } catch (error) {
    return { spawnChild: undefined, reason: `posix_spawn cannot be used: ${messageOf(error)}` };
  }
}

/** Has large blocks mapped from now on. @returns undefined if the C library has no such calls, as in musl */
function memoryTrimmer(lib: LibraryHandle): (() => void) | undefined {
  try {
    const mallopt: (name: number, value: number) => number = lib.func('int mallopt(int name, int value)');
    const mallocTrim: (pad: number) => number = lib.func('int malloc_trim(size_t pad)');
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
    mallopt(M_TRIM_THRESHOLD, MMAP_THRESHOLD_BYTES);
    return () => {
      mallocTrim(0);
    };
  } catch {
    return undefined;
  }
}

function memoryUnmapper(lib: LibraryHandle): NonNullable<Libc['unmap']> {
  const munmap: (address: number, bytes: number) => number = lib.func('int munmap(uintptr_t address, size_t bytes)');
  return ({ address, bytes }) => {
    munmap(address, bytes);
  };
}

function attributeReader(lib: LibraryHandle): NonNullable<Libc['attributeOf']> {
  const getxattr: (path: string, name: string, value: Buffer, bytes: number) => number = lib.func(
    'long getxattr(const char *path, const char *name, void *value, size_t bytes)',
  );
  return (path, name) => {
    const value = Buffer.alloc(ATTRIBUTE_BYTES);
    const bytes = Number(getxattr(path, name, value, value.length));
    return bytes < 0 ? undefined : value.toString('latin1', 0, bytes);
  };
}

function descriptorLimiter(lib: LibraryHandle): (count: number) => void {
  const prlimit: (pid: number, resource: number, set: Buffer | null, get: Buffer | null) => number = lib.func(
    'int prlimit(int pid, int resource, void *set, void *get)',
  );
  return (count) => {
    // `struct rlimit`: the soft limit and the hard one.
    const limits = Buffer.alloc(RLIMIT_BYTES);
    if (prlimit(0, RLIMIT_NOFILE, null, limits) !== 0 || BigInt(count) > limits.readBigUInt64LE(8)) return;
    limits.writeBigUInt64LE(BigInt(count), 0);
    prlimit(0, RLIMIT_NOFILE, limits, null);
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
