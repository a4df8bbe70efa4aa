// Shows how a whole server treats hostile clients: it closes refused sockets, serves others beside endless requests, and knows no guessed id.

import { createHash } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import t from 'tap';
import { checkNextClient, startVictim } from '../fuzz/good-client.js';
import { openHalfUpgrades } from '../fuzz/hostile-clients.js';
import { VICTIM_PROCESS_ID } from '../fuzz/message-generator.js';
import { residentBytesOf } from '../support/process-table.js';
import { startServer } from '../support/server.js';

const MIB = 1024 * 1024;
const TOKEN = 'a-token-that-nobody-guesses';
const TOKEN_SHA256 = createHash('sha256').update(TOKEN).digest('hex');
const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const HOST = 'Host: localhost\r\n';

t.test('socket is closed when its upgrade is refused for any reason', async (t) => {
  const server = await startServer(t, {
    flags: ['--ws-auth', 'capability-token', '--ws-token-sha256', '0'.repeat(64)],
  });
  const cases: [string, string, string][] = [
    ['credential', `GET / HTTP/1.1\r\n${HOST}${UPGRADE}`, '401'],
    ['origin', `GET / HTTP/1.1\r\n${HOST}Origin: https://evil.example\r\n${UPGRADE}`, '403'],
    ['host', `GET / HTTP/1.1\r\nHost: evil.example\r\n${UPGRADE}`, '403'],
    ['bad path', `GET /%zz HTTP/1.1\r\n${HOST}${UPGRADE}`, '400'],
    ['bad path and origin', `GET /%zz HTTP/1.1\r\n${HOST}Origin: https://evil.example\r\n${UPGRADE}`, '400'],
    ['route without upgrade', `GET /healthz HTTP/1.1\r\n${HOST}${UPGRADE}`, '400'],
    ['method', `POST / HTTP/1.1\r\n${HOST}${UPGRADE}`, '400'],
    ['method that has no body', `HEAD / HTTP/1.1\r\n${HOST}${UPGRADE}`, '401'],
    ['request before it', `GET /healthz HTTP/1.1\r\n${HOST}\r\nGET / HTTP/1.1\r\n${HOST}${UPGRADE}`, ''],
    ['no HTTP', 'hello\r\n\r\n', '400'],
    ['giant header', `GET / HTTP/1.1\r\n${HOST}X: ${'x'.repeat(100_000)}\r\n${UPGRADE}`, '431'],
  ];
  for (const [name, bytes, status] of cases) {
    const socket = connectTcp(server.port, server.host);
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
    });
    // A reset may overtake the answer to a client that still sends.
    socket.on('error', () => {});
    socket.write(bytes);
    // This client never ends the connection, so only the server can.
    await new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
    socket.destroy();
    t.equal(answer.split(' ')[1] ?? '', status, name);
  }
});

t.test('next client is served when upgrades are begun and never ended', async (t) => {
  const WANTED = 10_000;
  const flags = ['--ws-auth', 'capability-token', '--ws-token-sha256', TOKEN_SHA256];
  const server = await startServer(t, { flags });
  const client = { host: server.host, port: server.port, token: TOKEN };
  await checkNextClient(client);
  const before = residentBytesOf(server.pid);
  const sockets = await openHalfUpgrades(server, WANTED);
  t.ok(sockets.length >= WANTED / 2, `${sockets.length} are open`);
  await checkNextClient(client);
  const perSocket = (residentBytesOf(server.pid) - before) / sockets.length;
  t.ok(perSocket < MIB / 16, `${Math.round(perSocket / 1024)} KiB each`);
  for (const socket of sockets) socket.destroy();
  await checkNextClient(client);
  t.equal(server.exit, undefined);
});

t.test('client gets nothing when it guesses the processId of another', async (t) => {
  const server = await startServer(t);
  const victim = await startVictim(server);
  t.teardown(() => victim.close());
  const guesser = await server.session({ experimentalApi: true });
  const heard: unknown[] = [];
  guesser.onMessage = ({ method, params }) => method === 'command/exec/outputDelta' && heard.push(params);
  const processId = VICTIM_PROCESS_ID;
  const unknown = { code: -32600, message: `no active command/exec for process id "${processId}"` };
  await t.rejects(guesser.ask('command/exec/write', { processId, deltaBase64: 'eA==' }), unknown);
  await t.rejects(guesser.ask('command/exec/write', { processId, closeStdin: true }), unknown);
  await t.rejects(guesser.ask('command/exec/resize', { processId, size: { rows: 1, cols: 1 } }), unknown);
  await t.rejects(guesser.ask('command/exec/terminate', { processId }), unknown);
  await t.rejects(guesser.ask('command/exec/signal', { processId, signal: 'SIGTERM' }), unknown);
  t.same(await guesser.ask('command/exec/list', {}), { commands: [] });
  const own = guesser.ask('command/exec', { command: ['/bin/echo', 'mine'], processId });
  t.equal((await own).stdout, 'mine\n', 'the same id is free for its own command');
  await victim.check();
  t.same(heard, []);
  await guesser.close();
});

t.test('server lives on when commands are signalled at the moment of their start and of their end', async (t) => {
  const server = await startServer(t);
  const client = await server.session({ experimentalApi: true });
  const ROUNDS = 40;
  // Several at once, so that the machine has other work between a fork and its program.
  const AT_ONCE = 8;
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, index) => {
        const processId = `${round}.${index}`;
        const tty = index % 2 === 0;
        const running = client.ask('command/exec', {
          command: ['/bin/sleep', '60'],
          processId,
          tty,
          disableTimeout: true,
        });
        const signalled = client.ask('command/exec/signal', { processId, signal: 'SIGTERM' });
        t.same(await signalled, {}, processId);
        t.equal((await running).exitCode, 143, 'and no signal is lost');
        const short = client.ask('command/exec', { command: ['/bin/true'], processId, tty });
        const late = client.ask('command/exec/signal', { processId, signal: 'SIGTERM' });
        // The command has ended by now, or is about to end.
        await late.catch((error) => t.match(error, { code: -32600 }));
        t.match(await short, { exitCode: Number });
      }),
    );
  }
  t.equal(server.exit, undefined);
  await client.close();
});
