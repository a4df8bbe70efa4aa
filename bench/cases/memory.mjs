// Case: memory with no connection, and per idle connection.

import { spawn } from 'node:child_process';
import { memory as memoryOf } from '../proc.mjs';
import { pause } from '../statistics.mjs';

/** From ready until memory is read: long enough for the work that a server does right after it is ready. */
const SETTLE_MS = 1_000;
/** Open before the counting begins, so that memory which is loaded or grown once is not part of the cost per connection. */
const FIRST_CONNECTIONS = 200;

/** @type {import('../case.mjs').Case} */
export const memory = {
  name: 'memory',
  title: 'Memory, idle',
  what: `RSS and PSS (smaps_rollup, MB = 10^6 bytes, helper processes included) 1 s after ready with no connection; then anonymous PSS per connection, from ${FIRST_CONNECTIONS} to ${FIRST_CONNECTIONS + 1000} initialized connections that do nothing. Floor: a bare Node.`,
  maxRounds: 3,
  perNode: true,
  metrics: {
    rss_mb: { title: 'RSS idle', unit: 'MB', better: 'lower' },
    pss_mb: { title: 'PSS idle', unit: 'MB', better: 'lower' },
    per_connection_kb: { title: 'per idle connection (1,000)', unit: 'KB', better: 'lower' },
  },
  openFiles: 1_500,
  async run({ server }) {
    await pause(SETTLE_MS);
    const idle = server.memory();
    await server.connectMany(FIRST_CONNECTIONS);
    await pause(SETTLE_MS);
    // Without files, because PSS divides a file's page by the number of processes that map it, and that number changes with other programs.
    const before = server.memory().anonMb;
    await server.connectMany(1_000);
    await pause(SETTLE_MS);
    const perConnection = ((server.memory().anonMb - before) * 1e6) / 1_000 / 1_024;
    return { rss_mb: idle.rssMb, pss_mb: idle.pssMb, per_connection_kb: perConnection };
  },
  async floor() {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 60_000)'], { stdio: 'ignore' });
    try {
      await pause(SETTLE_MS);
      const { rssMb, pssMb } = memoryOf(child.pid ?? 0);
      return { rss_mb: rssMb, pss_mb: pssMb };
    } finally {
      child.kill('SIGKILL');
    }
  },
};

/** @type {import('../case.mjs').Case} */
export const memory10k = {
  name: 'memory-10k',
  title: 'Memory with 10,000 idle connections',
  what: 'PSS with 10,000 initialized connections that do nothing. Only execwire: the reference at 160 KB each is left out.',
  usOnly: true,
  maxRounds: 1,
  maxSeconds: 60,
  skipQuick: true,
  metrics: {
    pss_10k_mb: { title: 'PSS with 10,000 connections', unit: 'MB', better: 'lower' },
    rss_10k_mb: { title: 'RSS with 10,000 connections', unit: 'MB', better: 'lower' },
    open_seconds: { title: 'opening 10,000 connections', unit: 's', better: 'lower' },
  },
  openFiles: 10_500,
  async run({ server }) {
    const begin = performance.now();
    await server.connectMany(10_000);
    const seconds = (performance.now() - begin) / 1000;
    await pause(SETTLE_MS);
    const { pssMb, rssMb } = server.memory();
    return { pss_10k_mb: pssMb, rss_10k_mb: rssMb, open_seconds: seconds };
  },
};
