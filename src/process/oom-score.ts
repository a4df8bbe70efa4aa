/**
 * Raises the out-of-memory score of a child above the server's own, so that the kernel ends it before the server. It knows nothing of
 * how the child was started.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { errnoOf } from './program-path.js';

/** The kernel's highest score (proc(5)). */
const MAX_SCORE = 1000;
/** A child on a terminal may not have reached its program yet; it takes only microseconds. */
const RETRY_AFTER_MS = 2;
const MAX_TRIES = 50;

/** @param more added to the server's own score, which an orchestrator may have set; the sum is capped at the kernel's highest score */
export function raiseOomScore(pid: number, more: number): void {
  const own = Number(readOwnScore());
  write(pid, String(Math.min(MAX_SCORE, own + more)), MAX_TRIES);
}

function readOwnScore(): string {
  try {
    return readFileSync('/proc/self/oom_score_adj', 'latin1');
  } catch {
    return '0';
  }
}

function write(pid: number, score: string, triesLeft: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, score);
  } catch (error) {
    // Between fork and exec a child's files belong to root, because the server is not dumpable. Any other error means that the child has ended.
    if (errnoOf(error) === 'EACCES' && triesLeft > 0) {
      setTimeout(() => write(pid, score, triesLeft - 1), RETRY_AFTER_MS).unref();
    }
  }
}
