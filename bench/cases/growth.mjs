// Cases: how latency, memory and CPU grow with the number of connections and of live terminals.

import { cheapRequest, EchoTerminal, runTrue } from '../commands.mjs';
import { pause, percentile, sample } from '../statistics.mjs';

const CONNECTIONS = [1, 10, 100, 1_000];
const TERMINALS = [1, 10, 100, 300];
/** Terminals of one connection: below the limits on commands of one connection that servers have. */
const TERMINALS_PER_CONNECTION = 10;
const SETTLE_MS = 300;

/** @param {number[]} steps @param {(step: string) => Record<string, import('../case.mjs').Metric>} at */
function metricsAt(steps, at) {
  return Object.assign({}, ...steps.map((step) => at(String(step))));
}

/** @type {import('../case.mjs').Case} */
export const growthConnections = {
  name: 'growth-connections',
  title: 'Growth with connections',
  what: 'With 1, 10, 100 and 1,000 initialized connections: the cheap request on each in turn, /bin/true on each in turn, PSS, and server CPU per request.',
  maxRounds: 3,
  maxSeconds: 45,
  openFiles: 1_500,
  metrics: metricsAt(CONNECTIONS, (n) => ({
    [`request_p50_ms@${n}`]: { title: `request p50, connections (${n} open)`, unit: 'ms', better: 'lower' },
    [`request_p99_ms@${n}`]: { title: `request p99, connections (${n} open)`, unit: 'ms', better: 'lower' },
    [`request_cpu_us@${n}`]: { title: `server CPU per request, connections (${n} open)`, unit: 'µs', better: 'lower' },
    [`true_p50_ms@${n}`]: { title: `/bin/true p50, connections (${n} open)`, unit: 'ms', better: 'lower' },
    [`true_p99_ms@${n}`]: { title: `/bin/true p99, connections (${n} open)`, unit: 'ms', better: 'lower' },
    [`pss_mb@${n}`]: { title: `PSS, connections (${n} open)`, unit: 'MB', better: 'lower' },
  })),
  async run({ server, quick }) {
    /** @type {Record<string, number>} */
    const found = {};
    /** @type {import('../rpc-connection.mjs').RpcConnection[]} */
    const open = [];
    const warm = await server.connect();
    open.push(warm);
    await sample({ count: 1_000, maxMs: 1_000 }, () => cheapRequest(warm));
    await sample({ count: 30, maxMs: 500 }, () => runTrue(warm));
    for (const n of CONNECTIONS) {
      open.push(...(await server.connectMany(n - open.length)));
      await pause(SETTLE_MS);
      found[`pss_mb@${n}`] = server.memory().pssMb;
      /** @param {number} turn */
      const inTurn = (turn) => open[turn % open.length];
      // One request on each connection first, which is not counted, because the first one takes longer.
      await sample({ count: n, maxMs: 1_000 }, (turn) => cheapRequest(inTurn(turn)));
      const cpu = server.startCpuClock();
      const requests = await sample({ count: quick ? 1_500 : 3_000, maxMs: 1_500 }, (turn) =>
        cheapRequest(inTurn(turn)),
      );
      found[`request_cpu_us@${n}`] = (cpu() * 1e6) / requests.length;
      found[`request_p50_ms@${n}`] = percentile(requests, 50);
      found[`request_p99_ms@${n}`] = percentile(requests, 99);
      const commands = await sample({ count: quick ? 50 : 120, maxMs: 1_000 }, (turn) => runTrue(inTurn(turn)));
      found[`true_p50_ms@${n}`] = percentile(commands, 50);
      found[`true_p99_ms@${n}`] = percentile(commands, 99);
    }
    return found;
  },
};

/** @type {import('../case.mjs').Case} */
export const growthTerminals = {
  name: 'growth-terminals',
  title: 'Growth with live terminals',
  what: `With 1, 10, 100 and 300 live terminals (${TERMINALS_PER_CONNECTION} on a connection): a key in each in turn, PSS of the server without its commands, and its CPU per key.`,
  maxRounds: 3,
  maxSeconds: 60,
  openFiles: 1_500,
  metrics: metricsAt(TERMINALS, (n) => ({
    [`echo_p50_ms@${n}`]: { title: `echo p50, terminals (${n} open)`, unit: 'ms', better: 'lower' },
    [`echo_p99_ms@${n}`]: { title: `echo p99, terminals (${n} open)`, unit: 'ms', better: 'lower' },
    [`echo_cpu_us@${n}`]: { title: `server CPU per key, terminals (${n} open)`, unit: 'µs', better: 'lower' },
    [`idle_cpu@${n}`]: { title: `server CPU, idle terminals (${n} open)`, unit: '%', better: 'lower' },
    [`pss_mb@${n}`]: { title: `PSS, terminals (${n} open)`, unit: 'MB', better: 'lower' },
  })),
  async run({ server, quick }) {
    /** @type {Record<string, number>} */
    const found = {};
    /** @type {EchoTerminal[]} */
    const terminals = [];
    /** @type {import('../rpc-connection.mjs').RpcConnection | undefined} */
    let connection;
    for (const n of TERMINALS) {
      while (terminals.length < n) {
        if (!connection || terminals.length % TERMINALS_PER_CONNECTION === 0) connection = await server.connect();
        terminals.push(await EchoTerminal.open(connection));
      }
      await pause(SETTLE_MS);
      const idleCpu = server.startCpuClock();
      const idleStart = performance.now();
      await pause(SETTLE_MS);
      found[`idle_cpu@${n}`] = (idleCpu() * 1e5) / (performance.now() - idleStart);
      found[`pss_mb@${n}`] = server.memory().pssMb;
      const cpu = server.startCpuClock();
      const bounds = { count: quick ? 300 : 1_000, maxMs: quick ? 800 : 1_200 };
      const keys = await sample(bounds, (turn) => terminals[turn % terminals.length].key());
      found[`echo_cpu_us@${n}`] = (cpu() * 1e6) / keys.length;
      found[`echo_p50_ms@${n}`] = percentile(keys, 50);
      found[`echo_p99_ms@${n}`] = percentile(keys, 99);
    }
    return found;
  },
};
