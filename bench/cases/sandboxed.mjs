// Cases: /bin/true under a policy, beside the same without one, and what a kept thread costs.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTrue } from '../commands.mjs';
import { pause, percentile } from '../statistics.mjs';

const READ_ONLY = { type: 'readOnly' };
const WORKSPACE_WRITE = { type: 'workspaceWrite' };
const WARM_UP = 30;
const REFERENCE_NOTE =
  'The reference makes user namespaces for each command, which most containers forbid; where it cannot, its row is missing and the reason stands below.';

/** @param {() => Promise<void>} work @returns {Promise<number>} milliseconds */
async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** @type {import('../case.mjs').Case} */
export const sandboxedTrue = {
  name: 'sandboxed-true',
  title: '`/bin/true` in a sandbox',
  what: `One command after the other, in turn without a policy, under \`readOnly\` and under \`workspaceWrite\`, from request to reply. First: the first command under a policy of a server that has run others. ${REFERENCE_NOTE}`,
  metrics: {
    plain_p50_ms: { title: 'without a policy p50', unit: 'ms', better: 'lower' },
    p50_ms: { title: '`readOnly` p50', unit: 'ms', better: 'lower' },
    p99_ms: { title: '`readOnly` p99', unit: 'ms', better: 'lower' },
    workspace_p50_ms: { title: '`workspaceWrite` p50', unit: 'ms', better: 'lower' },
    first_ms: { title: 'first command under a policy', unit: 'ms', better: 'lower' },
  },
  async run({ server, quick }) {
    const connection = await server.connect();
    for (let warm = 0; warm < WARM_UP; warm++) await runTrue(connection);
    const first = await timed(() => runTrue(connection, READ_ONLY));
    await runTrue(connection, WORKSPACE_WRITE);
    const ways = [undefined, READ_ONLY, WORKSPACE_WRITE];
    /** @type {number[][]} */
    const times = ways.map(() => []);
    const endsAt = performance.now() + 6_000;
    for (let turn = 0; turn < (quick ? 100 : 300) && performance.now() < endsAt; turn++) {
      for (const [index, policy] of ways.entries()) times[index].push(await timed(() => runTrue(connection, policy)));
    }
    const [plain, readOnly, workspace] = times;
    return {
      plain_p50_ms: percentile(plain, 50),
      p50_ms: percentile(readOnly, 50),
      p99_ms: percentile(readOnly, 99),
      workspace_p50_ms: percentile(workspace, 50),
      first_ms: first,
    };
  },
};

/** Commands that run at the same time. */
const WIDTH = 16;
/** Parts of a round; the two ways take turns. */
const PARTS = 4;

/** @type {import('../case.mjs').Case} */
export const sandboxedParallel = {
  name: 'sandboxed-16',
  title: `\`/bin/true\` in a sandbox, ${WIDTH} at a time`,
  what: `${WIDTH} always running, on one connection, in ${PARTS} parts in turn without a policy and under \`readOnly\`.`,
  metrics: {
    plain_per_second: { title: `without a policy, ${WIDTH} at a time`, unit: '/s', better: 'higher' },
    per_second: { title: `\`readOnly\`, ${WIDTH} at a time`, unit: '/s', better: 'higher' },
  },
  async run({ server, quick }) {
    const connection = await server.connect();
    const each = Math.ceil((quick ? 200 : 600) / WIDTH / PARTS);
    /** @param {object | undefined} policy @param {number} turns @returns {Promise<number>} commands per second */
    const lanes = async (policy, turns) => {
      const ms = await timed(async () => {
        const lane = async () => {
          for (let turn = 0; turn < turns; turn++) await runTrue(connection, policy);
        };
        await Promise.all(Array.from({ length: WIDTH }, lane));
      });
      return (WIDTH * turns) / (ms / 1000);
    };
    for (const policy of [undefined, READ_ONLY]) await lanes(policy, 1);
    /** @type {[number[], number[]]} */
    const [plain, confined] = [[], []];
    for (let part = 0; part < PARTS; part++) {
      plain.push(await lanes(undefined, each));
      confined.push(await lanes(READ_ONLY, each));
    }
    return { plain_per_second: percentile(plain, 50), per_second: percentile(confined, 50) };
  },
};

/** As many threads as the server keeps idle. */
const KEPT = 8;
/** From the last command until memory is read. */
const SETTLE_MS = 1_000;

/** @type {import('../case.mjs').Case} */
export const sandboxMemory = {
  name: 'sandbox-memory',
  title: 'Memory of a sandbox',
  what: `Each policy has a thread. PSS of the server per thread, from one to ${KEPT} policies under which one command has run.`,
  usOnly: true,
  maxRounds: 5,
  metrics: { per_thread_mb: { title: 'per kept thread', unit: 'MB', better: 'lower' } },
  async run({ server }) {
    const base = mkdtempSync(join(tmpdir(), 'execwire-bench-'));
    try {
      const connection = await server.connect();
      await runTrue(connection);
      await runTrue(connection, READ_ONLY);
      await pause(SETTLE_MS);
      const before = server.memory().pssMb;
      for (let index = 1; index < KEPT; index++) {
        const writableRoots = [mkdtempSync(join(base, 'root-'))];
        await runTrue(connection, { ...WORKSPACE_WRITE, writableRoots });
      }
      await pause(SETTLE_MS);
      return { per_thread_mb: (server.memory().pssMb - before) / (KEPT - 1) };
    } finally {
      rmSync(base, { recursive: true });
    }
  },
};
