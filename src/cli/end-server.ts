/**
 * Ends the program of a server with an exit code, whatever its threads do. Node's own exit joins them: one that waits for a file system would keep the
 * program, and one that is calling the C library at that moment would abort it.
 */
import { loadedLibc } from '../process/libc.js';
import { sandboxThreads } from '../process/sandbox/sandbox-thread.js';
import { startsUnderWay } from '../process/start-process.js';
import { killUnfinishedStarts } from '../process/unfinished-starts.js';
import { endProgram } from './end-program.js';

/** Exits without waiting for threads. */
export function endServer(code: number): never {
  const exitAtOnce = loadedLibc()?.exitAtOnce;
  if (startsUnderWay() > 0) {
    // Nothing is told of this exit: who removes files at it could wait for the same file system.
    killUnfinishedStarts();
    exitAtOnce?.(code);
  } else if (exitAtOnce !== undefined && sandboxThreads() > 0) {
    // Nobody else tells of this exit, and files that the server has made are removed at it.
    process.emit('exit', code);
    exitAtOnce(code);
  }
  endProgram(code);
}
