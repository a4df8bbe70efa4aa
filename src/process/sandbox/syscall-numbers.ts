/**
 * The numbers of the system calls that the sandbox makes or refuses, by architecture, as data. It knows no filter and makes no call.
 *
 * x64 is what runs in the tests. arm64 was not run: a test compares its numbers with the kernel's generic table.
 */

/** An architecture with a table here. On any other no policy can be enforced. */
export type SandboxArchitecture = 'x64' | 'arm64';

/** What the kernel calls the architecture in the data of a filter (linux/audit.h). */
export const AUDIT_ARCHITECTURE: Readonly<Record<SandboxArchitecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** x64 and arm64; a call with one number is x64's only. Sources: asm/unistd_64.h and asm-generic/unistd.h. */
const NUMBERS = {
  accept: [43, 202],
  accept4: [288, 242],
  bind: [49, 200],
  capset: [126, 91],
  chdir: [80, 49],
  chmod: [90],
  chown: [92],
  close_range: [436, 436],
  connect: [42, 203],
  faccessat2: [439, 439],
  fchmod: [91, 52],
  fchmodat: [268, 53],
  fchmodat2: [452, 452],
  fchown: [93, 55],
  fchownat: [260, 54],
  fcntl: [72, 25],
  file_setattr: [469, 469],
  fremovexattr: [199, 16],
  fsetxattr: [190, 7],
  futimesat: [261],
  getcwd: [79, 17],
  gettid: [186, 178],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_uring_setup: [425, 425],
  ioctl: [16, 29],
  ioprio_set: [251, 30],
  kill: [62, 129],
  landlock_add_rule: [445, 445],
  landlock_create_ruleset: [444, 444],
  landlock_restrict_self: [446, 446],
  lchown: [94],
  listen: [50, 201],
  lremovexattr: [198, 15],
  lsetxattr: [189, 6],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  open: [2],
  open_tree: [428, 428],
  openat: [257, 56],
  openat2: [437, 437],
  pidfd_getfd: [438, 438],
  pidfd_open: [434, 434],
  pidfd_send_signal: [424, 424],
  prlimit64: [302, 261],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  ptrace: [101, 117],
  removexattr: [197, 14],
  removexattrat: [466, 466],
  rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240],
  sched_setaffinity: [203, 122],
  sched_setattr: [314, 274],
  sched_setparam: [142, 118],
  sched_setscheduler: [144, 119],
  sendmmsg: [307, 269],
  sendto: [44, 206],
  setfsgid: [123, 152],
  setfsuid: [122, 151],
  setgroups: [116, 159],
  setpriority: [141, 140],
  setxattr: [188, 5],
  setxattrat: [463, 463],
  socket: [41, 198],
  socketpair: [53, 199],
  tgkill: [234, 131],
  tkill: [200, 130],
  truncate: [76, 45],
  unshare: [272, 97],
  utime: [132],
  utimensat: [280, 88],
  utimes: [235],
} as const satisfies Readonly<Record<string, readonly [x64: number, arm64?: number]>>;

export type SyscallName = keyof typeof NUMBERS;

export const SYSCALL_NAMES = Object.keys(NUMBERS) as readonly SyscallName[];

/**
 * The highest number whose call has been looked at: `file_setattr` of Linux 6.17. What a later kernel adds above it may be a new way
 * around a policy, so a filter answers ENOSYS, which programs of today must expect anyway. To be looked at each year.
 */
export const NEWEST_KNOWN_SYSCALL = NUMBERS.file_setattr[0];

/** Undefined where this architecture has no such call: it has only the newer ones that the old ones became. */
export function syscallNumber(name: SyscallName, architecture: SandboxArchitecture): number | undefined {
  const [x64, arm64]: readonly [number, number?] = NUMBERS[name];
  return architecture === 'x64' ? x64 : arm64;
}

/** @returns undefined for an architecture without a table here. */
export function sandboxArchitecture(name: string): SandboxArchitecture | undefined {
  return name === 'x64' || name === 'arm64' ? name : undefined;
}
