// Shows that peers count as alive when they ping, when they send slowly, and when the server itself stood still.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { PASSING_MS, passingTime } from '../support/passing-time.js';
import { tcpConnect, textFrame, upgradeRequest } from '../support/raw-socket.js';
import { startServer } from '../support/server.js';
import type { ServerProcess } from '../support/server-process.js';
import { withSomePatience } from '../support/some-patience.js';
import { until } from '../support/until.js';
import type { WireClient } from '../support/wire-client.js';

/** Milliseconds that a server may be late with closing a connection that has stalled. */
const LATE_MS = 60_000;
/** First byte of a Close frame. */
const CLOSE = 0x88;

const stallFlags = (patienceS: number): string[] => ['--ping-interval', '0', '--stall-timeout', `${patienceS}s`];

/** Waits for this many answers to this client's own pings; each ping is sent when the last answer has come. */
async function pings(ws: WebSocket, count: number): Promise<void> {
  if (ws.readyState !== WebSocket.OPEN) throw new Error('the server has closed');
  for (let at = 0; at < count; at += 1) {
    await new Promise<void>((resolve, reject) => {
      const settle = (isAnswer: boolean): void => {
        ws.off('pong', onPong).off('close', onClose);
        if (isAnswer) resolve();
        else reject(new Error('the server has closed'));
      };
      const onClose = (): void => settle(false);
      // Answers to earlier pings may still come.
      const onPong = (data: Buffer): void => void (String(data) === String(at) && settle(true));
      ws.on('pong', onPong).on('close', onClose);
      ws.ping(String(at));
    });
  }
}

async function startEcho(client: WireClient): Promise<void> {
  void client.exec(['cat'], { processId: 'cat', streamStdin: true, streamStdoutStderr: true, disableTimeout: true });
  const deltaBase64 = Buffer.from('here\n').toString('base64');
  await client.request('command/exec/write', { processId: 'cat', deltaBase64 });
  await client.said('cat', 'here');
}

interface UnfinishedMessage {
  readonly isClosed: boolean;
  send(bytes: Buffer): void;
}

/** A connection on which a test sends a message in pieces. */
async function unfinishedMessage(t: Test, server: ServerProcess): Promise<UnfinishedMessage> {
  const socket = await tcpConnect(t, server);
  socket.write(upgradeRequest());
  await once(socket, 'data');
  let isClosed = false;
  socket.on('data', (bytes) => {
    isClosed ||= bytes[0] === CLOSE;
  });
  socket.on('close', () => {
    isClosed = true;
  });
  return {
    get isClosed() {
      return isClosed;
    },
    send: (bytes) => void socket.write(bytes),
  };
}

/**
 * Opens two connections, one after the other, that stop in the middle of a message. When the server has closed both, twice the stall timeout has passed.
 */
function twoStalls(
  t: Test,
  server: ServerProcess,
  patienceS: number,
): { readonly isOver: boolean; readonly done: Promise<void> } {
  let isOver = false;
  const run = async (): Promise<void> => {
    for (let count = 0; count < 2; count += 1) {
      const stuck = await unfinishedMessage(t, server);
      stuck.send(textFrame('x'.repeat(60_000)).subarray(0, 1000));
      await until('the stuck one is closed', () => stuck.isClosed, patienceS * 1000 + LATE_MS);
    }
  };
  const done = run().finally(() => {
    isOver = true;
  });
  done.catch(() => {});
  return {
    get isOver() {
      return isOver;
    },
    done,
  };
}

t.test('peer stays connected when it only pings for longer than the stall timeout', (t) =>
  withSomePatience(t, async (patienceS) => {
    const server = await startServer(t, { flags: stallFlags(patienceS) });
    const client = await server.session();
    const stalls = twoStalls(t, server, patienceS);
    while (!stalls.isOver) await pings(client.ws, 1);
    await stalls.done;
    assert.equal(client.ws.readyState, WebSocket.OPEN);
    assert.equal((await client.exec(['true'])).result?.exitCode, 0);
  }),
);

t.test('peer stays connected when it pings and streams for longer than the stall timeout', (t) =>
  withSomePatience(t, async (patienceS) => {
    const server = await startServer(t, { flags: stallFlags(patienceS) });
    const client = await server.session();
    const params = { processId: 'yes', streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true };
    const ended = client.exec(['yes'], params);
    const stalls = twoStalls(t, server, patienceS);
    while (!stalls.isOver) {
      await pings(client.ws, 1);
      client.messages.length = 0;
    }
    await stalls.done;
    await client.request('command/exec/terminate', { processId: 'yes' });
    assert.equal((await ended).result?.exitCode, 137);
  }),
);

t.test('connection stays open and its newest ping is answered when 61 pings come in one packet', async (t) => {
  const server = await startServer(t);
  const client = await server.session();
  const answers: string[] = [];
  client.ws.on('pong', (data: Buffer) => answers.push(String(data)));
  const socket = (client.ws as unknown as { _socket: { cork(): void; uncork(): void } })._socket;
  socket.cork();
  for (let at = 1; at <= 61; at += 1) client.ws.ping(String(at));
  socket.uncork();
  await until('the newest is answered', () => answers.includes('61'));
  t.equal((await client.exec(['true'])).result?.exitCode, 0);
});

t.test('peer and its command stay when the peer pauses its reading and keeps pinging', async (t) => {
  const server = await startServer(t);
  const client = await server.session();
  const params = { processId: 'p', streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true };
  // More than the kernel holds for one connection, so that the answers have to wait.
  const ended = client.exec(['head', '-c', '30000000', '/dev/zero'], params);
  await client.notified('command/exec/outputDelta');
  client.ws.pause();
  for (let at = 0; at < 200; at += 1) {
    await new Promise<void>((resolve, reject) => {
      client.ws.ping(String(at), true, (error?: Error | null) => (error ? reject(error) : resolve()));
    });
  }
  client.ws.resume();
  t.equal((await ended).result?.exitCode, 0);
});

t.test('connection stays open when its message arrives slowly, and is closed when the message stops', (t) =>
  withSomePatience(t, async (patienceS) => {
    const server = await startServer(t, { flags: stallFlags(patienceS) });
    const steady = await unfinishedMessage(t, server);
    const frame = textFrame('x'.repeat(4_000_000));
    let at = 0;
    // Some 10 KiB a second, until the server has closed two connections that stopped.
    const timer = setInterval(() => {
      steady.send(frame.subarray(at, at + 200));
      at += 200;
    }, 20);
    try {
      await twoStalls(t, server, patienceS).done;
    } finally {
      clearInterval(timer);
    }
    assert.ok(at < frame.length, 'the message is still being sent');
    assert.ok(!steady.isClosed, 'the slow message was cut');
  }),
);

t.test('no connection is cut when the server itself stood still', (t) =>
  withSomePatience(t, async (patienceS) => {
    // Each bound is a half of the patience or the whole of it, and each standstill lasts twice the patience at least.
    const half = `${patienceS / 2}s`;
    const flags = ['--ping-interval', half, '--stall-timeout', half, '--initialize-timeout', half];
    const server = await startServer(t, { flags });
    const timePasses = await passingTime(t);
    const standStill = async (): Promise<void> => {
      for (let passedMs = 0; passedMs < 2 * patienceS * 1000; passedMs += PASSING_MS) await timePasses();
    };
    const client = await server.session();
    await startEcho(client);
    await pings(client.ws, 3);
    for (let round = 0; round < 2; round += 1) {
      const fresh = await server.wire();
      server.signal('SIGSTOP');
      const initialized = fresh.request('initialize', { clientInfo: { name: 'late', version: '1' } });
      try {
        await standStill();
      } finally {
        server.signal('SIGCONT');
      }
      const deltaBase64 = Buffer.from(`round ${round}\n`).toString('base64');
      const written = await client.request('command/exec/write', { processId: 'cat', deltaBase64 });
      assert.deepEqual(written.result, {});
      await client.said('cat', `round ${round}`);
      const { result } = await initialized;
      assert.ok(result, 'an initialize that waited is served');
    }
  }),
);
