/**
 * Which system calls a policy refuses, and with what errno: those that no Landlock right covers. It knows no BPF and makes no call.
 *
 * Programs read EPERM and EROFS as a refusal by the sandbox; ENOSYS makes a program try the older call, which has a rule.
 */
import { constants } from 'node:os';
import type { CallRule, Condition, FilterCase } from './seccomp-filter.js';
import { type SandboxArchitecture, type SyscallName, syscallNumber } from './syscall-numbers.js';

const { EPERM, EROFS, ENOSYS } = constants.errno;

/** Address families (linux/socket.h). */
const AF_UNIX = 1;
const AF_VSOCK = 40;
/** Open flags that are the same on both architectures (asm-generic/fcntl.h). */
const O_TRUNC = 0o1000;
const O_WRONLY_OR_RDWR = 0o3;
/** fcntl(2): who gets SIGIO. */
const F_SETOWN = 8;
const F_SETOWN_EX = 15;
/** The same for sockets by ioctl(2) (asm-generic/sockios.h). The target is in memory, where a filter cannot look. */
const FIOSETOWN = 0x8901;
const SIOCSPGRP = 0x8902;
/** fcntl(2): leases, and delegations, which are leases on folders as well (linux/fcntl.h). */
const F_SETLEASE = 1024;
const F_SETDELEG = 1040;
/** Changes of a file's metadata by ioctl(2), on a descriptor that is only read (linux/fs.h, fscrypt.h, fsverity.h, msdos_fs.h; ext4). */
const METADATA_IOCTLS = {
  FS_IOC_SETFLAGS: 0x40086602,
  FS_IOC_FSSETXATTR: 0x401c5820,
  FS_IOC_SETVERSION: 0x40087602,
  EXT4_IOC_SETVERSION: 0x40086604,
  FS_IOC_ENABLE_VERITY: 0x40806685,
  FS_IOC_SET_ENCRYPTION_POLICY: 0x800c6613,
  FAT_IOCTL_SET_ATTRIBUTES: 0x40047211,
} as const;
/** The byte of an ioctl's number that names its family (asm-generic/ioctl.h), and the family of btrfs. */
const IOCTL_FAMILY_MASK = 0xff00;
const BTRFS_FAMILY = 0x9400;
/** The family's three for all file systems (linux/fs.h). They write only through a descriptor that may be written. */
const FICLONE = 0x40049409;
const FICLONERANGE = 0x4020940d;
const FIDEDUPERANGE = 0xc0189436;
/** setpriority(2) and ioprio_set(2): one process or thread. */
const PRIO_PROCESS = 0;
const IOPRIO_WHO_PROCESS = 1;

/** The most threads of the server that a filter names, because its length is bounded. V8 and libuv have ten, and UV_THREADPOOL_SIZE up to 1024. */
export const MAX_GUARDED_THREADS = 100;

/** One call that is refused, always or under conditions. */
export interface Refusal {
  readonly call: SyscallName;
  readonly errno: number;
  readonly when?: readonly Condition[];
}

const refuse = (errno: number, ...calls: readonly SyscallName[]): Refusal[] => calls.map((call) => ({ call, errno }));
const equal = (argument: number, value: number): Condition => ({ argument, is: { test: 'equal', value } });
const differs = (argument: number, value: number): Condition => ({ argument, is: { test: 'differs', value } });
const oneOf = (argument: number, values: readonly number[]): Condition => ({ argument, is: { test: 'oneOf', values } });

/**
 * io_uring makes sockets without socket(2). ptrace and its like reach into another process. On btrfs an ioctl on a folder that is only read
 * creates and removes subvolumes, and Landlock is not asked. A lease on a file that is only read makes every other process wait that opens
 * the file, for 45 s by default.
 */
const ALWAYS: readonly Refusal[] = [
  ...refuse(EPERM, 'io_uring_setup', 'io_uring_enter', 'io_uring_register'),
  ...refuse(EPERM, 'ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd'),
  {
    call: 'ioctl',
    errno: EPERM,
    when: [
      { ...equal(1, BTRFS_FAMILY), mask: IOCTL_FAMILY_MASK },
      ...[FICLONE, FICLONERANGE, FIDEDUPERANGE].map((number) => differs(1, number)),
    ],
  },
  { call: 'fcntl', errno: EPERM, when: [oneOf(1, [F_SETLEASE, F_SETDELEG])] },
];

/**
 * Only pairs of Unix sockets are allowed, which lead nowhere. send(2) is `sendto` without an address and stays, because the self-pipe of Python's
 * asyncio needs it. getpeername(2) stays, because at EPERM bash takes its input for a network and reads `~/.bashrc`.
 */
const NO_NETWORK: readonly Refusal[] = [
  ...refuse(EPERM, 'connect', 'accept', 'accept4', 'bind', 'listen', 'sendmmsg'),
  { call: 'sendto', errno: EPERM, when: [differs(4, 0)] },
  { call: 'sendto', errno: EPERM, when: [{ ...differs(4, 0), word: 'high' }] },
  { call: 'socket', errno: EPERM, when: [differs(0, AF_UNIX)] },
  { call: 'socketpair', errno: EPERM, when: [differs(0, AF_UNIX)] },
];

/** With a network: no way from a virtual machine to its host. */
const NO_VSOCK: readonly Refusal[] = [
  { call: 'socket', errno: EPERM, when: [equal(0, AF_VSOCK)] },
  { call: 'socketpair', errno: EPERM, when: [equal(0, AF_VSOCK)] },
];

/** Landlock has no right for the metadata of a file: mode, owner, times, attributes, flags. */
const NO_METADATA: readonly Refusal[] = [
  ...refuse(EROFS, 'chmod', 'fchmod', 'fchmodat', 'fchmodat2', 'chown', 'fchown', 'lchown', 'fchownat'),
  ...refuse(EROFS, 'utime', 'utimes', 'futimesat', 'utimensat', 'file_setattr'),
  ...refuse(EROFS, 'setxattr', 'lsetxattr', 'fsetxattr', 'setxattrat'),
  ...refuse(EROFS, 'removexattr', 'lremovexattr', 'fremovexattr', 'removexattrat'),
  {
    call: 'ioctl',
    errno: EROFS,
    when: [oneOf(1, Object.values(METADATA_IOCTLS))],
  },
];

const truncates = (flags: number): readonly Condition[] => [
  { argument: flags, is: { test: 'anyBit', value: O_TRUNC } },
  { argument: flags, is: { test: 'noBit', value: O_WRONLY_OR_RDWR } },
];

/**
 * Below ABI 3 Landlock does not cover truncate(2), nor O_TRUNC on a read-only descriptor. The flags of openat2(2) are in memory; programs fall back
 * to openat(2).
 */
const NO_TRUNCATE: readonly Refusal[] = [
  { call: 'truncate', errno: EROFS },
  { call: 'open', errno: EROFS, when: truncates(1) },
  { call: 'openat', errno: EROFS, when: truncates(2) },
  { call: 'openat2', errno: ENOSYS },
];

/** The refusals of a policy, the same on every thread. */
export function policyRefusals(policy: {
  readonly network: boolean;
  /** Whether no file may be written. */
  readonly readOnly: boolean;
  readonly landlockAbi: number;
}): readonly Refusal[] {
  return [
    ...ALWAYS,
    ...(policy.network ? NO_VSOCK : NO_NETWORK),
    ...(policy.readOnly ? NO_METADATA : []),
    ...(policy.landlockAbi < 3 ? NO_TRUNCATE : []),
  ];
}

/**
 * Keeps the server's threads out of reach of the commands. The thread that starts a command is in the same Landlock domain, so the domain does
 * not keep the command's signals from it. The other threads are outside, which stops signals only from ABI 6 on. So calls that name one of
 * these numbers are refused. Three things are refused for every target: signals by a pidfd, because a command can have one without a number
 * (CLONE_PIDFD); SIGIO for another process, because later threads have numbers that are not known here; and the limits of other processes.
 * @param threadIds of the server, that of the calling thread among them; at most one more than {@link MAX_GUARDED_THREADS}
 */
export function guardRefusals(threadIds: readonly number[]): readonly Refusal[] {
  const server = (argument: number): readonly Condition[] => [oneOf(argument, threadIds)];
  return [
    { call: 'kill', errno: EPERM, when: server(0) },
    { call: 'tkill', errno: EPERM, when: server(0) },
    { call: 'tgkill', errno: EPERM, when: server(0) },
    { call: 'tgkill', errno: EPERM, when: server(1) },
    { call: 'rt_sigqueueinfo', errno: EPERM, when: server(0) },
    { call: 'rt_tgsigqueueinfo', errno: EPERM, when: server(0) },
    { call: 'rt_tgsigqueueinfo', errno: EPERM, when: server(1) },
    { call: 'pidfd_open', errno: EPERM, when: server(0) },
    { call: 'pidfd_send_signal', errno: ENOSYS },
    { call: 'fcntl', errno: EPERM, when: [oneOf(1, [F_SETOWN, F_SETOWN_EX])] },
    { call: 'ioctl', errno: EPERM, when: [oneOf(1, [FIOSETOWN, SIOCSPGRP])] },
    { call: 'prlimit64', errno: EPERM, when: [differs(0, 0)] },
    { call: 'setpriority', errno: EPERM, when: [equal(0, PRIO_PROCESS), oneOf(1, threadIds)] },
    { call: 'ioprio_set', errno: EPERM, when: [equal(0, IOPRIO_WHO_PROCESS), oneOf(1, threadIds)] },
    { call: 'sched_setaffinity', errno: EPERM, when: server(0) },
    { call: 'sched_setattr', errno: EPERM, when: server(0) },
    { call: 'sched_setparam', errno: EPERM, when: server(0) },
    { call: 'sched_setscheduler', errno: EPERM, when: server(0) },
  ];
}

/** Refusals as rules of a filter, one for each call. A call that the architecture lacks needs none. */
export function callRules(refusals: readonly Refusal[], architecture: SandboxArchitecture): CallRule[] {
  const casesByNumber = new Map<number, FilterCase[]>();
  for (const { call, errno, when } of refusals) {
    const number = syscallNumber(call, architecture);
    if (number === undefined) continue;
    const cases = casesByNumber.get(number) ?? [];
    cases.push({ answer: { errno }, ...(when === undefined ? {} : { when }) });
    casesByNumber.set(number, cases);
  }
  return [...casesByNumber].map(([number, cases]) => ({ number, cases }));
}
