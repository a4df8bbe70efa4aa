/** Shows what a server does when peers die, hang, send byte by byte or stop reading, when its log is not read, and when a command forks without end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { processesWith } from '../support/process-table.js';
import { tcpConnect, textFrame, upgradeRequest } from '../support/raw-socket.js';
import { spawnServer, startServer } from '../support/server.js';
import { withStderr } from '../support/server-process.js';
import { until } from '../support/until.js';
import { WireClient } from '../support/wire-client.js';

t.jobs = 3;

const STREAMED = { streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true };
let words = 0;

/** A word that only the processes of one test carry. */
function newWord(): string {
  words += 1;
  return `fault-test-${process.pid}-${words}`;
}

/** Starts a command that never ends by itself and resolves once it runs. */
async function startForever(client: WireClient, word: string, command: string[] = ['sleep', '600']): Promise<void> {
  void client.exec(command, { processId: word, env: { WORD: word }, ...STREAMED });
  await until('the command runs', () => processesWith(word).length > 0);
}

/** Resolves when a client has received and answered this many pings, which the server sends by its own clock. */
function pings(client: WireClient, count: number): Promise<void> {
  let left = count;
  return new Promise((resolve) => {
    client.ws.on('ping', () => {
      left -= 1;
      if (left === 0) resolve();
    });
  });
}

/** A TCP proxy that can stop forwarding without closing anything, like a network whose cable was pulled. */
async function startProxy(t: Test, port: number): Promise<{ url: string; freeze(): void }> {
  const sockets: Socket[] = [];
  const proxy = createServer((near) => {
    const far = connectTcp(port, '127.0.0.1');
    sockets.push(near, far);
    near.pipe(far);
    far.pipe(near);
    near.on('error', () => {});
    far.on('error', () => {});
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const address = proxy.address();
  const ownPort = typeof address === 'object' && address !== null ? address.port : 0;
  const freeze = (): void => {
    for (const socket of sockets) {
      socket.unpipe();
      socket.pause();
    }
  };
  return { url: `ws://127.0.0.1:${ownPort}`, freeze };
}

t.test('commands of a client end, and no others, when the client is killed while they stream', async (t) => {
  const server = await startServer(t);
  const other = await server.session();
  const [word, otherWord] = [newWord(), newWord()];
  await startForever(other, otherWord);
  const script = `
    const { WebSocket } = require('ws');
    const ws = new WebSocket(process.argv[1]);
    const send = (id, method, params) => ws.send(JSON.stringify({ id, method, params }));
    ws.on('open', () => {
      send(1, 'initialize', { clientInfo: { name: 'victim', version: '1' } });
      const command = ['sh', '-c', 'setsid sleep 600 & exec yes'];
      const params = { command, processId: 'p', env: { WORD: process.argv[2] } };
      send(2, 'command/exec', { ...params, streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true });
    });
    let seen = 0;
    ws.on('message', () => { seen += 1; if (seen === 100) console.log('streaming'); });`;
  const victim = spawn(process.execPath, ['-e', script, server.url, `${word}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => victim.kill('SIGKILL'));
  await once(victim.stdout, 'data');
  victim.kill('SIGKILL');
  await once(victim, 'exit');
  await until('its commands are gone', () => processesWith(word).length === 0);
  t.equal(processesWith(otherWord).length, 1, "another client's command runs on");
  t.equal((await other.exec(['true'])).result?.exitCode, 0);
});

t.test(
  'peer is dropped and its commands end when its network is dead, and a peer that answers pings stays',
  async (t) => {
    // A peer that does not answer for two intervals is dropped: longer than a busy machine keeps this process from answering.
    const server = await startServer(t, { flags: ['--ping-interval', '2s'] });
    const proxy = await startProxy(t, server.port);
    const word = newWord();
    const alive = await server.session();
    const lost = await (await WireClient.open(proxy.url)).initialize();
    t.teardown(() => lost.terminate());
    await startForever(lost, word);
    // Two answered pings show that the peer has read everything. So the server takes later silence for a dead peer and not for a slow reader.
    await pings(lost, 2);
    t.equal(processesWith(word).length, 1);
    proxy.freeze();
    await until('the command of the dropped peer is gone', () => processesWith(word).length === 0);
    await pings(alive, 2);
    t.equal(alive.ws.readyState, alive.ws.OPEN, 'the idle peer that answers pings is connected');
  },
);

t.test('peer is closed with 1008 when it reads no output for the stall timeout', async (t) => {
  // Longer than this process may wait for a core before it stops reading.
  const server = await startServer(t, { flags: ['--stall-timeout', '2s', '--ping-interval', '0'] });
  const word = newWord();
  const client = await server.session();
  await startForever(client, word, ['yes']);
  client.ws.pause();
  // Ten beats are five seconds of the server's time: the stall is noticed after two, and the Close then waits behind the unread output.
  const other = await server.session({ heartbeatMs: 500 });
  await other.message(() => other.messages.filter(({ method }) => method === 'server/heartbeat').length >= 10);
  client.ws.resume();
  t.same(await client.ended, { code: 1008, reason: 'output is not being read' });
  await until('its command is gone', () => processesWith(word).length === 0);
});

t.test('heartbeats come as notifications when a client asks for them', async (t) => {
  const server = await startServer(t);
  const client = await server.session({ heartbeatMs: 100 });
  const other = await server.session();
  const beats = (): number => client.messages.filter(({ method }) => method === 'server/heartbeat').length;
  await client.message(() => beats() >= 3);
  t.equal(other.messages.filter(({ method }) => method === 'server/heartbeat').length, 0, 'another client gets none');
});

t.test('client on standard input stays connected when it is silent for many ping intervals', async (t) => {
  const server = spawnServer(t, { flags: ['--ping-interval', '30ms'] });
  const client = await server.stdio().initialize();
  // Silent for more than ten intervals.
  t.match(await client.exec(['sleep', '0.5']), { result: { exitCode: 0 } });
  client.stdin.end();
  t.strictSame(await server.exited, { code: 0, signal: null });
});

t.test('frame and upgrade are cut off when they come byte by byte', async (t) => {
  // Long enough that the first client, which runs a command at the start, does not count as stalled when this process waits for a core.
  const server = await startServer(t, { flags: ['--stall-timeout', '2s', '--initialize-timeout', '10m'] });
  async function crawl(before: string, bytes: Buffer): Promise<Buffer> {
    const socket = await tcpConnect(t, server);
    const received: Buffer[] = [];
    if (before !== '') {
      socket.write(before);
      await once(socket, 'data');
    }
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    let at = 0;
    // The bytes come more rarely than the server checks, and there are more of them than it waits for.
    const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 150);
    await new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
    clearInterval(timer);
    t.ok(at < bytes.length, `cut after ${at} of ${bytes.length} bytes`);
    return Buffer.concat(received);
  }
  const header = 'x'.repeat(4000);
  const [frame, upgrade] = await Promise.all([
    crawl(upgradeRequest(), textFrame(JSON.stringify({ id: 1, method: 'x'.repeat(4000) }))),
    crawl('', Buffer.from(upgradeRequest().replace('\r\n\r\n', `\r\nX-Long: ${header}\r\n\r\n`))),
  ]);
  const close = frame.indexOf(Buffer.from([0x88]));
  t.equal(frame.readUInt16BE(close + 2), 1008, 'a Close says why');
  t.match(upgrade.toString(), /^HTTP\/1\.1 408 /);
});

t.test('server serves and drains as usual when its log is not read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-faults-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const stderr of ['/dev/full', undefined]) {
    const path = join(folder, stderr === undefined ? 'blocked' : 'full');
    const server = spawnServer(t, {
      listen: `unix://${path}`,
      flags: ['--log-level', 'trace'],
      through: stderr === undefined ? [] : withStderr(stderr),
    });
    // Without a reader a pipe blocks once it is full.
    if (stderr === undefined) server.child.stderr?.removeAllListeners('data').pause();
    await until('the socket is there', () => existsSync(path));
    const client = await (await WireClient.open(`unix://${path}`)).initialize();
    // Each leaves a line in the log; together they are more than a pipe or a socket holds.
    for (let index = 0; index < 10_000; index += 1) client.send('{"method":"initialized"}');
    t.equal((await client.exec(['true'])).result?.exitCode, 0, stderr ?? 'a blocked pipe');
    server.signal('SIGTERM');
    t.equal(await client.closed, 1001);
    t.strictSame(await server.exited, { code: 0, signal: null });
  }
});

t.test('terminate leaves no process when a program has forked a thousand children', async (t) => {
  const server = await startServer(t);
  const client = await server.session();
  const word = newWord();
  const script = 'i=0; while [ $i -lt 1000 ]; do sleep 600 & i=$((i+1)); done; echo ready; wait';
  const params = { processId: 'forks', env: { WORD: word }, ...STREAMED };
  const reply = client.exec(['sh', '-c', script], params);
  await client.said('forks', 'ready');
  await until('all have come', () => processesWith(word).length > 1000);
  await client.request('command/exec/terminate', { processId: 'forks' });
  t.equal((await reply).result?.exitCode, 137, 'the shell did not end by itself when its children had gone');
  await until('all are gone', () => processesWith(word).length === 0);
  t.equal((await client.exec(['true'])).result?.exitCode, 0);
});

t.test('sources measure no time by the wall clock, which may jump', (t) => {
  // Wall time is right where it is shown to people or compared with a date from outside.
  const allowed: Readonly<Record<string, string>> = {
    'src/auth/': 'tokens and certificates carry dates',
    'src/session/credential-expiry.ts': 'a credential ends at a date',
    'src/commands/table.ts': '`startedAtMs` of a listed command is a date for people',
    'src/dialects/command-exec/command-list.ts': '`expiresAtMs` of a listed command is a date for people',
    'src/policy/may-do.ts': 'a credential ends at a date',
    'src/telemetry/': 'spans carry dates',
    'src/cli/leave-there.ts': 'the end of a kept command is shown as a date',
    'src/cli/ls.ts': 'dates of the server are shown as ages',
    'src/cli/terminal-session.ts': 'the end of a kept command is shown as the time until a date',
    'src/cli/top.ts': 'the first reading counts from the date of the start',
  };
  const sources = ['src', 'plugins', 'routes'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  const prefixes = Object.keys(allowed);
  const found = sources.filter(
    (path) => path.endsWith('.ts') && /Date\.now\(|new Date\(\)/.test(readFileSync(path, 'utf8')),
  );
  t.strictSame(
    found.filter((path) => !prefixes.some((prefix) => path.startsWith(prefix))),
    [],
  );
  t.strictSame(
    prefixes.filter((prefix) => !found.some((path) => path.startsWith(prefix))),
    [],
    'every exception is needed',
  );
  t.end();
});
