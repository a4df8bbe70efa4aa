// Cases: the time from a key to its echo in a raw PTY: quiet, beside a stream on another connection, and on the stream's own.

import { EchoTerminal, Flood } from '../commands.mjs';
import { percentile, sample } from '../statistics.mjs';

/** @param {boolean} quick */
const bounds = (quick) => ({ count: quick ? 300 : 1_000, maxMs: quick ? 1_500 : 2_500, warmUp: 50 });

/** @param {string} where @returns {Record<string, import('../case.mjs').Metric>} */
function metrics(where) {
  return {
    p50_ms: { title: `echo ${where} p50`, unit: 'ms', better: 'lower' },
    p99_ms: { title: `echo ${where} p99`, unit: 'ms', better: 'lower' },
  };
}

/** @param {EchoTerminal} terminal @param {boolean} quick */
async function measureEcho(terminal, quick) {
  const times = await sample(bounds(quick), () => terminal.key());
  return { p50_ms: percentile(times, 50), p99_ms: percentile(times, 99) };
}

/** @param {string} where @returns {Record<string, import('../case.mjs').Metric>} */
function metricsBesideFlood(where) {
  return {
    ...metrics(where),
    flood_mb_per_second: { title: `the stream meanwhile (${where})`, unit: 'MB/s', better: 'higher' },
  };
}

/**
 * @param {import('../rpc-connection.mjs').RpcConnection} flooded @param {import('../rpc-connection.mjs').RpcConnection} typed
 * @param {boolean} quick
 */
async function measureBesideFlood(flooded, typed, quick) {
  const terminal = await EchoTerminal.open(typed);
  const flood = await Flood.start(flooded);
  const bytes = flood.bytes;
  const start = performance.now();
  const echo = await measureEcho(terminal, quick);
  flood.check();
  const seconds = (performance.now() - start) / 1000;
  flooded.destroy();
  return { ...echo, flood_mb_per_second: (flood.bytes - bytes) / 1e6 / seconds };
}

/** @type {import('../case.mjs').Case} */
export const echoQuiet = {
  name: 'echo',
  title: 'Keystroke echo, quiet',
  what: 'One key after the other to `cat` in a raw PTY, until its echo; the next one when the reply to `write` is there too. Floor: the same with the PTY in C.',
  metrics: metrics('quiet'),
  async run({ server, quick }) {
    return measureEcho(await EchoTerminal.open(await server.connect()), quick);
  },
  async floorInC({ floors }) {
    const { p50, p99 } = await floors.json('pty_echo', 3_000);
    return { p50_ms: p50, p99_ms: p99 };
  },
};

/** @type {import('../case.mjs').Case} */
export const echoOtherConnection = {
  name: 'echo-beside-stream',
  title: 'Keystroke echo beside a stream on another connection',
  what: 'The same while another connection streams `cat /dev/zero` at full speed.',
  metrics: metricsBesideFlood('beside a stream'),
  async run({ server, quick }) {
    return measureBesideFlood(await server.connect(), await server.connect(), quick);
  },
};

/** @type {import('../case.mjs').Case} */
export const echoSameConnection = {
  name: 'echo-same-connection',
  title: 'Keystroke echo beside a stream on the same connection',
  what: 'The same with the stream on the connection of the terminal.',
  metrics: metricsBesideFlood('same connection'),
  async run({ server, quick }) {
    const connection = await server.connect();
    return measureBesideFlood(connection, connection, quick);
  },
};
