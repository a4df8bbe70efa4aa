/** The program: picks the command and sets the exit code. */
import { helpText } from './cli/help.js';
import { serve } from './cli/serve.js';
import { version } from './version.js';

async function main(argv: readonly string[]): Promise<number> {
  const [command] = argv;
  if (argv.includes('--help') || argv.includes('-h') || command === 'help') {
    process.stdout.write(helpText());
    return 0;
  }
  if (argv.includes('--version') || argv.includes('-V')) {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  return serve(command === 'serve' ? argv.slice(1) : argv);
}

main(process.argv.slice(2)).then(
  // Not `process.exitCode`: a peer that does not let go must not keep a server that has drained.
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`execwire: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
