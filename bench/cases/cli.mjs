// Case: the start of the command line, as a ratio to a bare Node in the same round.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from '../statistics.mjs';

/** Pairs in one round. The two programs take turns, so that other load on the machine slows both. */
const PAIRS = 15;
const CLI = fileURLToPath(new URL('../../dist/execwire.cjs', import.meta.url));

/** @type {import('../case.mjs').Case} */
export const cli = {
  name: 'cli',
  title: '`execwire exec -- true`',
  what: `The installed command line against a running server, begin to end, ${PAIRS} times in turns with \`node -e 0\`; the medians of the ratios and of the differences.`,
  usOnly: true,
  metrics: {
    ratio: { title: '`execwire exec -- true` per `node -e 0`', unit: '×', better: 'lower' },
    more_ms: { title: '`execwire exec -- true` beside `node -e 0`', unit: 'ms more', better: 'lower' },
    p50_ms: { title: '`execwire exec -- true` p50', unit: 'ms', better: 'lower' },
  },
  async run({ server, quick }) {
    const env = { ...process.env, EXECWIRE_URL: `ws://127.0.0.1:${server.port}` };
    const times = [];
    const ratios = [];
    const differences = [];
    for (let n = 0; n <= (quick ? 5 : PAIRS); n++) {
      const bare = await timed(process.execPath, ['-e', '0'], env);
      const ours = await timed(CLI, ['exec', '--', 'true'], env);
      // The first pair reads everything from the disk.
      if (n === 0) continue;
      times.push(ours);
      ratios.push(ours / bare);
      differences.push(ours - bare);
    }
    return { ratio: median(ratios), more_ms: median(differences), p50_ms: median(times) };
  },
};

/** @param {string} file @param {string[]} args @param {NodeJS.ProcessEnv} env @returns {Promise<number>} milliseconds */
function timed(file, args, env) {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'ignore', env });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve(performance.now() - begin);
      else reject(new Error(`${file} ended with ${code}`));
    });
  });
}
