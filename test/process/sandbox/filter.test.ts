// Runs the seccomp filter by an interpreter of its instructions, for both architectures, and compares its numbers with the kernel's own tables.
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import t from 'tap';
import {
  callRules,
  guardRefusals,
  MAX_GUARDED_THREADS,
  policyRefusals,
} from '../../../src/process/sandbox/filter-rules.js';
import { type CallRule, compileFilter } from '../../../src/process/sandbox/seccomp-filter.js';
import {
  AUDIT_ARCHITECTURE,
  NEWEST_KNOWN_SYSCALL,
  type SandboxArchitecture,
  SYSCALL_NAMES,
  type SyscallName,
  syscallNumber,
} from '../../../src/process/sandbox/syscall-numbers.js';

const { EPERM, EROFS, ENOSYS } = constants.errno;
const ARCHITECTURES = ['x64', 'arm64'] as const;
const KILLED = 'killed';
type Outcome = number | typeof KILLED;

interface Call {
  readonly architecture?: number;
  readonly number: number;
  readonly args?: readonly (number | bigint)[];
}

/** Runs the program as the kernel does. @returns the errno, 0 for a call that is let through */
function run(filter: Buffer, call: Call, architecture: SandboxArchitecture): Outcome {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number >>> 0, 0);
  data.writeUInt32LE(call.architecture ?? AUDIT_ARCHITECTURE[architecture], 4);
  for (const [index, value] of (call.args ?? []).entries())
    data.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; ; at += 1) {
    const code = filter.readUInt16LE(at * 8);
    const k = filter.readUInt32LE(at * 8 + 4);
    const jump = (holds: boolean): number => filter.readUInt8(at * 8 + (holds ? 2 : 3));
    if (code === 0x06) {
      if (k === 0x80000000) return KILLED;
      return k === 0x7fff0000 ? 0 : k & 0xffff;
    }
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x15) at += jump(accumulator === k);
    else if (code === 0x25) at += jump(accumulator > k);
    else if (code === 0x35) at += jump(accumulator >= k);
    else if (code === 0x45) at += jump((accumulator & k) !== 0);
    else throw new Error(`no such instruction: ${code}`);
  }
}

const POLICY = { network: false, readOnly: true, landlockAbi: 1 };
/** One more thread than are guarded at most, which is more than a conditional jump could skip. */
const THREADS = Array.from({ length: MAX_GUARDED_THREADS + 1 }, (_, index) => 40_000 + index);

function filterOf(architecture: SandboxArchitecture, policy = POLICY): Buffer {
  const rules = callRules([...policyRefusals(policy), ...guardRefusals(THREADS)], architecture);
  return compileFilter({ architecture, rules, newestKnown: NEWEST_KNOWN_SYSCALL });
}

for (const architecture of ARCHITECTURES) {
  const number = (name: SyscallName): number => syscallNumber(name, architecture) ?? -1;
  const outcome = (name: SyscallName, args: readonly (number | bigint)[] = [], policy = POLICY): Outcome =>
    run(filterOf(architecture, policy), { number: number(name), args }, architecture);

  t.test('filter answers each call as its rule says when it is run', (t) => {
    t.comment(architecture);
    const tid = THREADS.at(-1) ?? 0;
    const network = { ...POLICY, network: true };
    const writable = { ...POLICY, readOnly: false };
    const newer = { ...POLICY, landlockAbi: 3 };
    const expectations: [Outcome, SyscallName, (readonly (number | bigint)[])?, typeof POLICY?][] = [
      [EPERM, 'connect'],
      [0, 'connect', [], network],
      [EPERM, 'socket', [2]],
      [0, 'socket', [1]],
      [0, 'socket', [2], network],
      [EPERM, 'socket', [40], network],
      [EPERM, 'socketpair', [2]],
      [0, 'sendto', [3, 4, 5, 0, 0n]],
      [EPERM, 'sendto', [3, 4, 5, 0, 16n]],
      [EPERM, 'sendto', [3, 4, 5, 0, 1n << 40n]],
      [EPERM, 'io_uring_setup', [], network],
      [EPERM, 'ptrace', [], network],
      [EROFS, 'fchmodat'],
      [0, 'fchmodat', [], writable],
      [EROFS, 'file_setattr'],
      [0, 'file_setattr', [], writable],
      [EROFS, 'ioctl', [3, 0x40086602]],
      [EROFS, 'ioctl', [3, 0x401c5820]],
      [EROFS, 'ioctl', [3, 0x40806685]],
      [EROFS, 'ioctl', [3, 0x800c6613]],
      [0, 'ioctl', [3, 0x40806685], writable],
      // BTRFS_IOC_SUBVOL_CREATE, SNAP_CREATE, SNAP_DESTROY, SUBVOL_CREATE_V2.
      ...[0x5000940e, 0x50009401, 0x5000940f, 0x50009418].map(
        (number): [Outcome, SyscallName, number[], typeof POLICY] => [EPERM, 'ioctl', [3, number], writable],
      ),
      // FICLONE, FICLONERANGE, FIDEDUPERANGE: cp uses them.
      [0, 'ioctl', [3, 0x40049409]],
      [0, 'ioctl', [3, 0x4020940d]],
      [0, 'ioctl', [3, 0xc0189436]],
      [0, 'ioctl', [3, 0x5413]],
      [EPERM, 'ioctl', [3, 0x8901], writable],
      [EROFS, 'openat', [3, 0, 0o1000]],
      [0, 'openat', [3, 0, 0o1001]],
      [0, 'openat', [3, 0, 0o1000], newer],
      [EROFS, 'truncate'],
      [0, 'truncate', [], newer],
      [ENOSYS, 'openat2'],
      [0, 'openat2', [], newer],
      [EPERM, 'kill', [tid, 9]],
      [0, 'kill', [tid + 1, 9]],
      [EPERM, 'kill', [BigInt(tid) | (1n << 32n), 9]],
      [EPERM, 'tgkill', [1, tid, 9]],
      [EPERM, 'tgkill', [tid, 1, 9]],
      [EPERM, 'fcntl', [3, 8, 1]],
      [EPERM, 'fcntl', [3, 15]],
      [EPERM, 'fcntl', [3, 1024, 1], writable],
      [EPERM, 'fcntl', [3, 1040, 1], writable],
      [0, 'fcntl', [3, 1025], writable],
      [0, 'fcntl', [3, 3]],
      [EPERM, 'prlimit64', [1]],
      [0, 'prlimit64', [0]],
      [ENOSYS, 'pidfd_send_signal'],
      [EPERM, 'setpriority', [0, tid]],
      [0, 'setpriority', [0, 0]],
    ];
    for (const [expected, name, args, policy] of expectations) {
      t.equal(outcome(name, args, policy), expected, `${name} ${args?.join() ?? ''}`);
    }
    t.end();
  });

  t.test('filter refuses calls of another architecture and newer ones when it is run', (t) => {
    t.comment(architecture);
    const filter = filterOf(architecture);
    const other = architecture === 'x64' ? 'arm64' : 'x64';
    t.equal(run(filter, { number: 1, architecture: AUDIT_ARCHITECTURE[other] }, architecture), KILLED);
    t.equal(run(filter, { number: 1, architecture: 0x40000003 }, architecture), KILLED, 'i386');
    t.equal(run(filter, { number: NEWEST_KNOWN_SYSCALL + 1 }, architecture), ENOSYS);
    t.equal(run(filter, { number: 0xffffffff }, architecture), architecture === 'x64' ? EPERM : ENOSYS);
    t.equal(run(filter, { number: 0x40000000 + 41 }, architecture), architecture === 'x64' ? EPERM : ENOSYS, 'x32');
    t.equal(run(filter, { number: 0 }, architecture), 0);
    t.end();
  });
}

t.test('filter is refused when the kernel would not take it', (t) => {
  const rules: CallRule[] = Array.from({ length: 2000 }, (_, number) => ({ number, cases: [] }));
  t.throws(() => compileFilter({ architecture: 'x64', rules }), /the kernel takes 4096/);
  t.end();
});

const HEADERS = {
  x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h',
  arm64: '/usr/include/asm-generic/unistd.h',
} as const;
for (const architecture of ARCHITECTURES) {
  const header = HEADERS[architecture];
  const skip = existsSync(header) ? false : `the host has no ${header} (linux-libc-dev)`;
  t.test(`numbers for ${architecture} are those of the kernel when its table is there`, { skip }, (t) => {
    const text = readFileSync(header, 'utf8');
    const numbers = new Map(
      [...text.matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)$/gm)].map(([, name, value]) => [name, Number(value)]),
    );
    const newest = Math.max(...numbers.values());
    let compared = 0;
    for (const name of SYSCALL_NAMES) {
      const ours = syscallNumber(name, architecture);
      if (ours !== undefined && ours > newest) continue;
      t.equal(ours, numbers.get(name), name);
      compared += 1;
    }
    t.ok(compared > 50, `${compared} were compared`);
    t.end();
  });
}
