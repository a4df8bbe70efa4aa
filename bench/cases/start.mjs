// Case: from spawn to the first /readyz 200.

import { spawn } from 'node:child_process';
import { ServerProcess } from '../server-process.mjs';
import { median } from '../statistics.mjs';

/** Starts in one round: the median of a few, as one start is easily disturbed. */
const STARTS = 5;

/** @type {import('../case.mjs').Case} */
export const start = {
  name: 'start',
  title: 'Start to the first `/readyz` 200',
  what: `The median of ${STARTS} starts, polled every millisecond; one start before them does not count. Floor: \`node -e 0\`, begin to end.`,
  ownServers: true,
  perNode: true,
  metrics: { ready_ms: { title: 'start to ready', unit: 'ms', better: 'lower' } },
  async run({ command, quick }) {
    const times = [];
    for (let n = 0; n <= (quick ? 3 : STARTS); n++) {
      const server = await ServerProcess.start(command);
      times.push(server.readyMs);
      await server.stop();
    }
    return { ready_ms: median(times.slice(1)) };
  },
  async floor() {
    const times = [];
    for (let n = 0; n < STARTS; n++) times.push(await bareNode());
    return { ready_ms: median(times) };
  },
};

/** @returns {Promise<number>} */
function bareNode() {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', () => resolve(performance.now() - begin));
  });
}
