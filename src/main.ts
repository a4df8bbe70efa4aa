/** The program: runs its command line and sets the exit code. */
import { run } from './cli/run.js';

run(process.argv.slice(2)).then(
  // Not `process.exitCode`: a peer that does not let go must not keep a server that has drained.
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`execwire: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
