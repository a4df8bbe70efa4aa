/**
 * Starts a child through posix_spawn of the C library: the kernel shares the server's memory with it until its exec, where Node's
 * own `spawn` copies the page tables (half the time of a short command, and more the larger the server). It knows neither pipes nor
 * terminals; descriptors come from outside.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import type { LibraryHandle } from 'koffi';
import { ChildReaper } from './child-reaper.js';
import type { ExitStatus } from './os-process.js';
import { spawnError } from './program-path.js';

/** Flags of posix_spawnattr_setflags; the same in glibc (from 2.26) and musl. */
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
/** `posix_spawnattr_t` is 336 bytes, `posix_spawn_file_actions_t` 80 and `sigset_t` 128, in glibc and musl; room to spare. */
const STRUCT_BYTES = 1024;
/** `int` and `pid_t`. */
const INT_BYTES = 4;
const O_RDONLY = 0;
const WNOHANG = 1;
/** What runs a file that is executable and no program, as execvp(3) does. */
const SHELL = '/bin/sh';

/** What to start: nothing is inherited but what is named here. */
export interface ChildStart {
  /** Path of the program, absolute or relative to `cwd`. No search. */
  readonly file: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Becomes descriptor 0; undefined gives /dev/null. Like the other two it is at least 3, and stays the caller's. */
  readonly stdin: number | undefined;
  readonly stdout: number;
  readonly stderr: number;
}

/**
 * Starts a child that leads a session and a group of its own, with no signal blocked or ignored. `onExit` is called once, from the
 * event loop. Every other descriptor must be close-on-exec. @returns its pid @throws {SpawnError} when the operating system refuses.
 */
export type SpawnChild = (start: ChildStart, onExit: (status: ExitStatus) => void) => number;

/** @throws {Error} when the C library lacks one of the functions (glibc before 2.29). */
export function posixSpawn(lib: LibraryHandle): SpawnChild {
  const spawn: (
    pid: Buffer,
    file: string,
    actions: Buffer,
    attributes: Buffer,
    argv: (string | null)[],
    env: (string | null)[],
  ) => number = lib.func(
    'int posix_spawn(void *pid, const char *file, void *actions, void *attributes, const char **argv, const char **env)',
  );
  const initActions: (actions: Buffer) => number = lib.func('int posix_spawn_file_actions_init(void *actions)');
  const destroyActions: (actions: Buffer) => number = lib.func('int posix_spawn_file_actions_destroy(void *actions)');
  const addDup2: (actions: Buffer, from: number, to: number) => number = lib.func(
    'int posix_spawn_file_actions_adddup2(void *actions, int from, int to)',
  );
  const addOpen: (actions: Buffer, fd: number, path: string, flags: number, mode: number) => number = lib.func(
    'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, unsigned int mode)',
  );
  const addChdir: (actions: Buffer, path: string) => number = lib.func(
    'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)',
  );
  const waitpid: (pid: number, status: Buffer, options: number) => number = lib.func(
    'int waitpid(int pid, void *status, int options)',
  );

  const attributes = spawnAttributes(lib);
  const actions = Buffer.alloc(STRUCT_BYTES);
  const number = Buffer.alloc(INT_BYTES);
  const reaper = new ChildReaper((pid) => {
    const reaped = waitpid(pid, number, WNOHANG);
    if (reaped === 0) return undefined;
    return reaped === pid ? number.readInt32LE(0) : null;
  });

  /** @returns the errno, 0 for none: these calls return it. */
  const addActions = ({ cwd, stdin, stdout, stderr }: ChildStart): number =>
    (stdin === undefined ? addOpen(actions, 0, '/dev/null', O_RDONLY, 0) : addDup2(actions, stdin, 0)) ||
    addDup2(actions, stdout, 1) ||
    addDup2(actions, stderr, 2) ||
    addChdir(actions, cwd);

  return (start, onExit) => {
    initActions(actions);
    let error = addActions(start);
    if (error === 0) {
      const argv = [...start.argv, null];
      const env = environmentOf(start);
      error = spawn(number, start.file, actions, attributes, argv, env);
      if (error === constants.errno.ENOEXEC) {
        argv.splice(0, 1, SHELL, start.file);
        error = spawn(number, SHELL, actions, attributes, argv, env);
      }
    }
    destroyActions(actions);
    if (error !== 0) throw spawnError(`program ${JSON.stringify(start.argv[0])}`, getSystemErrorName(-error));
    const pid = number.readInt32LE(0);
    reaper.watch(pid, onExit);
    return pid;
  };
}

/** The same for every child: a session of its own, every signal with its default action and none blocked. */
function spawnAttributes(lib: LibraryHandle): Buffer {
  const attributes = Buffer.alloc(STRUCT_BYTES);
  const noSignals = Buffer.alloc(STRUCT_BYTES);
  // By hand: sigfillset leaves out the two signals that glibc keeps for itself, and posix_spawn then has the child ignore them.
  const allSignals = Buffer.alloc(STRUCT_BYTES, 0xff);
  lib.func('int posix_spawnattr_init(void *attributes)')(attributes);
  lib.func('int posix_spawnattr_setflags(void *attributes, short flags)')(
    attributes,
    POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF,
  );
  lib.func('int posix_spawnattr_setsigmask(void *attributes, void *signals)')(attributes, noSignals);
  lib.func('int posix_spawnattr_setsigdefault(void *attributes, void *signals)')(attributes, allSignals);
  return attributes;
}

function environmentOf({ env }: ChildStart): (string | null)[] {
  const strings: (string | null)[] = [];
  for (const name of Object.keys(env)) strings.push(`${name}=${env[name]}`);
  strings.push(null);
  return strings;
}
