// The fleet simulation: `node bench/fleet/run.mjs` prints its tables, and with `--page` writes docs/fleet.md and its plots. `--seed N` takes other random
// numbers, `--up-to N` leaves out fleets of more replicas. Loads the models, which are TypeScript, and measures what they take.
import { parseArgs } from 'node:util';
import { tsImport } from 'tsx/esm/api';

const USAGE = 'Usage: node bench/fleet/run.mjs [--page] [--seed N] [--up-to REPLICAS]';

/** A whole number of the command line. @param {string} text */
function wholeNumber(text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${text} is no whole number\n${USAGE}`);
  return value;
}

const { values } = parseArgs({
  options: {
    page: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    'up-to': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(USAGE);
else {
  const { runFleet } = await tsImport('./report.ts', import.meta.url);
  const startedAt = performance.now();
  const upTo = values['up-to'] === undefined ? undefined : wholeNumber(values['up-to']);
  await runFleet({ isPage: values.page, seed: wholeNumber(values.seed), upTo });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
  console.error(`${seconds} s, ${megabytes} MB at most`);
}
