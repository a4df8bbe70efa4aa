// Shows the order and the bounds of outgoing and incoming messages: outbox, inbox, and the watch over connections. Knows no wire. Long because the three
// share their stand-ins.
import v8 from 'node:v8';
import vm from 'node:vm';
import t, { type Test } from 'tap';
import { Inbox } from '../../src/rpc/inbox.js';
import { Keepalive } from '../../src/rpc/keepalive.js';
import { HIGH_WATER_BYTES, Outbox } from '../../src/rpc/outbox.js';
import { encoded } from '../support/encoded-message.js';
import { settled } from '../support/fake-process.js';
import { MemoryTransport } from '../support/memory-transport.js';
import { standingTime } from '../support/standing-time.js';
import { openConnection } from '../support/test-connection.js';

// The outbox.

function outboxOver(maxOwedReplyBytes = 1000): { transport: MemoryTransport; outbox: Outbox; passed: () => number } {
  const transport = new MemoryTransport();
  let passed = 0;
  const outbox = new Outbox(transport, {
    maxOwedReplyBytes,
    onOwedTooMuch: () => {
      passed += 1;
    },
  });
  transport.open({
    onMessage: () => {},
    onUnreadable: () => {},
    onEnd: () => {},
    onClosing: () => {},
    onDrain: () => outbox.drained(),
    onClose: () => {},
  });
  return { transport, outbox, passed: () => passed };
}

t.test('outbox keeps one order when replies, notifications, deltas and pieces are mixed', (t) => {
  const { transport, outbox } = outboxOver();
  transport.stopReading();
  outbox.reply('1');
  outbox.send('2');
  outbox.sendEncoded(encoded('3'));
  outbox.replyParts([Buffer.from('"4'), Buffer.from('"')]);
  outbox.sendEncoded(encoded('5'));
  outbox.reply('6');
  transport.readOn();
  t.same(transport.texts, ['1', '2', '3', '"4"', '5', '6']);
  t.end();
});

t.test('outbox is full at the high water mark and calls every waiting source once when it drains', (t) => {
  const { transport, outbox } = outboxOver();
  transport.stopReading();
  outbox.send(JSON.stringify('x'.repeat(HIGH_WATER_BYTES - 3)));
  t.notOk(outbox.isFull, 'one byte below');
  outbox.send('1');
  t.ok(outbox.isFull);
  t.equal(outbox.pendingBytes, HIGH_WATER_BYTES);
  t.equal(outbox.progressBytes, 0);
  const called: string[] = [];
  const first = (): number => called.push('first');
  const forgotten = (): number => called.push('forgotten');
  outbox.whenWritable(first);
  outbox.whenWritable(first);
  outbox.whenWritable(forgotten);
  outbox.whenWritable(() => {
    called.push('again');
    outbox.whenWritable(first);
  });
  outbox.forget(forgotten);
  transport.readOn();
  t.same(called, ['first', 'again'], 'a source that waits again is called the next time');
  t.equal(outbox.progressBytes, HIGH_WATER_BYTES);
  outbox.drained();
  t.same(called, ['first', 'again', 'first']);
  t.end();
});

t.test('outbox lets one reply of any size wait and refuses the next one when the bound is passed', (t) => {
  const { transport, outbox, passed } = outboxOver(1000);
  transport.stopReading();
  outbox.reply(JSON.stringify('x'.repeat(100_000)));
  t.equal(passed(), 0, 'one giant reply may wait');
  outbox.send('1');
  t.equal(passed(), 0, 'notifications are not counted');
  outbox.reply('2');
  outbox.reply('3');
  outbox.replyParts([Buffer.from('4')]);
  t.equal(passed(), 1, 'reported once');
  transport.readOn();
  t.same(transport.texts.slice(1), ['1'], 'nothing is sent beyond the bound');
  t.end();
});

t.test('outbox counts exactly the unread replies when the peer reads some of them', (t) => {
  const { transport, outbox, passed } = outboxOver(1000);
  transport.stopReading();
  const reply = JSON.stringify('x'.repeat(398));
  for (let round = 0; round < 50; round += 1) {
    outbox.reply(reply);
    outbox.reply(reply);
    outbox.send(JSON.stringify('y'.repeat(5000)));
    outbox.reply(reply);
    t.equal(passed(), 0, `round ${round}: 1200 bytes are owed, and the third may pass the bound`);
    transport.take(4);
  }
  outbox.reply(reply);
  outbox.reply(reply);
  outbox.reply(reply);
  t.equal(passed(), 0);
  outbox.reply(reply);
  t.equal(passed(), 1);
  t.end();
});

t.test('outbox counts owed replies in bytes when their text is not ASCII', (t) => {
  const { transport, outbox, passed } = outboxOver(1000);
  transport.stopReading();
  // 400 characters, 1200 bytes.
  outbox.reply(JSON.stringify('€'.repeat(400)));
  outbox.reply('1');
  t.equal(passed(), 1);
  t.end();
});

/** A transport whose peer reads everything at once, and which keeps nothing. */
class ForgetfulTransport extends MemoryTransport {
  override send(text: string): void {
    this.sentBytes += text.length;
  }
}

t.test('outbox keeps nothing of a thousand replies when the peer has read them', (t) => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const outboxes = Array.from({ length: 200 }, () => {
    return new Outbox(new ForgetfulTransport(), {
      maxOwedReplyBytes: 1_000_000,
      onOwedTooMuch: () => t.fail('nothing is owed'),
    });
  });
  const heapAfter = (replies: number): number => {
    for (const outbox of outboxes) for (let at = 0; at < replies; at += 1) outbox.reply('{"id":1,"result":{}}');
    collect();
    return process.memoryUsage().heapUsed;
  };
  const few = heapAfter(1);
  const many = heapAfter(1000);
  t.ok((many - few) / outboxes.length < 2048, `${Math.round((many - few) / outboxes.length)} bytes each`);
  t.end();
});

// The inbox.

interface TestInbox {
  readonly inbox: Inbox;
  readonly calls: string[];
  push(text: string): void;
}

function inboxOver(deliver: (text: string) => void): TestInbox {
  const calls: string[] = [];
  const inbox = new Inbox({
    deliver: (message) => deliver(message.toString()),
    pause: () => calls.push('pause'),
    resume: () => calls.push('resume'),
  });
  return { inbox, calls, push: (text) => inbox.push(Buffer.from(text)) };
}

/** A clock that moves only when told to. The inbox measures its slices by it. */
function standingClock(t: Test): { ms: number } {
  const clock = { ms: 1000 };
  t.intercept(performance, 'now', { value: () => clock.ms });
  return clock;
}

t.test('inbox delivers at once and in order when there is time', (t) => {
  standingClock(t);
  const got: string[] = [];
  const { push, calls } = inboxOver((text) => got.push(text));
  for (let at = 0; at < 500; at += 1) push(String(at));
  t.same(
    got,
    Array.from({ length: 500 }, (_, at) => String(at)),
  );
  t.same(calls, [], 'the transport is not paused');
  t.end();
});

t.test('inbox pauses its transport and goes on next turn when a flood spends its slice', async (t) => {
  const clock = standingClock(t);
  const got: number[] = [];
  const turns: number[] = [];
  let turn = 0;
  const { push, calls } = inboxOver((text) => {
    got.push(Number(text));
    turns.push(turn);
    clock.ms += 0.5;
  });
  for (let at = 0; at < 10; at += 1) push(String(at));
  t.same(got, [0, 1], 'a slice of 1 ms');
  t.same(calls, ['pause'], 'paused once');
  while (got.length < 10 && turn < 20) {
    await settled();
    turn += 1;
  }
  t.same(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'order is kept');
  t.ok(new Set(turns).size >= 4, 'spread over turns of the loop');
  t.same(calls, ['pause', 'resume']);
});

t.test('inbox lets other connections work between slices when one connection floods', async (t) => {
  const clock = standingClock(t);
  const order: string[] = [];
  const flood = inboxOver(() => {
    order.push('flood');
    clock.ms += 2;
  });
  const calm = inboxOver(() => order.push('calm'));
  for (let at = 0; at < 100; at += 1) flood.push('x');
  await settled();
  calm.push('x');
  t.ok(order.indexOf('calm') < 5, `served after ${order.indexOf('calm')} of 100`);
  flood.inbox.close();
});

t.test('inbox delivers nothing more when it is closed, from within a delivery too', async (t) => {
  const clock = standingClock(t);
  const got: string[] = [];
  const { inbox, push } = inboxOver((text) => {
    got.push(text);
    clock.ms += 2;
    if (text === '2') inbox.close();
  });
  for (let at = 0; at < 6; at += 1) push(String(at));
  for (let turn = 0; turn < 6; turn += 1) await settled();
  push('late');
  t.same(got, ['0', '1', '2']);
});

t.test('inbox says that it is empty when the last message was delivered, and not when it was closed', async (t) => {
  const clock = standingClock(t);
  const got: string[] = [];
  const { inbox, push } = inboxOver((text) => {
    got.push(text);
    clock.ms += 2;
  });
  inbox.whenEmpty(() => got.push('empty at once'));
  for (const text of ['1', '2', '3']) push(text);
  inbox.whenEmpty(() => got.push('empty'));
  for (let turn = 0; turn < 4; turn += 1) await settled();
  t.same(got, ['empty at once', '1', '2', '3', 'empty']);
  for (const text of ['4', '5']) push(text);
  inbox.whenEmpty(() => got.push('never'));
  inbox.close();
  inbox.whenEmpty(() => got.push('never'));
  for (let turn = 0; turn < 4; turn += 1) await settled();
  t.same(got.slice(5), ['4']);
});

// The watch over connections.

interface Watch extends ReturnType<typeof openConnection> {
  /** Lets time pass in steps of a quarter of a second. */
  pass(ms: number): void;
}

/** Pings every second; the limit for output without progress is ten seconds. */
function watched(t: Test, pingIntervalMs = 1000, stallTimeoutMs = 10_000): Watch {
  const clock = standingClock(t);
  let look: () => void = () => {};
  const timer = { unref: () => timer };
  t.intercept(globalThis, 'setInterval', {
    value: (callback: () => void) => {
      look = callback;
      return timer;
    },
  });
  const opened = openConnection();
  const keepalive = new Keepalive({ pingIntervalMs, stallTimeoutMs });
  keepalive.add(opened.connection);
  t.teardown(() => keepalive.close());
  return {
    ...opened,
    pass(ms) {
      for (let at = 0; at < ms; at += 250) {
        clock.ms += 250;
        look();
      }
    },
  };
}

t.test('keepalive pings and then drops a peer when it is silent', (t) => {
  const { transport, pass } = watched(t);
  pass(1000);
  t.same(transport.calls, ['ping']);
  pass(1000);
  t.same(transport.calls, ['ping', 'ping']);
  pass(1000);
  t.same(transport.calls, ['ping', 'ping', 'abort']);
  pass(5000);
  t.equal(transport.calls.length, 3, 'nothing happens to a dropped peer');
  t.end();
});

t.test('keepalive keeps a peer when bytes come in, and pings it all the same', (t) => {
  const { transport, pass } = watched(t);
  for (let at = 0; at < 40; at += 1) {
    pass(500);
    transport.receivedBytes += 1;
    transport.receivedMessages += 1;
  }
  t.notOk(transport.calls.includes('abort'));
  t.equal(transport.calls.filter((call) => call === 'ping').length, 20);
  t.end();
});

t.test('keepalive keeps a silent peer when its pending output moves', (t) => {
  const { transport, connection, pass } = watched(t);
  transport.stopReading();
  for (let at = 0; at < 60; at += 1) connection.notify('n', {});
  for (let at = 0; at < 50; at += 1) {
    pass(500);
    transport.take(1);
  }
  t.same(
    transport.calls.filter((call) => call !== 'ping'),
    [],
  );
  t.end();
});

t.test(
  'keepalive keeps a peer that answers pings, and waits for two of them, when the stall timeout is shorter',
  (t) => {
    const { transport, connection, pass } = watched(t, 25_000, 2000);
    connection.notify('n', {});
    pass(24_000);
    t.same(transport.calls, [], 'before the first ping');
    for (let pings = 1; pings <= 4; pings += 1) {
      pass(25_000);
      t.equal(transport.calls.length, pings);
      // The answer, and output behind it.
      transport.receivedBytes += 2;
      transport.receivedMessages += 1;
      pass(250);
      connection.notify('n', {});
    }
    t.notOk(transport.calls.includes('abort'));
    pass(49_000);
    t.notOk(transport.calls.includes('abort'), 'not before two intervals of silence');
    pass(2000);
    t.equal(transport.calls.at(-1), 'abort');
    t.end();
  },
);

t.test(
  'keepalive asks a peer by pings before it drops the peer when its output was pending for longer than the limit',
  (t) => {
    const { transport, connection, pass } = watched(t);
    transport.stopReading();
    for (let at = 0; at < 60; at += 1) connection.notify('n', {});
    for (let at = 0; at < 59; at += 1) {
      pass(500);
      transport.take(1);
    }
    transport.readOn();
    pass(250);
    t.same(transport.calls.slice(-1), ['ping']);
    transport.receivedBytes += 2;
    transport.receivedMessages += 1;
    pass(1000);
    t.notOk(transport.calls.includes('abort'));
    t.end();
  },
);

t.test('keepalive closes with 1008 when pending output makes no progress for the limit', (t) => {
  const { transport, connection, pass } = watched(t);
  transport.stopReading();
  connection.notify('n', {});
  // Incoming bytes do not help: a peer that sends and never reads would hold memory for ever.
  for (let at = 0; at < 18; at += 1) {
    pass(500);
    transport.receivedBytes += 1;
    transport.receivedMessages += 1;
  }
  t.notOk(
    transport.calls.some((call) => call.startsWith('close')),
    'not before',
  );
  pass(1500);
  t.equal(transport.calls.at(-1), 'close 1008 output is not being read');
  t.end();
});

t.test('keepalive closes with 1008 when a message never ends', (t) => {
  const { transport, pass } = watched(t);
  for (let at = 0; at < 100 && !transport.calls.some((call) => call.startsWith('close')); at += 1) {
    transport.receivedBytes += 1;
    pass(250);
  }
  t.equal(transport.calls.at(-1), 'close 1008 a message takes too long to arrive');
  t.end();
});

t.test('keepalive keeps a peer while its message goes on arriving, and closes when it arrives too slowly', (t) => {
  const { transport, pass } = watched(t);
  // 16 MiB at 20 KiB a second: many times as long as the limit.
  for (let at = 0; at < 400; at += 1) {
    transport.receivedBytes += 10_240;
    pass(500);
  }
  t.notOk(
    transport.calls.some((call) => call.startsWith('close')),
    'a slow link is allowed',
  );
  // 1,000 bytes a second are below the floor of 1 KiB.
  for (let at = 0; at < 60 && !transport.calls.some((call) => call.startsWith('close')); at += 1) {
    transport.receivedBytes += 500;
    pass(500);
  }
  t.equal(transport.calls.at(-1), 'close 1008 a message takes too long to arrive');
  t.end();
});

t.test('keepalive closes when a message that was arriving stops', (t) => {
  const { transport, pass } = watched(t, 0);
  transport.receivedBytes += 100_000;
  pass(45_000);
  t.equal(
    transport.calls.find((call) => call.startsWith('close')),
    'close 1008 a message takes too long to arrive',
  );
  t.end();
});

t.test('keepalive does not count the time of a standstill of the server', (t) => {
  const time = standingTime(t);
  const silent = openConnection();
  const slow = openConnection();
  const keepalive = new Keepalive({ pingIntervalMs: 1000, stallTimeoutMs: 10_000 });
  for (const { connection } of [silent, slow]) keepalive.add(connection);
  slow.transport.stopReading();
  slow.connection.notify('n', {});
  time.pass(1500);
  for (const ms of [5000, 60_000, 60_000]) time.standStill(ms);
  t.same([silent.transport.calls, slow.transport.calls], [['ping'], []], 'neither silence nor standing output counts');
  time.pass(3000);
  t.equal(silent.transport.calls.at(-1), 'abort', 'silence counts again once the server runs');
  time.pass(9000);
  t.equal(slow.transport.calls.at(-1), 'close 1008 output is not being read');
  keepalive.close();
  t.end();
});

t.test('keepalive sends no ping and drops no silent peer when pings are off', (t) => {
  const { transport, pass } = watched(t, 0);
  pass(60_000);
  t.same(transport.calls, []);
  t.end();
});
