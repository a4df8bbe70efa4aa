/**
 * Carries out a plan on the calling thread, for ever: mounts, Landlock, capabilities, a user's rights on files, filter. The order matters, because
 * each step takes away a right that an earlier step needs. It knows neither policies nor messages.
 *
 * Only synchronous calls: anything else would start libuv's pool on this thread, and the whole server's pool would be restricted.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { callRules, guardRefusals } from './filter-rules.js';
import { KernelCallError, type KernelCalls } from './kernel-calls.js';
import { FILE_RIGHTS, pathRule, rulesetAttributes } from './landlock.js';
import { identityOf } from './path-lookup.js';
import { SandboxPlanOutdatedError } from './sandbox-errors.js';
import type { PathRule, PlannedMount, SandboxPlan } from './sandbox-plan.js';
import { compileFilter } from './seccomp-filter.js';
import { NEWEST_KNOWN_SYSCALL, type SandboxArchitecture } from './syscall-numbers.js';

/** O_PATH | O_CLOEXEC: for reference only, the same on both architectures. */
const OPEN_PATH = 0o10000000 | 0o2000000;
/** Errors of openat2(2) under a kernel or a seccomp profile that does not know it. */
const UNKNOWN_CALL = new Set(['ENOSYS', 'EPERM']);

/**
 * @param threadIds of the server, which the filter keeps out of reach
 *
 * After a failure the thread is in an unknown state and must start nothing.
 * @throws {KernelCallError} when the kernel refuses a step.
 * @throws {SandboxPlanOutdatedError} when a root has been replaced since the plan.
 */
export function restrictThread(
  plan: SandboxPlan,
  threadIds: readonly number[],
  { calls, architecture }: { readonly calls: KernelCalls; readonly architecture: SandboxArchitecture },
): void {
  const filter = compileFilter({
    architecture,
    rules: callRules([...plan.refusals, ...guardRefusals(threadIds)], architecture),
    newestKnown: NEWEST_KNOWN_SYSCALL,
  });
  if (plan.mounts !== undefined) mountOwn(plan.mounts, calls);
  const ruleset = calls.createRuleset(rulesetAttributes({ abi: plan.landlockAbi, scopes: plan.scopes }));
  for (const rule of plan.rules) addRule(ruleset, rule, calls);
  calls.setNoNewPrivileges();
  if (plan.user === undefined) calls.dropCapabilities();
  calls.restrictSelf(ruleset);
  closeSync(ruleset);
  if (plan.user !== undefined) calls.takeFileRights(plan.user);
  calls.installFilter(filter);
}

/**
 * Makes everything read-only for this thread, except the planned mounts. Those are copied first, so that each copy keeps its state: a mount
 * that was read-only before does not become writable.
 * @throws {KernelCallError}
 */
export function mountOwn(mounts: readonly PlannedMount[], calls: KernelCalls): void {
  calls.unshareMounts();
  const isWholeWritable = mounts.some(({ path, readOnly }) => path === '/' && !readOnly);
  const wanted = mounts.filter(({ readOnly }) => readOnly || !isWholeWritable).filter(({ path }) => isThere(path));
  const trees = wanted.map(({ path }) => calls.cloneTree(path));
  if (!isWholeWritable) calls.makeReadOnly('/');
  for (const [index, { path, readOnly }] of wanted.entries()) {
    const tree = trees[index];
    if (tree === undefined) continue;
    if (readOnly) calls.makeReadOnly(tree);
    calls.mountTree(tree, path);
    closeSync(tree);
  }
  // A command that names no directory starts in that of the server, which is below the new mounts and read-only.
  calls.reenterDirectory();
}

function addRule(ruleset: number, rule: PathRule, calls: KernelCalls): void {
  const descriptor = rule.identity === undefined ? openIfThere(rule.path) : openExactly(rule.path, calls);
  if (descriptor === undefined) return;
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    if (rule.identity !== undefined && identityOf(stats) !== rule.identity)
      throw new SandboxPlanOutdatedError(rule.path);
    const rights = stats.isDirectory() ? rule.rights : rule.rights & FILE_RIGHTS;
    if (rights !== 0) calls.addPathRule(ruleset, pathRule(rights, descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** Opens a client's path without following links, because an earlier command may have put a link in its place. */
function openExactly(path: string, calls: KernelCalls): number {
  try {
    return calls.openExactly(path);
  } catch (error) {
    if (error instanceof KernelCallError && UNKNOWN_CALL.has(error.code)) {
      const descriptor = openIfThere(path);
      if (descriptor !== undefined) return descriptor;
    }
    throw new SandboxPlanOutdatedError(path);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, OPEN_PATH);
  } catch {
    return undefined;
  }
}

function isThere(path: string): boolean {
  const descriptor = openIfThere(path);
  if (descriptor === undefined) return false;
  closeSync(descriptor);
  return true;
}
