/**
 * The one way to start a process: checks, then pipes or a terminal. The foreign libraries are loaded by the first command that
 * needs them, not at the server's start.
 */
import { writeFileSync } from 'node:fs';
import { loadLibc } from './libc.js';
import type { OsProcess, ProcessSpec, StartProcess } from './os-process.js';
import { startPipeProcess } from './pipe-process.js';
import { checkStart } from './program-path.js';
import { startPtyProcess } from './pty-process.js';
import { withUser } from './run-as.js';

/** @throws {SpawnError} when the program or the directory cannot be used, or the operating system refuses. */
export const startProcess: StartProcess = async (spec, events) => {
  checkStart(spec);
  const asUser = withUser(spec);
  const libc = await loadLibc();
  const { tty } = spec;
  const started =
    tty === undefined
      ? await startPipeProcess(asUser, events, libc)
      : await startPtyProcess({ ...asUser, tty }, events, libc);
  if (spec.oomScoreAdj !== undefined) setOomScore(started, spec.oomScoreAdj);
  return started;
};

function setOomScore({ pid }: OsProcess, score: NonNullable<ProcessSpec['oomScoreAdj']>): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch {
    // The child has ended already, or lowering is not ours to do: the inherited score stands.
  }
}
