/**
 * The one way to start a process: checks, then pipes or a terminal. The foreign libraries are loaded by the first command that
 * needs them, not at the server's start.
 */
import { serverFiles } from './file-probe.js';
import { type Libc, loadLibc } from './libc.js';
import { raiseOomScore } from './oom-score.js';
import { adoptOrphans } from './orphans.js';
import type { OsProcess, ProcessEvents, ProcessSpec, StartProcess } from './os-process.js';
import { startPipeProcess } from './pipe-process.js';
import { signalByPidfd } from './process-signals.js';
import { checkPaths, checkStrings } from './program-path.js';
import { startPtyProcess } from './pty-process.js';
import { withUser } from './run-as.js';
import { SandboxUnavailableError } from './sandbox/sandbox-errors.js';
import type { SandboxRequest } from './sandbox/sandbox-policy.js';
import type { Sandboxes } from './sandbox/sandboxes.js';
import { StartLane } from './start-lane.js';
import { poolThreads } from './thread-pool.js';

/** Everything that a start looks up or executes is named by a client, and may lie on a file system that does not answer. */
const lane = new StartLane(poolThreads);

/** Starts that have not come to their end. Each may hold a thread that nothing but the kernel can free. */
export function startsUnderWay(): number {
  return lane.underWay;
}

/** Without sandboxes: a spec that asks for one is refused. */
export const startProcess: StartProcess = startProcessIn(undefined);

/**
 * What it gives throws
 * a SpawnError when the program or the directory cannot be used, or the operating system refuses;
 * a ShortageError when there is no room for another start at the moment;
 * a SandboxUnavailableError or a SandboxThreadsError when the policy of the spec cannot be enforced. Then nothing runs.
 */
export function startProcessIn(sandboxes: Sandboxes | undefined): StartProcess {
  return async (spec, events) => {
    checkStrings(spec);
    const libc = await preparedLibc();
    const { sandbox } = spec;
    const started =
      sandbox === undefined
        ? await lane.run(() => start(spec, events, libc))
        : await startConfined(spec, events, { libc, sandbox, sandboxes });
    if (spec.oomScoreAdj !== undefined) raiseOomScore(started.pid, spec.oomScoreAdj);
    return started;
  };
}

async function startConfined(
  spec: ProcessSpec,
  events: ProcessEvents,
  { libc, sandbox, sandboxes }: { libc: Libc; sandbox: SandboxRequest; sandboxes: Sandboxes | undefined },
): Promise<OsProcess> {
  if (sandboxes === undefined) throw new SandboxUnavailableError(['landlock'], 'this server was started without it');
  const { TMPDIR } = spec.env;
  // BEFORE the lane: a wait for a thread must not stand in the way of starts that need none.
  const { spawnChild, release } = await sandboxes.spawnChild(sandbox, {
    tmpdir: typeof TMPDIR === 'object' ? Buffer.from(TMPDIR).toString() : TMPDIR,
    // `setpriv` needs them to become another user, which takes them away.
    keepsCapabilities: spec.runAs !== undefined,
  });
  try {
    return await lane.run(() => start(spec, events, { ...libc, spawnChild }));
  } catch (error) {
    release();
    throw error;
  }
}

async function start(spec: ProcessSpec, events: ProcessEvents, libc: Libc): Promise<OsProcess> {
  // Only posix_spawn tells why a program could not be started: a fork and `setpriv` would start, and say so on the output.
  const isChecked = libc.spawnChild === undefined || spec.runAs !== undefined;
  const ready = isChecked ? withUser(await checkPaths(spec, serverFiles)) : spec;
  const { tty } = spec;
  return tty === undefined ? startPipeProcess(ready, events, libc) : startPtyProcess({ ...ready, tty }, events, libc);
}

let prepared: Promise<Libc> | undefined;

/** BEFORE the first child exists: none may ever read the server's environment or memory in /proc, and what it leaves behind comes here. */
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
