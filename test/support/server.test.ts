// The builder of servers for tests: it must fail a test whose server leaves anything behind.
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { TestServer, type TestServerOptions } from './server.js';
import { ServerProcess } from './server-process.js';
import { until } from './until.js';

/** How long to wait for a planted leak, which never goes away. */
const PATIENCE_MS = 100;

/** A server that its test does not end by itself. */
async function startUnwatched(t: Test, options: TestServerOptions = {}): Promise<TestServer> {
  const server = new TestServer(options);
  t.teardown(() => server.crash());
  await server.untilListening();
  await server.warmUp();
  return server;
}

/** Opens a connection that is never closed. */
async function strayConnection(t: Test, server: TestServer): Promise<WebSocket> {
  const ws = new WebSocket(server.url);
  t.teardown(() => ws.terminate());
  await once(ws, 'open');
  return ws;
}

t.test('server builder closes the connections of its test and passes when nothing is left', async (t) => {
  const server = await startUnwatched(t, { probe: true });
  const client = await server.session();
  client.ws.pause();
  void client.exec(['sleep', '600']);
  await server.session();
  await (await server.connect()).exec(['true']);
  await server.endClean();
  t.same(server.exit, { code: 0, signal: null });
});

t.test('server builder fails a test when a connection or a command is left', async (t) => {
  const server = await startUnwatched(t);
  const ws = await strayConnection(t, server);
  await t.rejects(server.endClean(PATIENCE_MS), /left behind: .*socket/);
  let messages = 0;
  ws.on('message', () => {
    messages += 1;
  });
  ws.send('{"id":1,"method":"initialize","params":{"clientInfo":{"name":"a","version":"1"}}}');
  ws.send(
    '{"id":2,"method":"command/exec","params":{"command":["sh","-c","echo; exec sleep 600"],"processId":"p","streamStdoutStderr":true}}',
  );
  // The reply to `initialize`, then the output: both may come in one packet.
  await until('the command has started', () => messages === 2);
  await t.rejects(server.endClean(PATIENCE_MS), /left behind: child \d+/);
});

t.test('server builder fails a test when a timer or a listener is left, or an error was logged', async (t) => {
  const leak = `process.once('SIGWINCH', () => {
    // More than the timers that may run out meanwhile.
    for (let count = 0; count < 20; count += 1) setInterval(() => {}, 1e6).unref();
    process.on('SIGCONT', () => {}).on('exit', () => {});
    require('fs').writeSync(2, '{"level":50,"msg":"planted"}\\n');
  });`;
  const folder = t.testdir({ 'leak.cjs': leak });
  const server = await startUnwatched(t, { probe: true, env: { NODE_OPTIONS: `--require=${folder}/leak.cjs` } });
  server.signal('SIGWINCH');
  await server.logged('planted');
  await t.rejects(
    server.endClean(PATIENCE_MS),
    /timers are left\n\d+ listeners are left\n\{"level":50,"msg":"planted"\}/,
  );
});

t.test('server builder fails a test when the server ends with another code than 0', async (t) => {
  const script = `process.on('exit', () => { process.reallyExit(3); });`;
  const folder = t.testdir({ 'end.cjs': script });
  const server = await startUnwatched(t, { env: { NODE_OPTIONS: `--require=${folder}/end.cjs` } });
  await t.rejects(server.endClean(), /ended with 3 after SIGTERM/);
});

t.test('server process tells its exit when all of its standard error has been read', async (t) => {
  // What a busy machine does now and then: the last line comes after the exit.
  const late = new ServerProcess({ argv: ['sh', '-c', '(sleep 0.3; echo last >&2) &'] });
  t.same(await late.exited, { code: 0, signal: null });
  t.same(late.lines, ['last']);
  await t.rejects(late.logged('another'), /ended before it logged "another":\nlast/);
});
