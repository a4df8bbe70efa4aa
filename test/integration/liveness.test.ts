// Who counts as alive: peers that ping, peers that send slowly, and peers of a server that stood still itself.
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { tcpConnect, textFrame, upgradeRequest } from '../support/raw-socket.js';
import { startServer } from '../support/server.js';
import type { ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import type { WireClient } from '../support/wire-client.js';

/** Waits for so many answers to pings of our own, each asked when the last has come. */
async function pings(ws: WebSocket, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    if (ws.readyState !== WebSocket.OPEN) throw new Error('the server has closed');
    ws.ping(String(at));
    const isOver = once(ws, 'close').then(() => Promise.reject(new Error('the server has closed')));
    const [data] = await Promise.race([once(ws, 'pong'), isOver]);
    if (String(data) !== String(at)) at -= 1;
  }
}

async function startEcho(client: WireClient): Promise<void> {
  void client.exec(['cat'], { processId: 'cat', streamStdin: true, streamStdoutStderr: true, disableTimeout: true });
  const deltaBase64 = Buffer.from('here\n').toString('base64');
  await client.request('command/exec/write', { processId: 'cat', deltaBase64 });
  await client.said('cat', 'here');
}

t.test('a peer that only pings stays when it does so for longer than the stall timeout', async (t) => {
  const server = await startServer(t, { flags: ['--ping-interval', '0', '--stall-timeout', '500ms'] });
  const client = await server.session();
  const startedAtMs = performance.now();
  while (performance.now() - startedAtMs < 2500) await pings(client.ws, 1);
  t.equal(client.ws.readyState, WebSocket.OPEN);
  t.equal((await client.exec(['true'])).result?.exitCode, 0);
});

t.test('a peer that pings while it streams stays when it does so for longer than the stall timeout', async (t) => {
  const server = await startServer(t, { flags: ['--ping-interval', '0', '--stall-timeout', '500ms'] });
  const client = await server.session();
  const params = { processId: 'yes', streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true };
  const ended = client.exec(['yes'], params);
  const startedAtMs = performance.now();
  while (performance.now() - startedAtMs < 2500) {
    await pings(client.ws, 1);
    client.messages.length = 0;
  }
  await client.request('command/exec/terminate', { processId: 'yes' });
  t.equal((await ended).result?.exitCode, 137);
});

t.test('a connection stays open and its newest ping is answered when 61 come in one packet', async (t) => {
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

t.test('a reader that pauses and goes on pinging stays, with its command', async (t) => {
  const server = await startServer(t);
  const client = await server.session();
  const params = { processId: 'p', streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true };
  // More than the kernel holds of one connection, so that the answers have to wait behind it.
  const ended = client.exec(['head', '-c', '30000000', '/dev/zero'], params);
  await client.notified('command/exec/outputDelta');
  client.ws.pause();
  let sent = 0;
  for (let at = 0; at < 200; at += 1) {
    await new Promise<void>((resolve, reject) => {
      client.ws.ping(String(at), true, (error?: Error | null) => (error ? reject(error) : resolve()));
    });
    sent += 1;
  }
  t.equal(sent, 200);
  client.ws.resume();
  t.equal((await ended).result?.exitCode, 0);
});

async function halfMessage(
  t: Test,
  server: ServerProcess,
): Promise<{ closed: () => boolean; send(bytes: Buffer): void }> {
  const socket = await tcpConnect(t, server);
  socket.write(upgradeRequest());
  await once(socket, 'data');
  let isClosed = false;
  socket.on('close', () => {
    isClosed = true;
  });
  return { closed: () => isClosed, send: (bytes) => void socket.write(bytes) };
}

t.test('a message that arrives slowly is taken, and one that stops arriving is not waited for', async (t) => {
  const server = await startServer(t, { flags: ['--ping-interval', '0', '--stall-timeout', '500ms'] });
  const [steady, stuck] = [await halfMessage(t, server), await halfMessage(t, server)];
  const frame = textFrame('x'.repeat(60_000));
  stuck.send(frame.subarray(0, 1000));
  let at = 0;
  // Some 10 KiB a second, for several times the limit: until the one that stopped is gone, and as long again.
  const sendPiece = (): void => {
    steady.send(frame.subarray(at, at + 200));
    at += 200;
  };
  const timer = setInterval(sendPiece, 20);
  t.teardown(() => clearInterval(timer));
  await until('the stuck one is closed', stuck.closed);
  const seen = at;
  await until('as much again has been sent', () => at > 2 * seen || steady.closed());
  t.notOk(steady.closed());
});

t.test('nobody is cut off when the server itself stood still', async (t) => {
  const flags = ['--ping-interval', '200ms', '--stall-timeout', '1s', '--initialize-timeout', '1s'];
  const server = await startServer(t, { flags });
  const client = await server.session();
  await startEcho(client);
  await pings(client.ws, 3);
  const fresh = await server.wire();
  for (let round = 0; round < 3; round += 1) {
    server.signal('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    server.signal('SIGCONT');
    const deltaBase64 = Buffer.from(`round ${round}\n`).toString('base64');
    t.match(await client.request('command/exec/write', { processId: 'cat', deltaBase64 }), { result: {} });
    await client.said('cat', `round ${round}`);
    if (round > 0) continue;
    const clientInfo = { name: 'late', version: '1' };
    t.match(await fresh.request('initialize', { clientInfo }), { result: {} }, 'an initialize that waited is served');
  }
});
