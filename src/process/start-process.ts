/**
 * The one way to start a process: checks, then pipes or a terminal. Koffi and node-pty are loaded by the first command that needs them, not at the
 * server's start.
 */
import { serverFiles } from './file-probe.js';
import { type Libc, loadLibc } from './libc.js';
import { raiseOomScore } from './oom-score.js';
import { adoptOrphans } from './orphans.js';
import { type OsProcess, type ProcessEvents, type ProcessSpec, SpawnError, type StartProcess } from './os-process.js';
import { startPipeProcess } from './pipe-process.js';
import { spawnOnThread } from './posix-spawn.js';
import { signalByPidfd } from './process-signals.js';
import { checkPaths, checkStrings, type NamedPaths } from './program-path.js';
import { startPtyProcess } from './pty-process.js';
import { type UserSpec, withUser, withUserInDirectory } from './run-as.js';
import { SandboxUnavailableError } from './sandbox/sandbox-errors.js';
import type { SandboxRequest } from './sandbox/sandbox-policy.js';
import type { Sandboxes } from './sandbox/sandboxes.js';
import { StartLane } from './start-lane.js';
import { poolThreads } from './thread-pool.js';

/** Part of the pool that starts may hold; the rest is for operations on files of clients, and for the server's own. */
const POOL_SHARE = 1 / 2;
/** A client names every path that a start looks up or executes, and its file system may not answer. */
const lane = new StartLane(() => Math.max(1, Math.floor(poolThreads() * POOL_SHARE)));

/** Starts that have not ended. Each may hold a thread that only the kernel can free. */
export function startsUnderWay(): number {
  return lane.underWay + startsAsUsers;
}

/** Starts as other users, which run on threads of their own. */
let startsAsUsers = 0;

/** Without threads of its own: a spec that asks for a sandbox is refused, and another user's directory is found by a shell. */
export const startProcess: StartProcess = startProcessIn(undefined);

/**
 * The returned function throws
 * a SpawnError when the program or the directory cannot be used, or the operating system refuses;
 * a ShortageError when there is no room for another start at the moment;
 * a SandboxUnavailableError or a SandboxThreadsError when the policy of the spec cannot be enforced. Then nothing runs.
 */
export function startProcessIn(sandboxes: Sandboxes | undefined): StartProcess {
  return async (spec, events) => {
    checkStrings(spec);
    const libc = await preparedLibc();
    if (spec.arg0 !== undefined) checkArg0(spec, libc);
    const started = await startSomewhere(spec, events, { libc, sandboxes });
    if (spec.oomScoreAdj !== undefined) raiseOomScore(started.pid, spec.oomScoreAdj);
    return started;
  };
}

/** @throws {SpawnError} where the name that the program sees cannot be chosen */
function checkArg0({ runAs, sandbox }: ProcessSpec, { spawnChild }: Libc): void {
  if (runAs !== undefined) throw new SpawnError('arg0 cannot be set for a command of another user', 'ENOTSUP');
  if (spawnChild === undefined && sandbox === undefined) {
    throw new SpawnError('arg0 needs the C library of the host', 'ENOTSUP');
  }
}

interface Host {
  readonly libc: Libc;
  readonly sandboxes: Sandboxes | undefined;
}

/** On a thread of libuv's pool, or on one that has the rights which the spec asks for. */
async function startSomewhere(spec: ProcessSpec, events: ProcessEvents, host: Host): Promise<OsProcess> {
  const { libc, sandboxes } = host;
  if (spec.sandbox !== undefined) return startConfined(spec, events, { ...host, sandbox: spec.sandbox });
  if (spec.runAs === undefined) return lane.run(() => start(spec, events, libc));
  const users = sandboxes?.userThreads;
  if (users === undefined || libc.spawnChild === undefined || libc.kernelCalls?.() === undefined) {
    return lane.run(() => startOnPipesOrTerminal(withUserInDirectory(spec), events, libc));
  }
  return users.run(spec.runAs, async (thread) => {
    startsAsUsers += 1;
    try {
      const spawnChild = spawnOnThread((start) => thread.spawn(start), libc.reaper);
      return await startAsUser(spec, events, {
        libc: { ...libc, spawnChild },
        check: (paths) => thread.check(paths),
      });
    } finally {
      startsAsUsers -= 1;
    }
  });
}

async function startConfined(
  spec: ProcessSpec,
  events: ProcessEvents,
  { libc, sandbox, sandboxes }: Host & { readonly sandbox: SandboxRequest },
): Promise<OsProcess> {
  if (sandboxes === undefined) throw new SandboxUnavailableError(['landlock'], 'this server was started without it');
  const { TMPDIR } = spec.env;
  // BEFORE the lane: a start that waits for a thread must not hold up starts that need none.
  const { spawnChild, check, release } = await sandboxes.spawnChild(sandbox, {
    tmpdir: typeof TMPDIR === 'object' ? Buffer.from(TMPDIR).toString() : TMPDIR,
    user: spec.runAs,
    offLoop: (lookup) => lane.run(lookup),
  });
  const confined = { ...libc, spawnChild };
  try {
    return await lane.run(() =>
      spec.runAs === undefined ? start(spec, events, confined) : startAsUser(spec, events, { libc: confined, check }),
    );
  } catch (error) {
    release();
    throw error;
  }
}

async function start(spec: ProcessSpec, events: ProcessEvents, libc: Libc): Promise<OsProcess> {
  // Only posix_spawn tells why a program could not be started. A fork would start, and report the reason on the output.
  const isChecked = libc.spawnChild === undefined;
  const ready = isChecked ? { ...spec, file: await checkPaths(spec, serverFiles) } : spec;
  return startOnPipesOrTerminal(ready, events, libc);
}

/** The thread goes to the directory, and so the child is there before `setpriv` makes it the user. */
async function startAsUser(
  spec: ProcessSpec,
  events: ProcessEvents,
  { libc, check }: { readonly libc: Libc; check(paths: NamedPaths): Promise<void> },
): Promise<OsProcess> {
  // `setpriv` would start, and say on the output what the user cannot use.
  await check(spec);
  return startOnPipesOrTerminal(withUser(spec), events, libc);
}

function startOnPipesOrTerminal(spec: UserSpec<ProcessSpec>, events: ProcessEvents, libc: Libc): Promise<OsProcess> {
  const { tty } = spec;
  return tty === undefined ? startPipeProcess(spec, events, libc) : startPtyProcess({ ...spec, tty }, events, libc);
}

let prepared: Promise<Libc> | undefined;

/** BEFORE the first child exists: no child may read the server's environment or memory in /proc, and its orphans must come to this process. */
function preparedLibc(): Promise<Libc> {
  prepared ??= loadLibc().then((libc) => {
    libc.denyDump();
    if (libc.childCalls !== undefined) {
      signalByPidfd(libc.childCalls);
      adoptOrphans(libc.childCalls);
    }
    return libc;
  });
  return prepared;
}
