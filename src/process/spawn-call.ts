/**
 * Builds the posix_spawn call of the C library from plain data, and makes it: on the calling thread, or on one of libuv's pool. The child inherits
 * the restrictions of the calling thread. It knows no pipes and no exits, and does not find out why a start failed.
 */
import { constants } from 'node:fs';
import type { LibraryHandle } from 'koffi';
import type { Environment } from './os-process.js';

/** Flags of posix_spawnattr_setflags; the same in glibc (from 2.26) and musl. */
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const POSIX_SPAWN_SETCGROUP = 0x100;
/** `posix_spawnattr_t` is 336 bytes, `posix_spawn_file_actions_t` 80 and `sigset_t` 128, in glibc and musl. This is larger than each. */
const STRUCT_BYTES = 512;
/** `int` and `pid_t`. */
const INT_BYTES = 4;
/** A child has the descriptors 0, 1 and 2 and no other. */
const FIRST_CLOSED_DESCRIPTOR = 3;

/** A child's descriptors 0, 1 and 2. */
export type ChildStreams =
  /** Descriptors of the server, each at least 3; they stay its own. Without `stdin` the child reads /dev/null. */
  | { readonly stdin: number | undefined; readonly stdout: number; readonly stderr: number }
  /** Path of a terminal that controls no session yet: the child, which leads a session, opens it and gets it as its own. */
  | { readonly terminal: string };

/** A start as plain data, so that it can be sent to another thread. A child inherits only what is named here. */
export interface ChildStart {
  /** Path of the program, absolute or relative to `cwd`. */
  readonly file: string;
  /** True looks for a `file` without a slash in the PATH of the server, as execvp(3) does. Default: false. */
  readonly searchesPath?: boolean;
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Undefined leaves the child in the server's directory. */
  readonly cwd: string | undefined;
  readonly streams: ChildStreams;
  /** Descriptor of the control group that the child is born in. Default: the server's own. Has no effect without {@link SpawnCall.entersCgroup}. */
  readonly cgroup?: number;
}

/** Pid of the new child, or the negated errno when there is none. */
export type SpawnResult = number;

/** Starts children that lead a session of their own, with every signal at its default and none blocked. */
export interface SpawnCall {
  /** Blocks the calling thread until the child has reached its program. */
  onThisThread(start: ChildStart): SpawnResult;
  /**
   * Blocks a thread of libuv's pool instead of the caller's, because looking up a path may take for ever.
   * @throws {Error} when more than 256 calls are under way (koffi's `max_async_calls`)
   */
  onPoolThread(start: ChildStart): Promise<SpawnResult>;
  /** Whether the child itself closes the descriptors it must not inherit; otherwise they must all be marked close-on-exec before. */
  readonly closesInherited: boolean;
  /** Whether a child can be born in another control group than the server's (glibc 2.39). */
  readonly entersCgroup: boolean;
}

/** Ends with null. */
type Strings = (string | Uint8Array | null)[];
type SpawnArguments = [pid: Buffer, file: string, actions: Buffer, attributes: Buffer, argv: Strings, env: Strings];

interface Spawn {
  (...args: SpawnArguments): number;
  async(...args: [...SpawnArguments, done: (error: Error | null, errno: number) => void]): void;
}

/** @throws {Error} when the C library lacks one of the functions (glibc before 2.29). */
export function spawnCall(lib: LibraryHandle): SpawnCall {
  const signature =
    '(void *pid, const char *file, void *actions, void *attributes, const char **argv, const char **env)';
  const spawnFile: Spawn = lib.func(`int posix_spawn${signature}`);
  const spawnBySearch: Spawn = lib.func(`int posix_spawnp${signature}`);
  const initActions: (actions: Buffer) => number = lib.func('int posix_spawn_file_actions_init(void *actions)');
  const destroyActions: (actions: Buffer) => number = lib.func('int posix_spawn_file_actions_destroy(void *actions)');
  const addCloseFrom = closeFrom(lib);
  const addActions = actionAdder(lib, addCloseFrom);
  const attributes = spawnAttributes(lib);
  const setCgroup = cgroupSetter(lib);

  const prepare = (start: ChildStart) => {
    const actions = Buffer.alloc(STRUCT_BYTES);
    initActions(actions);
    const errno = addActions(actions, start);
    const pid = Buffer.alloc(INT_BYTES);
    const chosen =
      start.cgroup === undefined || setCgroup === undefined ? attributes.common : setCgroup(attributes, start.cgroup);
    const args: SpawnArguments = [pid, start.file, actions, chosen, [...start.argv, null], environmentOf(start)];
    return { errno, args, spawn: start.searchesPath === true ? spawnBySearch : spawnFile };
  };
  const finish = ([pid, , actions]: SpawnArguments, errno: number): SpawnResult => {
    destroyActions(actions);
    return errno === 0 ? pid.readInt32LE(0) : -errno;
  };

  return {
    closesInherited: addCloseFrom !== undefined,
    entersCgroup: setCgroup !== undefined,
    onThisThread(start) {
      const { errno, args, spawn } = prepare(start);
      return finish(args, errno || spawn(...args));
    },
    onPoolThread(start) {
      const { errno, args, spawn } = prepare(start);
      if (errno !== 0) return Promise.resolve(finish(args, errno));
      return new Promise((resolve, reject) => {
        spawn.async(...args, (error, result) => {
          const pid = finish(args, result);
          if (error === null) resolve(pid);
          else reject(error);
        });
      });
    },
  };
}

type AddCloseFrom = (actions: Buffer, from: number) => number;

/** Undefined before glibc 2.34. */
function closeFrom(lib: LibraryHandle): AddCloseFrom | undefined {
  try {
    return lib.func('int posix_spawn_file_actions_addclosefrom_np(void *actions, int from)');
  } catch {
    return undefined;
  }
}

/** @returns a function that adds the child's descriptors and directory to the actions; it returns an errno, 0 for none */
function actionAdder(
  lib: LibraryHandle,
  addCloseFrom: AddCloseFrom | undefined,
): (actions: Buffer, start: ChildStart) => number {
  const addDup2: (actions: Buffer, from: number, to: number) => number = lib.func(
    'int posix_spawn_file_actions_adddup2(void *actions, int from, int to)',
  );
  const addOpen: (actions: Buffer, fd: number, path: string, flags: number, mode: number) => number = lib.func(
    'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, unsigned int mode)',
  );
  const addChdir: (actions: Buffer, path: string) => number = lib.func(
    'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)',
  );
  const addStreams = (actions: Buffer, streams: ChildStreams): number => {
    if ('terminal' in streams) {
      // Without O_NOCTTY, a session leader that opens a free terminal gets it as its controlling terminal.
      return (
        addOpen(actions, 0, streams.terminal, constants.O_RDWR, 0) || addDup2(actions, 0, 1) || addDup2(actions, 0, 2)
      );
    }
    const { stdin, stdout, stderr } = streams;
    return (
      (stdin === undefined ? addOpen(actions, 0, '/dev/null', constants.O_RDONLY, 0) : addDup2(actions, stdin, 0)) ||
      addDup2(actions, stdout, 1) ||
      addDup2(actions, stderr, 2)
    );
  };
  return (actions, { streams, cwd }) =>
    addStreams(actions, streams) ||
    // BEFORE any path is looked up. Otherwise the child would hold the streams of other commands open as long as that takes.
    (addCloseFrom?.(actions, FIRST_CLOSED_DESCRIPTOR) ?? 0) ||
    (cwd === undefined ? 0 : addChdir(actions, cwd));
}

interface SpawnAttributes {
  /** Those of every child: a session of its own, every signal with its default action and none blocked. */
  readonly common: Buffer;
  setFlags(attributes: Buffer, flags: number): void;
}

const COMMON_FLAGS = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;

function spawnAttributes(lib: LibraryHandle): SpawnAttributes {
  const attributes = Buffer.alloc(STRUCT_BYTES);
  const noSignals = Buffer.alloc(STRUCT_BYTES);
  // By hand: sigfillset leaves out the two signals that glibc keeps for itself, and posix_spawn then makes the child ignore them.
  const allSignals = Buffer.alloc(STRUCT_BYTES, 0xff);
  lib.func('int posix_spawnattr_init(void *attributes)')(attributes);
  const setFlags: SpawnAttributes['setFlags'] = lib.func('int posix_spawnattr_setflags(void *attributes, short flags)');
  setFlags(attributes, COMMON_FLAGS);
  lib.func('int posix_spawnattr_setsigmask(void *attributes, void *signals)')(attributes, noSignals);
  lib.func('int posix_spawnattr_setsigdefault(void *attributes, void *signals)')(attributes, allSignals);
  return { common: attributes, setFlags };
}

/** @returns a function that makes attributes for a child in the control group of a descriptor; undefined before glibc 2.39 */
function cgroupSetter(lib: LibraryHandle): ((attributes: SpawnAttributes, cgroup: number) => Buffer) | undefined {
  try {
    const setCgroup: (attributes: Buffer, cgroup: number) => number = lib.func(
      'int posix_spawnattr_setcgroup_np(void *attributes, int cgroup)',
    );
    return ({ common, setFlags }, cgroup) => {
      const attributes = Buffer.from(common);
      setFlags(attributes, COMMON_FLAGS | POSIX_SPAWN_SETCGROUP);
      setCgroup(attributes, cgroup);
      return attributes;
    };
  } catch {
    return undefined;
  }
}

function environmentOf({ env }: ChildStart): Strings {
  const strings: Strings = [];
  for (const name of Object.keys(env)) {
    const value = env[name];
    strings.push(typeof value === 'string' ? `${name}=${value}` : terminated(value));
  }
  strings.push(null);
  return strings;
}

/** Bytes as the C library wants them, with a NUL at the end. */
function terminated(bytes: Uint8Array | undefined): Uint8Array {
  return Buffer.concat([bytes ?? new Uint8Array(), new Uint8Array(1)]);
}
