// Shows how a server with sessions of the exec-server protocol drains, and who is let in meanwhile.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { comeBack, ExecServerClient, startParams } from '../support/exec-server-client.js';
import { startServer, type TestServer } from '../support/server.js';
import { until } from '../support/until.js';

t.jobs = 2;

const CLEAN = { code: 0, signal: null };

/** A server that drains, with a connection that runs a process, and one that runs nothing. */
async function draining(t: Test, flags: string[]) {
  const server = await startServer(t, { flags });
  const busy = await ExecServerClient.open(server);
  const process = await busy.start('echo ready; read -r line; echo done', { pipeStdin: true });
  await process.said('ready');
  const idle = await ExecServerClient.open(server);
  server.signal('SIGTERM');
  await busy.peer.notified('server/draining');
  return { server, busy, process, idle };
}

t.test('drain closes a connection when it runs nothing, and lets a busy one start more', async (t) => {
  const { server, busy, process, idle } = await draining(t, ['--drain-timeout', '10m']);
  t.equal(await idle.peer.closed, 1001);
  const more = await busy.start('echo more');
  await more.closed();
  t.equal(more.output(), 'more\n');
  await process.write('\n', '1');
  await process.closed();
  t.match(process.output(), /done\n$/);
  t.equal(await busy.peer.closed, 1001, 'after its last process');
  t.same(await server.exited, CLEAN);
});

/** Comes back to a session of a server that may not have learned of the end of the old connection yet, and lets nobody in then. */
async function comeBackInDrain(server: TestServer, session: ExecServerClient): Promise<ExecServerClient> {
  let back: ExecServerClient | undefined;
  await until('the client is let in', async () => {
    back = await comeBack(server, session).catch((error: Error) => {
      if (!/503/.test(error.message)) throw error;
      return undefined;
    });
    return back !== undefined;
  });
  return back as ExecServerClient;
}

t.test(
  'session comes back to a server that drains when its connection breaks, and nobody else is let in',
  async (t) => {
    const { server, busy, process } = await draining(t, ['--drain-timeout', '10m']);
    await t.rejects(server.wire(), { message: /503/ }, 'before the break');
    await busy.cut();
    const second = await comeBackInDrain(server, busy);
    await t.rejects(server.wire(), { message: /503/ }, 'after it');
    process.client = second;
    await process.write('\n', '1');
    await process.closed();
    t.match(process.output(), /done\n$/);
    t.equal(await second.peer.closed, 1001);
    t.same(await server.exited, CLEAN);
  },
);

t.test('session comes back to a server that drains when its last process has ended meanwhile', async (t) => {
  const server = await startServer(t, { flags: ['--drain-timeout', '10m'] });
  const folder = mkdtempSync(join(tmpdir(), 'execwire-exec-sessions-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  // So that the drain goes on however long the way back takes.
  const other = await ExecServerClient.open(server);
  const holder = await other.start('exec sleep 632');
  const before = server.descriptors();
  const first = await ExecServerClient.open(server);
  const connection = server.socketsSince(before);
  const process = await first.start(
    `echo ready; while [ ! -e ${folder}/go ]; do sleep 0.05; done; touch ${folder}/done; echo done`,
  );
  await process.said('ready');
  server.signal('SIGTERM');
  await first.peer.notified('server/draining');
  await first.cut();
  // A server that learns of the end of the process first has told it on the connection, and waits for nobody.
  await server.untilClosed(connection);
  writeFileSync(join(folder, 'go'), '');
  await until('the process is at its end', () => existsSync(join(folder, 'done')));
  process.client = await comeBackInDrain(server, first);
  let text = '';
  for (let afterSeq = 1, isClosed = false; !isClosed; ) {
    const { chunks, closed, nextSeq } = await process.read({ afterSeq, waitMs: 60_000 });
    for (const { chunk } of chunks) text += Buffer.from(chunk, 'base64').toString();
    [afterSeq, isClosed] = [nextSeq - 1, closed];
  }
  t.equal(text, 'done\n');
  await holder.terminate();
  t.same(await server.exited, CLEAN);
});

t.test('session comes back to a server that drains when the end of its connection went unnoticed', async (t) => {
  const { server, busy, process } = await draining(t, ['--drain-timeout', '10m']);
  // It answers no ping.
  busy.peer.ws.pause();
  const second = await comeBackInDrain(server, busy);
  process.client = second;
  await process.terminate();
  await process.closed();
  t.equal(await second.peer.closed, 1001);
  t.same(await server.exited, CLEAN);
});

t.test('drain ends processes and tells their end when its deadline passes', async (t) => {
  const { server, busy, process } = await draining(t, ['--drain-timeout', '1ms', '--kill-grace', '10m']);
  t.match(await process.event('exited'), { exitCode: 143 });
  await process.closed();
  t.equal(await busy.peer.closed, 1012);
  t.same(await server.exited, CLEAN);
});

t.test('start is never answered with the code for not found when the server drains', async (t) => {
  const { server, idle, busy, process } = await draining(t, ['--drain-timeout', '10m']);
  // A start is served as long as the connection is there. On a busy machine the connection may be closed before, and then there is no answer.
  const answer = await idle.request('process/start', startParams('late', 'true')).catch(() => undefined);
  if (answer !== undefined) t.match(answer, { result: { processId: 'late' } });
  t.equal(await idle.peer.closed, 1001);
  await process.terminate();
  t.equal(await busy.peer.closed, 1001);
  t.same(await server.exited, CLEAN);
});
