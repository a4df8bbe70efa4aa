/** The program: runs its command line and ends with the exit code. */
import { endProgram } from './cli/end-program.js';
import { run } from './cli/run.js';
import { writeToStderr } from './cli/say.js';
import { loadLibc } from './process/libc.js';
import { startsUnderWay } from './process/start-process.js';
import { killUnfinishedStarts } from './process/unfinished-starts.js';

/** Exits without waiting for threads. Node would wait for its thread pool, and a thread may wait for a file system that never answers. */
async function exit(code: number): Promise<never> {
  if (startsUnderWay() > 0) {
    killUnfinishedStarts();
    (await loadLibc()).exitAtOnce?.(code);
  }
  endProgram(code);
}

run(process.argv.slice(2)).then(
  // Not `process.exitCode`: a peer that does not close must not keep a server that has drained.
  exit,
  (error: unknown) => {
    writeToStderr(`execwire: ${error instanceof Error ? error.stack : String(error)}\n`);
    endProgram(1);
  },
);
