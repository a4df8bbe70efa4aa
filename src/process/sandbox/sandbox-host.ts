/** What this host can and cannot enforce: one check for `initialize`, the log line at the start and all reports on the host. It restricts nothing. */
import { closeSync, readFileSync } from 'node:fs';
import type { KernelCalls } from './kernel-calls.js';
import { NEWEST_ABI, rulesetAttributes, SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS, SCOPES_ABI } from './landlock.js';
import type { SandboxPart } from './sandbox-errors.js';

/** A promise of the policies that this host cannot keep. */
export type SandboxGap =
  /** `.git` and the like in a writable root can be written. */
  | 'protectedPaths'
  /** Mode, owner, times and attributes of files outside the roots can be changed by their owner. */
  | 'metadata'
  /** The names of other processes are seen. */
  | 'processList'
  /** Other processes of the same user can be signalled. */
  | 'signals';

/** What a host can do for policies. */
export interface SandboxHost {
  /** 0 without Landlock. */
  readonly landlockAbi: number;
  /** Whether signals and abstract sockets stay inside. A kernel may say version 6 and lack this (RHEL 9). */
  readonly scopes: boolean;
  /** Whether a thread may have mounts of its own. */
  readonly mountNamespace: boolean;
  /** Parts without which no policy is enforced; empty if policies can be. */
  readonly missing: readonly SandboxPart[];
  /** The missing parts in words; empty if none is missing. */
  readonly reason: string;
  readonly notEnforced: readonly SandboxGap[];
}

/** Bit of CAP_SYS_ADMIN in the sets of /proc/PID/status. */
const CAP_SYS_ADMIN = 21n;

const REASONS: Readonly<Partial<Record<SandboxPart, string>>> = {
  architecture: `no table of system calls for ${process.arch} on ${process.platform}`,
  landlock:
    'the kernel has no Landlock, or it is not in its list of security modules (lsm=), or a filter refuses its calls',
  seccomp: 'the kernel takes no seccomp filter',
};

export interface HostCheckOptions {
  /** Behaves like a kernel with this version of Landlock, for tests. Default: the newest known version. */
  readonly newestAbi?: number | undefined;
  /** Whether a thread was seen to get mounts of its own. */
  readonly mountNamespace: boolean;
}

/** @param calls undefined if the architecture has no table, or the C library cannot be called */
export function checkSandboxHost(
  calls: KernelCalls | undefined,
  { newestAbi = NEWEST_ABI, mountNamespace }: HostCheckOptions,
): SandboxHost {
  if (calls === undefined) return without(['architecture']);
  const landlockAbi = Math.min(calls.landlockAbi(), newestAbi);
  const missing: SandboxPart[] = [];
  if (landlockAbi < 1) missing.push('landlock');
  if (!calls.hasSeccomp()) missing.push('seccomp');
  if (missing.length > 0) return { ...without(missing), landlockAbi };
  const scopes = landlockAbi >= SCOPES_ABI && takesScopes(calls, landlockAbi);
  const notEnforced: SandboxGap[] = mountNamespace ? ['processList'] : ['protectedPaths', 'metadata', 'processList'];
  if (!scopes) notEnforced.push('signals');
  return { landlockAbi, scopes, mountNamespace, missing, reason: '', notEnforced };
}

function without(missing: readonly SandboxPart[]): SandboxHost {
  const reason = missing.map((part) => REASONS[part] ?? part).join('; ');
  return { landlockAbi: 0, scopes: false, mountNamespace: false, missing, reason, notEnforced: [] };
}

/** Whether the server has the capability without which no thread gets mounts of its own. With it, an attempt is still needed. */
export function mayHaveMounts(): boolean {
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
  } catch {
    return false;
  }
}

function takesScopes(calls: KernelCalls, abi: number): boolean {
  try {
    closeSync(calls.createRuleset(rulesetAttributes({ abi, scopes: SCOPE_SIGNALS | SCOPE_ABSTRACT_SOCKETS })));
    return true;
  } catch {
    return false;
  }
}
