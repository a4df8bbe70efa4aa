/** The program: runs its command line and ends with the exit code. */
import { endServer } from './cli/end-server.js';
import { run } from './cli/run.js';
import { writeToStderr } from './cli/say.js';

run(process.argv.slice(2)).then(
  // Not `process.exitCode`: a peer that does not close must not keep a server that has drained.
  endServer,
  (error: unknown) => {
    writeToStderr(`execwire: ${error instanceof Error ? error.stack : String(error)}\n`);
    endServer(1);
  },
);
