/**
 * Starts a child on a new terminal through posix_spawn. The server is not copied, no thread is made, and the child leads its session from the first
 * moment. It knows nothing of reading and writing.
 */
import { closeSync, fchownSync, fstatSync } from 'node:fs';
import type { OpenedPty } from './opened-pty.js';
import type { ExitStatus, ProcessSpec, TerminalSize } from './os-process.js';
import type { SpawnChild } from './posix-spawn.js';
import { errnoOf, spawnError } from './program-path.js';
import { startChild } from './start-child.js';
import type { TerminalCalls, TerminalPair } from './terminal-pair.js';

/** @throws {SpawnError} when the operating system refuses; then nothing is left open. */
export async function spawnPty(
  spec: ProcessSpec & { readonly tty: TerminalSize; readonly file?: string },
  { calls, spawnChild }: { readonly calls: TerminalCalls; readonly spawnChild: SpawnChild },
  onExit: (status: ExitStatus) => void,
): Promise<OpenedPty> {
  const pair = calls.openTerminal(spec.tty);
  try {
    giveTo(spec, pair);
    const pid = await startChild(spec, { terminal: pair.path }, spawnChild, onExit);
    return { ...pair, pid, resize: (size) => calls.resizeTerminal(pair.master, size) };
  } catch (error) {
    closeSync(pair.slave);
    closeSync(pair.master);
    throw error;
  }
}

/** BEFORE the child runs. Otherwise another user could not open its own terminal by name, as `> /dev/stdout` does. */
function giveTo({ runAs }: ProcessSpec, { slave }: TerminalPair): void {
  if (runAs === undefined) return;
  try {
    fchownSync(slave, runAs.uid, fstatSync(slave).gid);
  } catch (error) {
    throw spawnError('terminal (its owner)', errnoOf(error) ?? 'EPERM');
  }
}
