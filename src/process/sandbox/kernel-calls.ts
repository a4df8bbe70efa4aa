/**
 * The system calls by which a thread restricts itself, through the C library. It knows no policy and decides nothing.
 *
 * Each works on the calling thread alone.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import type { LibraryHandle } from 'koffi';
import type { SandboxPart } from './sandbox-errors.js';
import { type SandboxArchitecture, type SyscallName, syscallNumber } from './syscall-numbers.js';

/** prctl(2). */
const PR_SET_SECCOMP = 22;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;
/** Asks for the version in place of a ruleset. */
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;
/** Version 3 of capset(2): two words for each set. */
const CAPABILITY_VERSION = 0x20080522;
const CAPABILITY_HEADER_BYTES = 8;
const CAPABILITY_DATA_BYTES = 24;
/** Also gives the thread a directory of its own. */
const CLONE_NEWNS = 0x20000;
/** PATH_MAX of linux/limits.h. */
const PATH_BYTES = 4096;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_FROM_EMPTY_PATH = 4;
const MOUNT_ATTR_RDONLY = 1n;
const MS_PRIVATE = 1n << 18n;
/** gid_t. */
const GROUP_BYTES = 4;
/** Four 64-bit words: to set, to clear, propagation, a user namespace. */
const MOUNT_ATTRIBUTES_BYTES = 32;
/** O_PATH | O_CLOEXEC. */
const OPEN_PATH = 0o10000000n | 0o2000000n;
const RESOLVE_NO_SYMLINKS = 4n;
const OPEN_HOW_BYTES = 24;
/** faccessat2(2): with the rights that a real access would have; access(2) asks for those of the process's real user. */
const AT_EACCESS = 0x200;
const X_OK = 1;
/** With this id setfsuid(2) and setfsgid(2) change nothing and return the present id. */
const NO_ID = 0xffffffff;
/** What a call fails with that a kernel or a seccomp profile does not know. */
const UNKNOWN_CALL = new Set(['ENOSYS', 'EPERM']);

/** A call that failed, with the part of the host that it belongs to. */
export class KernelCallError extends Error {
  readonly part: SandboxPart;
  /** Such as `EPERM`. */
  readonly code: string;
  constructor(call: string, part: SandboxPart, code: string) {
    super(`${call}: ${code}`);
    this.name = 'KernelCallError';
    this.part = part;
    this.code = code;
  }
}

/** @throws {KernelCallError} each of them, when the kernel refuses. */
export interface KernelCalls {
  /** Id of the calling thread. */
  threadId(): number;
  /** 0 when there is no Landlock: not built, not switched on, or refused by a filter. */
  landlockAbi(): number;
  /** Whether a filter can be installed. Installs none. */
  hasSeccomp(): boolean;
  /** @returns a descriptor that is close-on-exec. */
  createRuleset(attributes: Buffer): number;
  addPathRule(ruleset: number, rule: Buffer): void;
  /** For the calling thread and what it starts, for ever. */
  restrictSelf(ruleset: number): void;
  /** No program gives more rights than this thread has. */
  setNoNewPrivileges(): void;
  /** @param filter the bytes of its instructions */
  installFilter(filter: Buffer): void;
  /** Takes away every capability, also from the sets out of which one could be had again. */
  dropCapabilities(): void;
  /** A mount namespace of the thread's own, from which nothing spreads. */
  unshareMounts(): void;
  /**
   * Goes by name to the directory in which the thread is, so that it is there in the mounts of now. Only for a thread with mounts of its own,
   * whose directory is no longer that of the server. Does nothing when the directory has no name, or its name leads nowhere.
   */
  reenterDirectory(): void;
  /** A copy of the mounts from this path down, not mounted anywhere. @returns its descriptor */
  cloneTree(path: string): number;
  /** @param tree a descriptor of `cloneTree`, or a path */
  makeReadOnly(tree: number | string): void;
  mountTree(tree: number, path: string): void;
  /** Opens for reference only. No part of the path may be a symbolic link. @returns a descriptor that is close-on-exec */
  openExactly(path: string): number;
  /**
   * Takes a user's rights on files, and those alone: the user can neither signal nor limit the thread. What the thread starts begins with
   * them; a program that is executed then has those of its process's user again.
   */
  takeFileRights(user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] }): void;
  /** Fails if this thread may not execute the file. Does nothing where the kernel cannot be asked (Linux before 5.8); then the start fails. */
  checkExecutable(path: string): void;
}

type Argument = number | bigint | Buffer | string | null;

/** @param koffi the library itself, whose `errno` and `address` belong to the calling thread. */
export function kernelCalls(
  koffi: { readonly errno: () => number; readonly address: (value: Buffer) => bigint },
  lib: LibraryHandle,
  architecture: SandboxArchitecture,
): KernelCalls {
  const declare = (types: string): ((...args: Argument[]) => number) => lib.func(`long syscall(long number, ${types})`);
  const numbers = declare('long a, long b, long c, long d');
  const memory = declare('void *a, long b, long c');
  const twoMemory = declare('void *a, void *b');
  const memoryThird = declare('long a, long b, void *c, long d');
  const setgroups = declare('long a, void *b');
  const atPath = declare('long a, const char *b, long c');
  const atPath4 = declare('long a, const char *b, long c, long d');
  const atPathMemory = declare('long a, const char *b, long c, void *d, long e');
  const openHow = declare('long a, const char *b, void *c, long d');
  const movePath = declare('long a, const char *b, long c, const char *d, long e');
  const prctl: (option: number, a: number | bigint, b: number | bigint, c: number, d: number) => number = lib.func(
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  );
  const nr = (name: SyscallName): number => {
    const number = syscallNumber(name, architecture);
    if (number === undefined) throw new Error(`${name} does not exist on ${architecture}`);
    return number;
  };
  const must = (result: number, call: string, part: SandboxPart): number => {
    if (result < 0) throw new KernelCallError(call, part, getSystemErrorName(-koffi.errno()));
    return Number(result);
  };

  return {
    threadId: () => Number(numbers(nr('gettid'), 0, 0, 0, 0)),
    landlockAbi: () =>
      Math.max(0, Number(memory(nr('landlock_create_ruleset'), null, 0, LANDLOCK_CREATE_RULESET_VERSION))),
    hasSeccomp() {
      // A filter at no address: EFAULT says that the kernel wanted to read it, EINVAL that it knows none.
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0, 0, 0);
      return koffi.errno() === constants.errno.EFAULT;
    },
    createRuleset: (attributes) =>
      must(
        memory(nr('landlock_create_ruleset'), attributes, attributes.length, 0),
        'landlock_create_ruleset',
        'landlock',
      ),
    addPathRule(ruleset, rule) {
      const number = nr('landlock_add_rule');
      must(memoryThird(number, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0), 'landlock_add_rule', 'landlock');
    },
    restrictSelf(ruleset) {
      must(numbers(nr('landlock_restrict_self'), ruleset, 0, 0, 0), 'landlock_restrict_self', 'landlock');
    },
    setNoNewPrivileges() {
      must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 'PR_SET_NO_NEW_PRIVS', 'seccomp');
    },
    installFilter(filter) {
      // struct sock_fprog: the number of instructions, and at the next multiple of 8 where they are.
      const program = Buffer.alloc(16);
      program.writeUInt16LE(filter.length / 8, 0);
      program.writeBigUInt64LE(koffi.address(filter), 8);
      must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, koffi.address(program), 0, 0), 'PR_SET_SECCOMP', 'seccomp');
    },
    dropCapabilities() {
      // The bounding set needs a capability to be made smaller; without it nothing can be had from there either.
      for (let capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) === 0; capability += 1);
      const header = Buffer.alloc(CAPABILITY_HEADER_BYTES);
      header.writeUInt32LE(CAPABILITY_VERSION, 0);
      must(twoMemory(nr('capset'), header, Buffer.alloc(CAPABILITY_DATA_BYTES)), 'capset', 'capabilities');
    },
    unshareMounts() {
      must(numbers(nr('unshare'), CLONE_NEWNS, 0, 0, 0), 'unshare', 'mountNamespace');
      const attributes = Buffer.alloc(MOUNT_ATTRIBUTES_BYTES);
      attributes.writeBigUInt64LE(MS_PRIVATE, 16);
      must(
        atPathMemory(nr('mount_setattr'), AT_FDCWD, '/', AT_RECURSIVE, attributes, MOUNT_ATTRIBUTES_BYTES),
        'mount_setattr (private)',
        'mountNamespace',
      );
    },
    reenterDirectory() {
      // Bytes: the name may be no UTF-8. It comes with a NUL behind it.
      const name = Buffer.alloc(PATH_BYTES);
      if (memory(nr('getcwd'), name, PATH_BYTES, 0) > 0) memory(nr('chdir'), name, 0, 0);
    },
    cloneTree: (path) =>
      must(
        atPath(nr('open_tree'), AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
        `open_tree ${path}`,
        'mountNamespace',
      ),
    makeReadOnly(tree) {
      const attributes = Buffer.alloc(MOUNT_ATTRIBUTES_BYTES);
      attributes.writeBigUInt64LE(MOUNT_ATTR_RDONLY, 0);
      const [folder, path, flags] = typeof tree === 'string' ? [AT_FDCWD, tree, 0] : [tree, '', AT_EMPTY_PATH];
      must(
        atPathMemory(nr('mount_setattr'), folder, path, flags | AT_RECURSIVE, attributes, MOUNT_ATTRIBUTES_BYTES),
        'mount_setattr (read-only)',
        'mountNamespace',
      );
    },
    mountTree(tree, path) {
      must(
        movePath(nr('move_mount'), tree, '', AT_FDCWD, path, MOVE_MOUNT_FROM_EMPTY_PATH),
        `move_mount ${path}`,
        'mountNamespace',
      );
    },
    openExactly(path) {
      const how = Buffer.alloc(OPEN_HOW_BYTES);
      how.writeBigUInt64LE(OPEN_PATH, 0);
      how.writeBigUInt64LE(RESOLVE_NO_SYMLINKS, 16);
      return must(openHow(nr('openat2'), AT_FDCWD, path, how, OPEN_HOW_BYTES), `openat2 ${path}`, 'landlock');
    },
    takeFileRights({ uid, gid, groups }) {
      const ids = Buffer.alloc(GROUP_BYTES * groups.length);
      for (const [index, group] of groups.entries()) ids.writeUInt32LE(group, GROUP_BYTES * index);
      must(setgroups(nr('setgroups'), groups.length, ids), 'setgroups', 'capabilities');
      for (const [call, id] of [
        ['setfsgid', gid],
        ['setfsuid', uid],
      ] as const) {
        numbers(nr(call), id, 0, 0, 0);
        // These calls report no failure, so the id is read afterwards.
        if (Number(numbers(nr(call), NO_ID, 0, 0, 0)) !== id) throw new KernelCallError(call, 'capabilities', 'EPERM');
      }
    },
    checkExecutable(path) {
      if (atPath4(nr('faccessat2'), AT_FDCWD, path, X_OK, AT_EACCESS) === 0) return;
      const code = getSystemErrorName(-koffi.errno());
      if (!UNKNOWN_CALL.has(code)) throw new KernelCallError(`faccessat2 ${path}`, 'capabilities', code);
    },
  };
}
