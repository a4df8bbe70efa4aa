// Cases: /bin/true, which itself takes almost no time, so that the figures are what the server adds.

import { runTrue, runTrueInTerminal } from '../commands.mjs';
import { percentile, sample } from '../statistics.mjs';

const WARM_UP = 30;

/** @param {boolean} quick */
const bounds = (quick) => ({ count: quick ? 100 : 300, maxMs: 2_500, warmUp: WARM_UP });

/** @type {import('../case.mjs').Case} */
export const truePipes = {
  name: 'true-pipes',
  title: '`/bin/true` through pipes',
  what: 'One command after the other, buffered output, from request to reply. Floor: posix_spawn and waitpid in C.',
  metrics: {
    p50_ms: { title: '/bin/true p50', unit: 'ms', better: 'lower' },
    p99_ms: { title: '/bin/true p99', unit: 'ms', better: 'lower' },
  },
  async run({ server, quick }) {
    const connection = await server.connect();
    const times = await sample(bounds(quick), () => runTrue(connection));
    return { p50_ms: percentile(times, 50), p99_ms: percentile(times, 99) };
  },
  async floorInC({ floors, quick }) {
    const { p50, p99 } = await floors.json('spawn_wait', bounds(quick).count, 1);
    return { p50_ms: p50, p99_ms: p99 };
  },
};

/** @type {import('../case.mjs').Case} */
export const truePty = {
  name: 'true-pty',
  title: '`/bin/true` in a PTY',
  what: 'The same with `tty: true`.',
  metrics: {
    p50_ms: { title: '/bin/true in a PTY p50', unit: 'ms', better: 'lower' },
    p99_ms: { title: '/bin/true in a PTY p99', unit: 'ms', better: 'lower' },
  },
  async run({ server, quick }) {
    const connection = await server.connect();
    const times = await sample(bounds(quick), () => runTrueInTerminal(connection));
    return { p50_ms: percentile(times, 50), p99_ms: percentile(times, 99) };
  },
};

/** Commands that run at the same time. */
const WIDTH = 16;

/** @type {import('../case.mjs').Case} */
export const trueParallel = {
  name: 'true-16',
  title: `\`/bin/true\`, ${WIDTH} at a time`,
  what: `${WIDTH} always running, on one connection, through pipes. Floor: ${WIDTH} at a time with posix_spawn and wait in C.`,
  metrics: {
    per_second: { title: `/bin/true, ${WIDTH} at a time`, unit: '/s', better: 'higher' },
    p50_ms: { title: `/bin/true p50, ${WIDTH} at a time`, unit: 'ms', better: 'lower' },
  },
  async run({ server, quick }) {
    const connection = await server.connect();
    const lanes = Array.from({ length: WIDTH });
    const each = Math.ceil((quick ? 400 : 1_000) / WIDTH);
    await Promise.all(lanes.map(() => runTrue(connection)));
    const start = performance.now();
    const times = await Promise.all(lanes.map(() => sample({ count: each, maxMs: 3_000 }, () => runTrue(connection))));
    const all = times.flat();
    return { per_second: all.length / ((performance.now() - start) / 1000), p50_ms: percentile(all, 50) };
  },
  async floorInC({ floors, quick }) {
    const { perSecond } = await floors.json('spawn_wait', quick ? 400 : 1_000, WIDTH);
    return { per_second: perSecond };
  },
};
