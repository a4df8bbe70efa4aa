// Cases: coming back to commands. How fast kept output is replayed, how soon it begins, and what keeping it costs in memory and speed.

import { COMMAND_MARK, ServerProcess } from '../server-process.mjs';
import { medianInterval, pause, percentile, ratiosInTurn, sample } from '../statistics.mjs';
import { stoppedObserverRatios } from '../stopped-observer.mjs';

const MIB = 1024 * 1024;
const CAPABILITIES = { experimentalApi: true };
/** From the last start until memory is read. */
const SETTLE_MS = 1_000;
/** Rounds of an interleaved comparison: fewer give no interval for a small difference. */
const ROUNDS = 45;
const QUICK_ROUNDS = 3;

let keys = 0;
function freshKey() {
  keys += 1;
  return `bench-attach-${process.pid}.${keys}`;
}

/** @typedef {import('../rpc-connection.mjs').RpcConnection} RpcConnection */
/** @typedef {{ command: string[], processId?: string, detachable?: object, tty?: boolean }} Start */

/** @param {Start} start */
function paramsOf({ processId = 'p', ...start }) {
  return {
    ...start,
    processId,
    streamStdoutStderr: true,
    disableTimeout: true,
    disableOutputCap: true,
    sandboxPolicy: { type: 'dangerFullAccess' },
    env: { [COMMAND_MARK.name]: COMMAND_MARK.value },
  };
}

/** Reads one stream to its end. @param {RpcConnection} connection @param {string} method @param {object} params @param {number} bytes @returns {Promise<number>} bytes a second */
async function readToEnd(connection, method, params, bytes) {
  let received = 0;
  connection.watch('p', (count) => {
    received += count;
  });
  const startedAtMs = performance.now();
  await connection.call(method, params);
  const seconds = (performance.now() - startedAtMs) / 1000;
  if (received !== bytes) throw new Error(`${received} bytes arrived, ${bytes} were written`);
  return bytes / seconds;
}

/** Starts a command and detaches when it has written so many bytes. @param {RpcConnection} connection @param {Start} start @param {number} bytes */
async function startAndLeave(connection, start, bytes) {
  const params = paramsOf(start);
  let received = 0;
  /** @type {Promise<void>} */
  const said = new Promise((resolve) => {
    connection.watch(params.processId, (count) => {
      received += count;
      if (received >= bytes) resolve();
    });
  });
  const end = connection.request('command/exec', params);
  await Promise.race([said, end]);
  await connection.call('command/exec/detach', { processId: params.processId });
  await end;
}

/** @type {import('../case.mjs').Case} */
export const attachReplay = {
  name: 'attach-replay',
  title: 'Replay',
  what: 'A detachable command writes 64 MiB and keeps all of them; they are streamed while it runs, and again from its log after its end.',
  usOnly: true,
  metrics: {
    live_mb_per_second: { title: 'while it runs', unit: 'MB/s', better: 'higher' },
    replay_mb_per_second: { title: 'replay', unit: 'MB/s', better: 'higher' },
  },
  async run({ server }) {
    const bytes = 64 * MIB;
    const connection = await server.connect(CAPABILITIES);
    const key = freshKey();
    const command = ['head', '-c', String(bytes), '/dev/zero'];
    const start = paramsOf({ command, detachable: { key, replayBytes: bytes } });
    const live = await readToEnd(connection, 'command/exec', start, bytes);
    const replay = await readToEnd(connection, 'command/exec/attach', { processId: 'p', key }, bytes);
    return { live_mb_per_second: live / 1e6, replay_mb_per_second: replay / 1e6 };
  },
};

const ATTACHES = { count: 200, maxMs: 6_000, warmUp: 20 };

/**
 * Milliseconds from the request for a view to the first frame that `isFirst` knows.
 * @param {RpcConnection} connection @param {object} params @param {string} mark in the head of that frame
 */
async function attachOnce(connection, params, mark) {
  const startedAtMs = performance.now();
  /** @type {Promise<number>} */
  const first = new Promise((resolve) => {
    connection.onRawFrame = (frame) => {
      if (frame.head.indexOf(mark) >= 0) resolve(performance.now() - startedAtMs);
    };
  });
  const end = connection.request('command/exec/attach', { processId: 'p', role: 'observer', ...params });
  const ms = await Promise.race([first, end.then((reply) => Promise.reject(new Error(JSON.stringify(reply))))]);
  connection.onRawFrame = undefined;
  await connection.call('command/exec/detach', { processId: 'p' });
  await end.catch(() => {});
  return ms;
}

/** @type {import('../case.mjs').Case} */
export const attachFirstByte = {
  name: 'attach-first-byte',
  title: 'Attach',
  what: 'From the request to the first byte of a command that has written little, and to the screen of a terminal that keeps 1 MiB.',
  usOnly: true,
  metrics: {
    p50_ms: { title: 'first byte p50', unit: 'ms', better: 'lower' },
    screen_p50_ms: { title: 'screen of 1 MiB p50', unit: 'ms', better: 'lower' },
    screen_again_p50_ms: { title: 'the same screen again p50', unit: 'ms', better: 'lower' },
  },
  async run({ server, quick }) {
    const connection = await server.connect(CAPABILITIES);
    const key = freshKey();
    const little = ['sh', '-c', 'echo hello; exec sleep 1000'];
    await startAndLeave(connection, { command: little, detachable: { key } }, 1);
    const plain = await sample(ATTACHES, () => attachOnce(connection, { key }, '"command/exec/outputDelta"'));
    const text = 'stty raw; yes "some words of a line of text and a number" | head -c 1048576; exec sleep 1000';
    /** @type {number[]} */
    const screens = [];
    /** @type {number[]} */
    const again = [];
    for (let round = 0; round < (quick ? 3 : 10); round += 1) {
      const terminal = freshKey();
      const start = { command: ['sh', '-c', text], processId: `t${round}`, tty: true, detachable: { key: terminal } };
      await startAndLeave(connection, start, MIB);
      const params = { key: terminal, screen: true };
      screens.push(await attachOnce(connection, params, '"command/exec/screen"'));
      again.push(await attachOnce(connection, params, '"command/exec/screen"'));
    }
    return {
      p50_ms: percentile(plain, 50),
      screen_p50_ms: percentile(screens, 50),
      screen_again_p50_ms: percentile(again, 50),
    };
  },
};

const DETACHED = 500;
/** Below the server's bound for one connection. */
const PER_CONNECTION = 250;

/** @type {import('../case.mjs').Case} */
export const attachMemory = {
  name: 'attach-memory',
  title: 'Memory of detached commands',
  what: `Anonymous PSS of the server for each of ${DETACHED} detached commands that have written a line, and for each of as many that have filled 64 KiB of log.`,
  usOnly: true,
  maxRounds: 3,
  maxSeconds: 60,
  openFiles: 4_000,
  metrics: {
    per_command_kb: { title: 'per detached command', unit: 'KB', better: 'lower' },
    per_full_command_kb: { title: 'with 64 KiB of log, per detached command', unit: 'KB', better: 'lower' },
  },
  async run({ server }) {
    const of = {};
    const kinds = /** @type {const} */ ([
      ['per_command_kb', 'echo hello; exec sleep 1000', 1],
      ['per_full_command_kb', 'head -c 300000 /dev/zero; exec sleep 1000', 300_000],
    ]);
    for (const [name, script, bytes] of kinds) {
      const connections = await server.connectMany(DETACHED / PER_CONNECTION, CAPABILITIES);
      const startAll = async (/** @type {number} */ count) => {
        for (let each = 0; each < count; each += 1) {
          const connection = connections[each % connections.length];
          const detachable = { key: freshKey(), replayBytes: 64 * 1024, ttlMs: 600_000 };
          const start = { command: ['sh', '-c', script], processId: `d${each}`, detachable };
          await startAndLeave(connection, start, bytes);
        }
      };
      // Memory that is loaded or grown once is not part of the cost of one command.
      await startAll(10);
      await pause(SETTLE_MS);
      const before = server.memory().anonMb;
      await startAll(DETACHED - 10);
      await pause(SETTLE_MS);
      Object.assign(of, { [name]: ((server.memory().anonMb - before) * 1e6) / (DETACHED - 10) / 1_024 });
    }
    return of;
  },
};

/**
 * Compares two ways in turn, after one run of each that does not count.
 * @param {() => Promise<number>} one @param {() => Promise<number>} other @param {boolean} quick
 * @returns {Promise<{ median: number, low: number, high: number }>} of the speed of the other divided by that of the one
 */
async function compare(one, other, quick) {
  await one();
  await other();
  return medianInterval(await ratiosInTurn(one, other, quick ? QUICK_ROUNDS : ROUNDS));
}

/** @param {string} what @returns {Record<string, import('../case.mjs').Metric>} */
function comparison(what) {
  return {
    ratio: { title: what, unit: '×', better: 'higher' },
    ratio_low: { title: `${what}: lower end of the 95 % interval`, unit: '×', better: 'higher' },
  };
}

/** @type {import('../case.mjs').Case} */
export const attachLogCost = {
  name: 'attach-log-cost',
  title: 'Cost of the log',
  what: `Speed of a stream of 128 MiB through the pipe of a detachable command that keeps 1 MiB, divided by that of an ordinary command, whose output is not copied; ${ROUNDS} rounds in turn.`,
  usOnly: true,
  maxRounds: 1,
  maxSeconds: 120,
  metrics: comparison('detachable stream by an ordinary one'),
  async run({ server, quick }) {
    const bytes = (quick ? 64 : 128) * MIB;
    const connection = await server.connect(CAPABILITIES);
    const command = ['head', '-c', String(bytes), '/dev/zero'];
    const ordinary = () => readToEnd(connection, 'command/exec', paramsOf({ command }), bytes);
    const detachable = () => {
      const params = paramsOf({ command, detachable: { key: freshKey(), ttlMs: 0 } });
      return readToEnd(connection, 'command/exec', params, bytes);
    };
    const { median, low } = await compare(ordinary, detachable, quick);
    return { ratio: median, ratio_low: low };
  },
};

/** @type {import('../case.mjs').Case} */
export const attachScreenCost = {
  name: 'attach-screen-cost',
  title: 'Cost of screens',
  what: `Speed of a raw PTY stream of 16 MiB of text to its writer, with screens, divided by that with --no-screens; ${ROUNDS} rounds in turn.`,
  usOnly: true,
  ownServers: true,
  maxRounds: 1,
  maxSeconds: 180,
  metrics: comparison('writer of a terminal with screens by one without'),
  async run({ command, quick }) {
    const servers = [await ServerProcess.start(command), await ServerProcess.start(`${command} --no-screens`)];
    try {
      const bytes = (quick ? 8 : 16) * MIB;
      const script = `stty raw -echo; yes "some words of a line of text and a number" | head -c ${bytes}`;
      const [followed, plain] = await Promise.all(
        servers.map(async (server) => {
          const connection = await server.connect(CAPABILITIES);
          return () => {
            const detachable = { key: freshKey(), ttlMs: 0 };
            const params = paramsOf({ command: ['sh', '-c', script], tty: true, detachable });
            return readToEnd(connection, 'command/exec', params, bytes);
          };
        }),
      );
      const { median, low } = await compare(plain, followed, quick);
      return { ratio: median, ratio_low: low };
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  },
};

/** @type {import('../case.mjs').Case} */
export const attachObserverCost = {
  name: 'attach-observer-cost',
  title: 'Cost of an observer that has stopped reading',
  what: `Speed of a stream of 128 MiB to its writer beside an observer that has stopped reading, divided by that without the observer; ${ROUNDS} rounds in turn.`,
  usOnly: true,
  maxRounds: 1,
  maxSeconds: 120,
  metrics: comparison('writer beside a stopped observer by one alone'),
  async run({ server, quick }) {
    const bytes = (quick ? 64 : 128) * MIB;
    await stoppedObserverRatios(server.port, { bytes, rounds: 1 });
    const ratios = await stoppedObserverRatios(server.port, { bytes, rounds: quick ? QUICK_ROUNDS : ROUNDS });
    const { median, low } = medianInterval(ratios);
    return { ratio: median, ratio_low: low };
  },
};
