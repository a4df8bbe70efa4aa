// Case: what a kill costs on a host with thousands of other processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cheapRequest, freshId, NO_SANDBOX, runTrue } from '../commands.mjs';
import { percentile, sample } from '../statistics.mjs';

/** A host with many containers, or one long build. */
const STRANGERS = 2_000;
const STEPS = [0, STRANGERS];
/** For so long after a disconnect, another connection sends requests. */
const WATCH_MS = 20;

/** Starts processes that do not belong to the server. @param {number} count @returns {Promise<() => void>} ends them */
async function strangers(count) {
  const script = `i=0; while [ $i -lt ${count} ]; do sleep 600 & i=$((i+1)); done; echo ready; exec sleep 600`;
  const shell = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  await once(shell.stdout, 'data');
  return () => process.kill(-(shell.pid ?? 0), 'SIGKILL');
}

/** From `terminate` to the reply of the command, which waits for its processes to go. @param {import('../rpc-connection.mjs').RpcConnection} connection */
async function terminate(connection) {
  const processId = freshId('kill');
  const params = { command: ['/bin/sleep', '600'], processId, sandboxPolicy: NO_SANDBOX, disableTimeout: true };
  const ended = connection.call('command/exec', params);
  // Its answer shows that the server has taken the start, because requests are served in order. The process may still be starting.
  await cheapRequest(connection);
  const start = performance.now();
  await connection.call('command/exec/terminate', { processId });
  await ended;
  return performance.now() - start;
}

/** The longest wait of another connection after a client with one command has disconnected. @param {import('../server-process.mjs').ServerProcess} server */
async function standstill(server) {
  const [leaver, neighbour] = await server.connectMany(2);
  await runTrue(leaver);
  await leaver.close();
  const waits = await sample({ count: Number.POSITIVE_INFINITY, maxMs: WATCH_MS }, () => cheapRequest(neighbour));
  await neighbour.close();
  return Math.max(...waits);
}

/** @type {import('../case.mjs').Case} */
export const kills = {
  name: 'kills',
  title: 'Kills beside 2,000 other processes',
  what: 'With 0 and 2,000 other processes on the host: from `terminate` to the reply of `sleep`, and the longest wait of another connection in the 20 ms after a client with one command has disconnected.',
  maxRounds: 5,
  metrics: Object.assign(
    {},
    ...STEPS.map((count) => ({
      [`terminate_p50_ms@${count}`]: { title: `terminate p50 (${count} strangers)`, unit: 'ms', better: 'lower' },
      [`standstill_p50_ms@${count}`]: { title: `standstill p50 (${count} strangers)`, unit: 'ms', better: 'lower' },
    })),
  ),
  async run({ server, quick }) {
    /** @type {Record<string, number>} */
    const found = {};
    const connection = await server.connect();
    for (let warm = 0; warm < 20; warm++) await runTrue(connection);
    for (const count of STEPS) {
      const end = await strangers(count);
      try {
        const kills = [];
        for (let turn = 0; turn < (quick ? 20 : 60); turn++) kills.push(await terminate(connection));
        found[`terminate_p50_ms@${count}`] = percentile(kills, 50);
        const waits = [];
        for (let turn = 0; turn < (quick ? 10 : 30); turn++) waits.push(await standstill(server));
        found[`standstill_p50_ms@${count}`] = percentile(waits, 50);
      } finally {
        end();
      }
    }
    return found;
  },
};
