/**
 * The one way to start a process: checks, then pipes or a terminal. The foreign libraries are loaded by the first command that
 * needs them, not at the server's start.
 */
import { type Libc, loadLibc } from './libc.js';
import { raiseOomScore } from './oom-score.js';
import type { StartProcess } from './os-process.js';
import { startPipeProcess } from './pipe-process.js';
import { checkStart } from './program-path.js';
import { startPtyProcess } from './pty-process.js';
import { withUser } from './run-as.js';

/** @throws {SpawnError} when the program or the directory cannot be used, or the operating system refuses. */
export const startProcess: StartProcess = async (spec, events) => {
  const asUser = withUser(checkStart(spec));
  const libc = await preparedLibc();
  const { tty } = spec;
  const started =
    tty === undefined
      ? await startPipeProcess(asUser, events, libc)
      : await startPtyProcess({ ...asUser, tty }, events, libc);
  if (spec.oomScoreAdj !== undefined) raiseOomScore(started.pid, spec.oomScoreAdj);
  return started;
};

let prepared: Promise<Libc> | undefined;

/** BEFORE the first child exists: none may ever read the server's environment or memory in /proc. */
function preparedLibc(): Promise<Libc> {
  prepared ??= loadLibc().then((libc) => {
    libc.denyDump();
    return libc;
  });
  return prepared;
}
