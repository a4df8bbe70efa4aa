/** The errors of the sandbox. They know no protocol; each dialect turns them into its own. */

/** A part of the host that a policy needs. */
export type SandboxPart = 'architecture' | 'landlock' | 'seccomp' | 'capabilities' | 'mountNamespace';

/** The host cannot enforce the policy, so nothing was started. */
export class SandboxUnavailableError extends Error {
  /** What is missing, at least one. */
  readonly missing: readonly SandboxPart[];
  constructor(missing: readonly SandboxPart[], reason: string, options?: ErrorOptions) {
    super(`the sandbox cannot be enforced on this host: ${reason}`, options);
    this.name = 'SandboxUnavailableError';
    this.missing = missing;
  }
}

/** There is no thread for this command: a bound on threads is reached, all are busy for too long, or the command's connection is closed. */
export class SandboxThreadsError extends Error {
  constructor(reason: string) {
    super(`no thread for another sandbox: ${reason}`);
    this.name = 'SandboxThreadsError';
  }
}

/** A path of the plan was replaced after planning; a new plan is needed. */
export class SandboxPlanOutdatedError extends Error {
  constructor(path: string) {
    super(`${path} is not what it was when the sandbox was planned`);
    this.name = 'SandboxPlanOutdatedError';
  }
}
