// The command line of the long fuzz run: `npm run fuzz -- --seconds 600 --inputs 1000000 --seed 1 -- SERVER_FLAGS`. Knows no attack.

import { parseArgs } from 'node:util';
import { SEED } from '../support/seed.js';
import { fuzz } from './fuzz.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Seconds, at least. */
    seconds: { type: 'string', default: '600' },
    /** Messages plus raw connections, at least. */
    inputs: { type: 'string', default: '1000000' },
    /** Default: `TEST_SEED`, or a new one; it is printed, so that a run can be repeated. */
    seed: { type: 'string', default: String(SEED) },
    'half-open': { type: 'string', default: '10000' },
    'max-rss-mib': { type: 'string', default: '1024' },
    /** The token of good clients; the server's flags must name the same one. */
    token: { type: 'string' },
    server: { type: 'string', default: 'dist/execwire.cjs' },
  },
});

process.stderr.write(`fuzz: seed ${values.seed}\n`);
const report = await fuzz({
  script: values.server,
  flags: positionals,
  ...(values.token === undefined ? {} : { token: values.token }),
  seed: Number(values.seed),
  seconds: Number(values.seconds),
  inputs: Number(values.inputs),
  halfOpenUpgrades: Number(values['half-open']),
  maxResidentBytes: Number(values['max-rss-mib']) * 1024 * 1024,
});
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
process.exitCode = report.problems.length === 0 ? 0 : 1;
