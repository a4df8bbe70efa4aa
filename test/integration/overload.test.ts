/** Shows for every bound of the server what is refused and how, that nothing was started, and that other clients are served. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Answer, ask } from '../support/ask.js';
import { PASSING_MS, passingTime } from '../support/passing-time.js';
import { startServer, type TestServer } from '../support/server.js';
import { withDescriptors } from '../support/server-process.js';
import { until } from '../support/until.js';
import type { WireClient } from '../support/wire-client.js';

t.jobs = 3;

const OPEN_END = { disableTimeout: true };
const FULL = { code: -32001, message: 'Server overloaded; retry later.' };

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-overload-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function startSleep(client: WireClient, processId: string, params: Record<string, unknown> = {}): void {
  void client.exec(['sleep', '600'], { processId, ...OPEN_END, ...params });
}

t.test(
  'connections over the bound are refused with 503, and readyz is good again below nine tenths of it',
  async (t) => {
    const server = await startServer(t, { flags: ['--max-connections', '10'] });
    const clients: WireClient[] = [];
    for (let index = 0; index < 10; index += 1) clients.push(await server.session());
    const refused = await ask(server, { upgrade: true });
    t.equal(refused.status, 503);
    t.ok(Number(refused.headers['retry-after']) > 0);
    t.equal((await server.get('/readyz')).status, 503);
    t.equal((await server.get('/healthz')).status, 200);
    t.equal((await clients[0]?.exec(['true']))?.result?.exitCode, 0, 'a connected client is served');

    const leave = async (): Promise<void> => {
      const client = clients.pop();
      client?.ws.close();
      await client?.closed;
    };
    await leave();
    await until('room again', async () => (await ask(server, { upgrade: true })).status === 101);
    await until('not ready with nine of ten', async () => (await server.get('/readyz')).status === 503);
    await leave();
    await until('ready below nine tenths', async () => (await server.get('/readyz')).status === 200);
  },
);

t.test('requests over the bounds are refused, and one that frees a place is served', async (t) => {
  const flags = ['--max-requests-per-connection', '3', '--max-requests', '5'];
  const server = await startServer(t, { flags });
  const file = join(folderOf(t), 'started');
  const first = await server.session();
  const second = await server.session();
  for (const id of ['1', '2', '3']) startSleep(first, id);
  const refused = await first.exec(['touch', file]);
  t.match(refused.error, { ...FULL, data: { reason: 'serverOverloaded', bound: 'maxRequestsPerConnection' } });
  for (const id of ['1', '2']) startSleep(second, id);
  t.match((await second.exec(['touch', file])).error, { ...FULL, data: { bound: 'maxRequests' } });
  t.equal((await server.get('/readyz')).status, 503);
  t.notOk(existsSync(file), 'nothing was started');
  t.ok((await first.request('command/exec/terminate', { processId: '1' })).result, 'terminate is served');
  await first.message(({ result }) => result?.exitCode === 137);
  t.equal((await second.exec(['true'])).result?.exitCode, 0, 'the place is free again');
});

t.test('processes over the bounds are refused', async (t) => {
  const server = await startServer(t, { flags: ['--max-processes-per-connection', '2', '--max-processes', '3'] });
  const file = join(folderOf(t), 'started');
  const first = await server.session();
  const second = await server.session();
  for (const id of ['1', '2']) startSleep(first, id);
  t.match((await first.exec(['touch', file])).error, { ...FULL, data: { bound: 'maxProcessesPerConnection' } });
  startSleep(second, '1');
  t.match((await second.exec(['touch', file])).error, { ...FULL, data: { bound: 'maxProcesses' } });
  t.equal((await server.get('/readyz')).status, 503);
  t.notOk(existsSync(file));
  await first.request('command/exec/terminate', { processId: '1' });
  await until('ready again', async () => (await server.get('/readyz')).status === 200);
});

t.test('connection is closed with 1009, and no other, when its frame is over the bound', async (t) => {
  const server = await startServer(t, { flags: ['--max-frame-bytes', '2k'] });
  const large = await server.session();
  const other = await server.session();
  void large.exec(['true', 'x'.repeat(3000)]);
  t.equal(await large.closed, 1009);
  t.equal((await other.exec(['true', 'x'.repeat(1000)])).result?.exitCode, 0);
});

t.test('writes wait and terminate does not when a command does not read', async (t) => {
  const server = await startServer(t, { flags: ['--max-stdin-bytes', '64k'] });
  const client = await server.session();
  const params = { processId: 'deaf', streamStdin: true, streamStdoutStderr: true, ...OPEN_END };
  const command = client.exec(['sh', '-c', 'echo ready; exec sleep 600'], params);
  await client.said('deaf', 'ready');
  const deltaBase64 = Buffer.alloc(32 * 1024).toString('base64');
  const writes = Array.from({ length: 10 }, () =>
    client.request('command/exec/write', { processId: 'deaf', deltaBase64 }),
  );
  const outcomes = Promise.all(writes);
  const refused = await client.message(({ error }) => error !== undefined);
  t.match(refused.error, { ...FULL, data: { bound: 'maxStdinBytes' } }, 'too many waiting bytes are refused');
  t.ok((await client.request('command/exec/terminate', { processId: 'deaf' })).result);
  t.equal((await command).result?.exitCode, 137);
  const codes = (await outcomes).map(({ error }) => error?.message ?? 'accepted');
  t.ok(codes.includes('accepted'), 'some were accepted');
  t.ok(codes.includes('stdin is already closed'), 'some waited');
  t.ok(codes.includes(FULL.message), 'some were refused');
});

t.test('connection is closed with 1008 when its client leaves too many replies unread', async (t) => {
  const server = await startServer(t, { flags: ['--max-owed-reply-bytes', '64k'] });
  const file = join(folderOf(t), 'ran');
  const client = await server.session();
  client.ws.pause();
  // Zeros are six characters each in JSON, so the replies are more than any socket buffer holds.
  for (let index = 0; index < 12; index += 1) {
    // The commands end together. Otherwise the first replies alone would close the connection, and the other commands would be killed with it.
    const allHaveRun = `until [ $(wc -c < ${file}) -ge 24 ]; do sleep 0.01; done`;
    void client.exec(['sh', '-c', `head -c 1000000 /dev/zero; echo x >> ${file}; ${allHaveRun}`]);
  }
  await until('all have run', () => existsSync(file) && readFileSync(file, 'utf8').length >= 24);
  // BEFORE the client reads again, because the server would not count replies that have been read.
  await until('all have replied', async () =>
    (await server.get('/metrics')).body.includes('execwire_commands_running 0\n'),
  );
  client.ws.resume();
  t.equal(await client.closed, 1008);
});

/** Resolves after this many pings of the server. Opens another connection when this process was too busy to keep the first one alive. */
async function pingsOf(server: TestServer, count: number): Promise<void> {
  let client = await server.session();
  for (let seen = 0; seen < count; ) {
    const isPing = await Promise.race([once(client.ws, 'ping').then(() => true), client.ended.then(() => false)]);
    if (isPing) seen += 1;
    else client = await server.session();
  }
}

t.test('output is not counted as owed replies, and is delivered in the end, when it is not read', async (t) => {
  const server = await startServer(t, { flags: ['--max-owed-reply-bytes', '64k', '--ping-interval', '1s'] });
  const client = await server.session();
  const bytes = 30_000_000;
  const params = { processId: 'stream', streamStdoutStderr: true, disableOutputCap: true, ...OPEN_END };
  const reply = client.exec(['head', '-c', String(bytes), '/dev/zero'], params);
  // BEFORE the client pauses, because a peer that is silent while nothing is sent to it counts as gone, and a command may take long to start.
  await client.notified('command/exec/outputDelta');
  client.ws.pause();
  // More than the two intervals of silence after which an idle peer counts as gone.
  await pingsOf(server, 4);
  client.ws.resume();
  t.equal((await reply).result?.exitCode, 0, 'the paused reader was not dropped, though it answered no ping');
  t.equal(client.output('stream').length, bytes, 'no output was lost');
});

t.test('readyz is 503 when the event loop was late, and 200 again after it', async (t) => {
  const server = await startServer(t, { flags: ['--max-event-loop-delay', `${PASSING_MS / 2}ms`] });
  const timePasses = await passingTime(t);
  await until('ready', async () => (await server.get('/readyz')).status === 200);
  server.signal('SIGSTOP');
  const probe = server.get('/readyz');
  await timePasses();
  server.signal('SIGCONT');
  t.equal((await probe).status, 503);
  await until('ready again', async () => (await server.get('/readyz')).status === 200);
  await server.logged('no longer overloaded');
});

t.test(
  'server refuses by name and closes no connection without an answer when it runs out of descriptors',
  async (t) => {
    const server = await startServer(t, { through: withDescriptors(160) });
    const clients: WireClient[] = [await server.session()];
    let answer = await ask(server, { upgrade: true });
    for (let asked = 0; answer.status !== 503 && asked < 160; asked += 1) {
      // This session may be the first one that is refused. Then the next request for an upgrade is refused, too, and ends the loop.
      await server.session().then(
        (client) => clients.push(client),
        () => undefined,
      );
      answer = await ask(server, { upgrade: true });
    }
    t.equal(answer.status, 503);
    t.ok(Number(answer.headers['retry-after']) > 0);
    t.ok(clients.length > 20, `${clients.length} connected`);
    t.match((await clients[0]?.exec(['true']))?.error, { ...FULL, data: { bound: 'descriptors' } });
    await server.logged('out of descriptors');
    t.equal((await server.get('/readyz')).status, 503);

    // Only bursts that follow one another closely fill the queue of the listener with more peers than there are spare descriptors.
    const answers: Answer[] = [];
    for (let burst = 0; burst < 10; burst += 1) {
      // A request without an answer rejects. Some find the room of others that have just left.
      answers.push(...(await Promise.all(Array.from({ length: 300 }, () => ask(server, { upgrade: true })))));
    }
    t.ok(
      answers.every(({ status }) => status === 503 || status === 101),
      'each request of a burst has its answer',
    );
    t.ok(answers.some(({ status }) => status === 503));
    t.ok(
      clients.every(({ ws }) => ws.readyState === ws.OPEN),
      'no connected client was closed',
    );

    for (const client of clients.splice(1)) client.ws.close();
    await until('room again', async () => (await clients[0]?.exec(['true']))?.result?.exitCode === 0);
    t.equal((await ask(server, { upgrade: true })).status, 101);
  },
);

t.test('commands are refused by name, and none fails at its start, when descriptors run out', async (t) => {
  const server = await startServer(t, { through: withDescriptors(160) });
  const client = await server.session();
  const replies = Array.from({ length: 60 }, (_, index) =>
    client.exec(['cat'], { processId: String(index), streamStdin: true, ...OPEN_END }),
  );
  await client.message(({ error }) => error !== undefined);
  for (let index = 0; index < 60; index += 1) {
    void client.request('command/exec/write', { processId: String(index), closeStdin: true });
  }
  const ended = await Promise.all(replies);
  const refused = ended.filter(({ error }) => error !== undefined);
  t.ok(refused.every(({ error }) => error?.data?.bound === 'descriptors'));
  t.ok(
    ended.some(({ result }) => result?.exitCode === 0),
    'some ran',
  );
});
