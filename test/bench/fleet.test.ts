/**
 * The fleet simulation: small fleets agree with figures worked out by hand, the same seed gives the same figures, and docs/fleet.md has the rows that
 * the models give now. Starts nothing. Long because each model is worked out by hand.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { HANDSHAKE_MS, MINUTE_MS, measured, SECOND_MS, SIZES } from '../../bench/fleet/assumptions.js';
import { HashRing, LeastConnections, POINTS_OF_WEIGHT_1 } from '../../bench/fleet/balancers.js';
import { simulateMonth, simulateZone } from '../../bench/fleet/crashes.js';
import { fatesOf, leavesMs, simulateDetached } from '../../bench/fleet/detached.js';
import { EventQueue } from '../../bench/fleet/event-queue.js';
import { balanceOf } from '../../bench/fleet/fleet.js';
import { svgOf } from '../../bench/fleet/plot.js';
import { Random } from '../../bench/fleet/random.js';
import { simulateRoll } from '../../bench/fleet/rolling.js';
import { simulateStorm } from '../../bench/fleet/storm.js';
import { fateRows, monthRow, poolRow, rollRows, stormRow, zoneRow } from '../../bench/fleet/tables.js';
import { coldShareByFormula, simulatePool, sizeByFormula, sizeFor } from '../../bench/fleet/warm-pool.js';
import { readConfig } from '../../src/config/config.js';
import { PROJECT } from '../support/page-programs.js';

const near = (one: number, other: number, by: number): boolean => Math.abs(one - other) <= by;
const slotsOf = (count: number): number[] => Array.from({ length: count }, (_, slot) => slot);

t.test('events come in order of time, and in that of their addition when times are equal', async (t) => {
  const queue = new EventQueue();
  const random = new Random(7);
  const added = slotsOf(3_000).map((event) => ({ event, time: Math.floor(random.uniform() * 50) }));
  for (const { event, time } of added) queue.add(time, event);
  const expected = [...added].sort((one, other) => one.time - other.time || one.event - other.event);
  const taken = added.map(() => ({ event: queue.next(), time: queue.now }));
  t.same(taken, expected);
  t.equal(queue.next(), undefined);
  t.throws(() => queue.add(queue.now - 1, 0), /which is over/);
});

t.test(
  'the client of two replicas that are away for half a second tries at 0, 100, 300 and 700 ms without jitter',
  async (t) => {
    const figures = simulateStorm({ replicas: 2, clientsPerReplica: 1, outageMs: 500, jitter: false, seed: 1 });
    t.same(figures.attemptsPerBin, [2, 2, 0, 2, 0, 0, 0, 2]);
    t.match(figures, { attempts: 8, failedAttempts: 6, gaveUp: 0, busiestSecond: 2, busiestBin: 2 });
    t.equal(figures.allBackMs, 200 + HANDSHAKE_MS, 'both at once, because each has a replica to itself');
    const queued = simulateStorm({ replicas: 1, clientsPerReplica: 2, outageMs: 500, jitter: false, seed: 1 });
    t.ok(near(queued.longestHandshakeMs, 2 * HANDSHAKE_MS, 1e-6), 'one after the other on one replica');
  },
);

t.test('jitter spreads a storm, so that its busiest tenth of a second has a small part of the clients', async (t) => {
  const options = { replicas: 10, clientsPerReplica: 100, outageMs: 10 * SECOND_MS, seed: 1 };
  const without = simulateStorm({ ...options, jitter: false });
  const jittered = simulateStorm({ ...options, jitter: true });
  t.equal(without.busiestBin, 1_000, 'all of them');
  t.ok(jittered.busiestBin < 100, `${jittered.busiestBin} of 1,000`);
  t.ok(jittered.longestHandshakeMs < without.longestHandshakeMs);
});

t.test('a replica that is too slow for its clients leaves the last of them behind', async (t) => {
  // In 10 s it opens 20 of 30: the others give up their attempt, and the second ones come to work that is still being done for the first.
  const options = { replicas: 1, clientsPerReplica: 30, outageMs: 0, jitter: false, seed: 1, handshakesPerSecond: 2 };
  const figures = simulateStorm(options);
  t.equal(figures.attempts, 40);
  t.match(figures, { failedAttempts: 10, gaveUp: 0 });
  t.ok(
    near(figures.allBackMs, 20_000, 1),
    `${figures.allBackMs} ms: forty handshakes of half a second, ten of them for nobody`,
  );
});

t.test('a ring sends a client to the closest point of an open slot, on either side, around its end', async (t) => {
  const ring = new HashRing(2, 1, 5);
  ring.open(0);
  ring.open(1);
  const random = new Random(3);
  const hashes = slotsOf(2_000).map(() => random.bits());
  const both = hashes.map((hash) => ring.slotOf(hash));
  // With one point each, a slot has the half of the circle that lies around its point.
  t.ok(near(both.filter((slot) => slot === 0).length / hashes.length, 0.5, 0.05));
  ring.close(0);
  t.ok(hashes.every((hash) => ring.slotOf(hash) === 1));
  ring.open(0);
  t.same(
    hashes.map((hash) => ring.slotOf(hash)),
    both,
    'the slot that is back has its clients again, and no other',
  );
  ring.close(0);
  ring.close(1);
  t.throws(() => ring.slotOf(1), /no replica takes clients/);
});

t.test(
  'the connections of a ring vary by the root of half a point: 0.18 of the mean with the 16 points of HAProxy',
  async (t) => {
    const slots = 300;
    for (const points of [POINTS_OF_WEIGHT_1, 16 * POINTS_OF_WEIGHT_1]) {
      const ring = new HashRing(slots, points, 11);
      const random = new Random(1);
      for (const slot of slotsOf(slots)) ring.open(slot);
      const perSlot = 500;
      for (let client = 0; client < slots * perSlot; client += 1) ring.connect(random.bits());
      const loads = slotsOf(slots)
        .map((slot) => ring.connections(slot))
        .sort((one, other) => one - other);
      // Points at random have gaps whose lengths vary by their mean; a slot has half of two gaps a point. Clients add the chance of their number.
      const expected = Math.sqrt(1 / (2 * points) + 1 / perSlot);
      t.ok(
        near(balanceOf(loads).variation, expected, 0.15 * expected),
        `${balanceOf(loads).variation} for ${points} points, expected ${expected}`,
      );
    }
  },
);

t.test('fewest connections takes the emptiest slot, and in turn among equal ones', async (t) => {
  const balancer = new LeastConnections(3);
  for (const slot of [0, 1, 2]) balancer.open(slot);
  t.same(
    [1, 2, 3, 4].map(() => balancer.connect(0)),
    [0, 1, 2, 0],
  );
  balancer.disconnect(2, 1);
  t.same(
    [1, 2].map(() => balancer.connect(0)),
    [2, 1],
  );
  balancer.close(1);
  balancer.disconnect(1, 2);
  t.equal(balancer.connect(0), 2, 'a closed slot is left out, however empty');
  balancer.open(1);
  t.equal(balancer.connect(0), 1);
});

t.test('two replicas that restart in place leave all clients on the one that was first', async (t) => {
  const roll = { replicas: 2, clientsPerReplica: 10, surge: false, batchShare: 0.02, commandMs: MINUTE_MS, seed: 1 };
  const { loads, movesPerClient, batches, after } = simulateRoll({ ...roll, rule: 'leastconn' });
  t.same(loads, [0, 20]);
  t.equal(batches, 2);
  // Ten clients move to the second replica, and all twenty back to the first.
  t.equal(movesPerClient, 1.5);
  t.match(after, { mostByMean: 2, leastByMean: 0, variation: 1, emptyShare: 0.5 });
});

t.test(
  'with new replicas before old ones leave, fewest connections moves each client once and keeps them even',
  async (t) => {
    const options = {
      replicas: 2,
      clientsPerReplica: 10,
      surge: true,
      batchShare: 0.02,
      commandMs: MINUTE_MS,
      seed: 1,
    };
    const { loads, movesPerClient, durationMs, longestHandshakeMs } = simulateRoll({ ...options, rule: 'leastconn' });
    t.same(loads, [10, 10]);
    t.equal(movesPerClient, 1);
    t.ok(near(longestHandshakeMs, 10 * HANDSHAKE_MS, 1e-6), 'all ten on the new replica at once');
    const { readyMs, checkMs, preStopMs, drainDelayMs, drainTimeoutMs } = measured;
    const leastMs = readyMs.value + checkMs.value + preStopMs.value + drainDelayMs.value;
    t.ok(durationMs > 2 * leastMs && durationMs <= 2 * (leastMs + drainTimeoutMs.value), `${durationMs} ms`);
  },
);

t.test(
  'a roll behind a hash moves each client e - 1 times, and leaves the first replicas with as many times the mean',
  async (t) => {
    const options = {
      replicas: 500,
      clientsPerReplica: 200,
      surge: true,
      batchShare: 0,
      commandMs: MINUTE_MS,
      seed: 1,
    };
    const { movesPerClient, loads, after } = simulateRoll({ ...options, rule: 'hash, weight 16' });
    t.ok(near(movesPerClient, Math.E - 1, 0.02), `${movesPerClient} moves`);
    const tenth = Math.round(loads.length / 10);
    const top = loads.slice(-tenth).reduce((sum, load) => sum + load, 0) / tenth / 200;
    t.ok(top > 1.5 && top < 1.85, `the fullest tenth has ${top} times the mean`);
    t.ok(after.leastByMean < 0.1);
  },
);

t.test(
  'a zone that is lost moves its clients to the rest: at once where processes end, over half a minute where machines fall silent',
  async (t) => {
    const options = { replicas: 3, clientsPerReplica: 300, rule: 'leastconn', share: 1 / 3, seed: 1 } as const;
    const ended = simulateZone({ ...options, loses: 'processes' });
    t.match(ended, { moved: 300, busiestSecond: 300 });
    t.ok(near(ended.longestHandshakeMs, 150 * HANDSHAKE_MS, 1e-6), 'half of them on each of the others');
    t.equal(ended.after.variation, 0);
    const silent = simulateZone({ ...options, loses: 'machines' });
    t.equal(silent.moved, 300);
    t.ok(silent.busiestSecond < 30, `${silent.busiestSecond}: about ten a second for thirty seconds`);
  },
);

t.test('crashes of a month are as many as their mean says', async (t) => {
  const options = {
    replicas: 1_000,
    clientsPerReplica: 2,
    rule: 'hash',
    days: 30,
    crashEveryDays: 30,
    seed: 1,
  } as const;
  const figures = simulateMonth({ ...options, commandsPerReplica: 4 });
  t.ok(near(figures.crashes, 1_000, 4 * Math.sqrt(1_000)), `${figures.crashes} crashes`);
  t.equal(figures.lostCommands, 4 * figures.crashes);
});

t.test('two drained replicas keep, kill and lose the commands that the timeline says', async (t) => {
  const drain = { drainTimeoutMs: 90_000, leadsBack: true };
  // Notice at 10 s, deadline at 100 s.
  const first = [
    { endsMs: 30_000, backMs: 0 },
    { endsMs: 20_000, backMs: 25_000 },
    { endsMs: 5_000, backMs: 31_000 },
  ];
  t.equal(leavesMs(first, drain.drainTimeoutMs), 30_000, 'it goes with its last command');
  t.same(fatesOf(first, drain), ['kept', 'kept', 'resultLost']);
  t.same(fatesOf(first, { ...drain, leadsBack: false }), ['kept', 'unreachable', 'unreachable']);
  const second = [
    { endsMs: 100_001, backMs: 0 },
    { endsMs: 99_000, backMs: 100_000 },
    { endsMs: 50_000, backMs: 100_001 },
  ];
  t.equal(leavesMs(second, drain.drainTimeoutMs), 100_000);
  t.same(fatesOf(second, drain), ['killed', 'kept', 'resultLost']);
  t.equal(leavesMs([{ endsMs: 1, backMs: 0 }], drain.drainTimeoutMs), 10_000, 'not before the notice');
});

t.test('a drain kills e^(-T/m) of the commands whose mean length is m', async (t) => {
  const options = { replicas: 2_000, commandsPerReplica: 10, awayMs: 0, leadsBack: true, seed: 1 };
  const { killed, kept } = simulateDetached({ ...options, commandMs: MINUTE_MS, drainTimeoutMs: 90_000 });
  t.ok(near(killed, Math.exp(-100_000 / MINUTE_MS), 0.01), `${killed}`);
  t.equal(kept, 1 - killed);
});

t.test(
  'a pool leaves as many claims cold as the formula of Erlang says, a fifth for two sandboxes and one claim a start',
  async (t) => {
    t.ok(near(coldShareByFormula(2, 1), 0.2, 1e-12));
    const options = { claimsPerSecond: 1, startMs: SECOND_MS, claims: 100_000, seed: 1 };
    t.ok(near(simulatePool({ ...options, size: 2 }), 0.2, 0.005));
    t.equal(simulatePool({ ...options, size: 0 }), 1);
    // 20 claims at once find a pool of 5 with 5 of them at best.
    t.ok(near(simulatePool({ ...options, size: 5, together: 20, claimsPerSecond: 0.001 }), 0.75, 0.01));
    t.equal(sizeFor(0.21, options), 2);
    t.equal(sizeByFormula(0.21, 1), 2);
  },
);

t.test('the same seed gives the same figures, another one others', async (t) => {
  const size = { replicas: 20, clientsPerReplica: 20 };
  const all = (seed: number): string[] => [
    stormRow(size, seed),
    ...rollRows(size, seed),
    zoneRow(size, seed),
    monthRow(size, seed),
    poolRow(50, seed),
  ];
  t.same(all(1), all(1));
  t.notSame(all(1), all(2));
});

t.test('docs/fleet.md has the rows that the models give', async (t) => {
  const page = readFileSync(join(PROJECT, 'docs/fleet.md'), 'utf8');
  const [smallest] = SIZES;
  if (smallest === undefined) throw new Error('there is no fleet');
  const rows = [
    stormRow(smallest, 1),
    ...rollRows(smallest, 1),
    zoneRow(smallest, 1),
    monthRow(smallest, 1),
    ...fateRows(1),
    poolRow(smallest.replicas, 1),
  ];
  for (const row of rows) t.ok(page.includes(row), `the page has ${row}; if not: node bench/fleet/run.mjs --page`);
  for (const { replicas } of SIZES) t.match(page, replicas.toLocaleString('en-US'));
});

t.test('what the model takes from files of this project is what they say', async (t) => {
  const textOf = (path: string): string => readFileSync(join(PROJECT, path), 'utf8');
  const seconds = (name: keyof typeof measured): number => measured[name].value / SECOND_MS;
  const values = textOf('deploy/helm/execwire/values.yaml');
  t.match(values, `\n  preStop: ${seconds('preStopMs')}\n`);
  t.match(values, `\n  drainDelay: ${seconds('drainDelayMs')}\n`);
  t.match(values, `\n  drainTimeout: ${seconds('drainTimeoutMs')}\n`);
  const { value: checkMs } = measured.checkMs;
  t.match(textOf('deploy/haproxy/haproxy.cfg'), `check inter ${checkMs}ms fall 2 rise 1`);
  t.equal(readConfig([], {}).maxConnections, measured.maxConnections.value);
});

t.test('a plot is an SVG with a title, for light and dark pages', async (t) => {
  const axis = {
    label: 'a < b',
    from: 1,
    to: 100,
    isLog: true,
    ticks: [
      [1, '1'],
      [100, '100'],
    ],
  } as const;
  const drawn = svgOf({
    title: 'one & all',
    x: axis,
    y: axis,
    series: [
      {
        name: 'n',
        as: 'line',
        points: [
          [1, 1],
          [10, 1_000],
        ],
      },
    ],
  });
  t.match(drawn, '<title>one &amp; all</title>');
  t.match(drawn, 'a &lt; b');
  t.match(drawn, 'prefers-color-scheme:dark');
  t.match(drawn, 'd="M88 288L392 56"', 'the middle of a logarithmic axis, and not beyond its end');
});
