// Shows which peers a drain waits for, which it cuts, and what its last line of log says. Connections are in memory, and the test moves the time.
import t, { type Test } from 'tap';
import { ANONYMOUS } from '../../src/auth/principal.js';
import { Drain } from '../../src/server/drain.js';
import { Lifecycle } from '../../src/server/lifecycle.js';
import { Session } from '../../src/session/session.js';
import { SessionRegistry } from '../../src/session/session-registry.js';
import type { MemoryTransport } from '../support/memory-transport.js';
import { type StandingTime, standingTime } from '../support/standing-time.js';
import { openConnection } from '../support/test-connection.js';

const DRAIN_TIMEOUT_MS = 1000;
const KILL_GRACE_MS = 500;
const DEADLINE_MS = DRAIN_TIMEOUT_MS + KILL_GRACE_MS;
/** The interval of the drain's looks. */
const STEP_MS = 20;

interface Draining {
  readonly sessions: SessionRegistry;
  readonly commands: { running: number; terminateAll: () => void };
  readonly absent: { awaitsAnyone: boolean };
  readonly log: { text: string; fields: Record<string, unknown> }[];
  readonly phases: string[];
  readonly isOver: boolean;
  /** A connection whose peer has so many messages to read. */
  peer(waiting: number): MemoryTransport;
  start(): void;
  /** Lets time pass; `each` is what peers do every second. */
  pass(ms: number, each?: () => void): Promise<void>;
  /** Lets time pass in which the server does not run. */
  standStill(ms: number): Promise<void>;
}

function draining(t: Test, { drainDelayMs = 0, drainTimeoutMs = DRAIN_TIMEOUT_MS } = {}): Draining {
  const time: StandingTime = standingTime(t);
  const sessions = new SessionRegistry();
  const log: Draining['log'] = [];
  const phases: string[] = [];
  const commands = { running: 0, terminateAll: () => {} };
  const absent = { awaitsAnyone: false };
  let isOver = false;
  const note = (fields: unknown, text?: string): void => {
    log.push({ text: text ?? '', fields: fields as Record<string, unknown> });
  };
  const drain = new Drain({
    config: { drainDelayMs, drainTimeoutMs, killGraceMs: KILL_GRACE_MS },
    lifecycle: new Lifecycle(),
    sessions,
    commands,
    transfers: { count: 0 },
    absent,
    telemetry: { drain: () => ({ draining: () => phases.push('draining'), ended: () => phases.push('ended') }) },
    log: { info: note, warn: note },
  });
  return {
    sessions,
    commands,
    absent,
    log,
    phases,
    get isOver() {
      return isOver;
    },
    peer(waiting) {
      const { connection, transport } = openConnection({ onClose: () => sessions.remove(session) });
      const session = new Session(connection, ANONYMOUS);
      sessions.add(session);
      if (waiting > 0) transport.stopReading();
      for (let count = 0; count < waiting; count += 1) connection.outbox.reply('{}');
      return transport;
    },
    start() {
      void drain.run().then(() => {
        isOver = true;
      });
    },
    async pass(ms, each = () => {}) {
      for (let passedMs = STEP_MS; passedMs <= ms; passedMs += STEP_MS) {
        time.pass(STEP_MS);
        if (passedMs % 1000 === 0) each();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async standStill(ms) {
      time.standStill(ms);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** The closes and aborts of a transport. */
function ends(transport: MemoryTransport): string[] {
  return transport.calls
    .filter((call) => /^(close|abort)/.test(call))
    .map((call) => call.replace(/^close (\d+).*/, '$1'));
}

t.test('drain waits for a slow reader when it takes its replies steadily', async (t) => {
  const it = draining(t);
  const slow = it.peer(40);
  it.start();
  await it.pass(DEADLINE_MS + 45_000, () => {
    slow.take(1);
    if (slow.bufferedBytes === 0) slow.leave(1012);
  });
  t.ok(it.isOver);
  t.equal(slow.texts.length, 40, 'everything has arrived');
  t.notOk(slow.calls.includes('abort'));
  t.match(it.log.at(-1), { text: 'left', fields: { cut: 0 } });
});

t.test('drain cuts only the peer that takes nothing when 5 s have passed since the deadline', async (t) => {
  const it = draining(t);
  const mute = it.peer(1);
  const slow = it.peer(30);
  it.start();
  await it.pass(DEADLINE_MS + 4500, () => slow.take(1));
  t.notOk(mute.calls.includes('abort'), 'not before 5 s');
  await it.pass(1000, () => slow.take(1));
  t.ok(mute.calls.includes('abort'));
  t.notOk(slow.calls.includes('abort'));
  slow.leave();
  await it.pass(STEP_MS * 2);
  t.ok(it.isOver);
  t.match(it.log.at(-1), { text: 'left', fields: { cut: 1 } });
});

t.test('drain ends a minute after the deadline when a peer never stops taking', async (t) => {
  const it = draining(t);
  const endless = it.peer(1000);
  it.start();
  await it.pass(DEADLINE_MS + 59_000, () => endless.take(1));
  t.notOk(endless.calls.includes('abort'));
  await it.pass(2000, () => endless.take(1));
  t.ok(endless.calls.includes('abort'));
  t.ok(it.isOver);
});

t.test(
  'drain does not count a standstill of the server when it has a delay, a deadline and a peer to wait for',
  async (t) => {
    const it = draining(t, { drainDelayMs: 1000 });
    const busy = it.peer(1);
    it.start();
    const texts = (): string[] => it.log.map(({ text }) => text);
    await it.pass(500);
    await it.standStill(60_000);
    await it.pass(400);
    t.same(it.phases, [], 'the delay is not over');
    await it.pass(100 + DRAIN_TIMEOUT_MS / 2);
    t.same(it.phases, ['draining']);
    await it.standStill(60_000);
    await it.pass(DRAIN_TIMEOUT_MS / 2 - 100);
    t.same(texts(), ['leaving'], 'the deadline has moved on');
    await it.pass(200);
    t.same(texts(), ['leaving', 'drain deadline passed']);
    await it.standStill(60_000);
    t.notOk(busy.calls.includes('abort'), 'a peer is not cut for the time in which the server stood still');
    busy.readOn();
    busy.leave(1012);
    await it.pass(STEP_MS * 2);
    t.ok(it.isOver);
  },
);

t.test('drain waits 5 s for a client that is away when its last command ends', async (t) => {
  const it = draining(t, { drainTimeoutMs: 60_000 });
  it.absent.awaitsAnyone = true;
  it.commands.running = 1;
  it.start();
  await it.pass(10_000);
  it.commands.running = 0;
  await it.pass(4900);
  t.notOk(it.isOver);
  await it.pass(200);
  t.ok(it.isOver);
});

t.test('drain ends when the client that it waits for has come and gone', async (t) => {
  const it = draining(t, { drainTimeoutMs: 60_000 });
  it.absent.awaitsAnyone = true;
  it.start();
  await it.pass(1000);
  const back = it.peer(0);
  it.absent.awaitsAnyone = false;
  await it.pass(6000);
  t.same(ends(back), ['1001']);
  back.leave();
  await it.pass(STEP_MS * 2);
  t.ok(it.isOver);
});

t.test('drain says at its end how long it took and what became of everything', async (t) => {
  const it = draining(t);
  const idle = it.peer(0);
  const busy = it.peer(1);
  it.commands.running = 3;
  it.commands.terminateAll = () => {
    it.commands.running = 0;
    busy.readOn();
  };
  it.start();
  await it.pass(500);
  t.same(ends(idle), ['1001'], 'it is idle');
  idle.leave();
  it.commands.running = 1;
  await it.pass(DRAIN_TIMEOUT_MS);
  t.same(ends(busy), ['1012']);
  busy.leave();
  await it.pass(STEP_MS * 2);
  t.same(it.phases, ['draining', 'ended']);
  t.same(
    it.log.map(({ text }) => text),
    ['leaving', 'drain deadline passed', 'left'],
  );
  const { durationMs, ...rest } = it.log.at(-1)?.fields ?? {};
  t.same(rest, { finished: 2, killed: 1, cut: 0 });
  t.ok(Number(durationMs) >= DRAIN_TIMEOUT_MS, `${durationMs} ms`);
});
