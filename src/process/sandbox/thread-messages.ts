/** What the server and a thread that starts commands say to each other: plain data. It knows no thread. */
import type { RunAs } from '../os-process.js';
import type { NamedPaths } from '../program-path.js';
import type { ChildStart } from '../spawn-call.js';
import type { MemoryRange } from './call-memory.js';
import type { SandboxPart } from './sandbox-errors.js';
import type { SandboxPlan } from './sandbox-plan.js';

/** To the thread, which answers each but `end`, in the order in which they came. */
export type ThreadRequest =
  /** Once, before anything is started. */
  | { readonly restrict: SandboxPlan; readonly serverThreads: readonly number[] }
  | { readonly spawn: ChildStart }
  /** Once, for a thread without a plan: take a user's rights on files. */
  | { readonly become: RunAs }
  /** Whether the thread's rights on files suffice for the directory and the program of a start. */
  | { readonly check: NamedPaths }
  /** Whether a thread here can have mounts of its own; it does nothing else afterwards. */
  | { readonly tryMounts: true }
  /** Ends by itself, after what was asked before: `terminate()` could lose the pid of a child that has just been started. */
  | { readonly end: true };

export type ThreadAnswer =
  /** Pid of the child, a negated errno, or 0 for what starts none. */
  { readonly result: number } | { readonly failed: ThreadFailure };

/** The last message of a thread that was asked to end. */
export interface ThreadEnd {
  /** Memory that is not used any more once the thread has ended. */
  readonly leaves: readonly MemoryRange[];
}

export interface ThreadFailure {
  readonly message: string;
  /** Of a path that a check found unfit. */
  readonly errno?: string;
  /** Undefined for an outdated plan, and for a failure that is not the host's. */
  readonly part?: SandboxPart;
  /** Whether something that the plan names has been replaced. */
  readonly outdated?: boolean;
}
