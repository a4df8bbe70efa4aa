/** What the server and a sandbox's thread say to each other: plain data. It knows no thread. */
import type { ChildStart } from '../spawn-call.js';
import type { SandboxPart } from './sandbox-errors.js';
import type { SandboxPlan } from './sandbox-plan.js';

/** To the thread, which answers each but `end`, in the order in which they came. */
export type ThreadRequest =
  /** Once, before anything is started. */
  | { readonly restrict: SandboxPlan; readonly serverThreads: readonly number[] }
  | { readonly spawn: ChildStart }
  /** Whether a thread here can have mounts of its own; it does nothing else afterwards. */
  | { readonly tryMounts: true }
  /** Ends by itself, after what was asked before: `terminate()` could lose the pid of a child that has just been started. */
  | { readonly end: true };

export type ThreadAnswer =
  /** Pid of the child, a negated errno, or 0 for what starts none. */
  { readonly result: number } | { readonly failed: ThreadFailure };

export interface ThreadFailure {
  readonly message: string;
  /** Undefined for an outdated plan, and for what has nothing to do with the host. */
  readonly part?: SandboxPart;
  /** Whether something that the plan names has been replaced. */
  readonly outdated?: boolean;
}
