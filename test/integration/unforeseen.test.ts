/** Shows that the server logs an unexpected error, drains, and ends with 1. Knows no error by name. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { spawnServer, type TestServer } from '../support/server.js';

/** Scripts that throw inside of the server at each SIGUSR2. */
const FAULT = {
  exception: "process.on('SIGUSR2', () => { throw new Error('planted exception'); });",
  rejection: "process.on('SIGUSR2', () => { Promise.reject(new Error('planted rejection')); });",
  'exception of a timer':
    "process.on('SIGUSR2', () => setInterval(() => { throw new Error('planted exception'); }, 1));",
};

async function faulty(t: Test, script: string): Promise<TestServer> {
  const fault = join(t.testdir({ 'fault.cjs': script }), 'fault.cjs');
  const env = { NODE_OPTIONS: `--require=${fault}` };
  const server = spawnServer(t, { listen: 'ws://127.0.0.1:0', env, expectedErrors: /planted/ });
  await server.untilListening();
  return server;
}

for (const [kind, script] of Object.entries(FAULT)) {
  t.test(`unforeseen ${kind} is logged, drains the server and ends it with 1, and no command is lost`, async (t) => {
    const server = await faulty(t, script);
    const raw = await (await server.wire()).initialize();
    const params = { command: ['cat'], processId: 'cat', streamStdin: true, disableTimeout: true };
    const reply = raw.request('command/exec', params);
    server.child.kill('SIGUSR2');
    await raw.notified('server/draining');
    const late = await raw.request('command/exec', { command: ['true'] });
    t.match(late, { error: { code: -32004 } }, 'the server takes nothing new');
    await raw.request('command/exec/write', {
      processId: 'cat',
      deltaBase64: Buffer.from('finished').toString('base64'),
      closeStdin: true,
    });
    t.match(await reply, { result: { exitCode: 0, stdout: 'finished' } });
    t.equal(await raw.closed, 1001);
    t.same(await server.exited, { code: 1, signal: null });
    const lines = server.errors().filter((line) => line.includes('planted'));
    t.ok(lines.length >= 1 && lines.length <= 10, `${lines.length} lines`);
    t.match(lines[0], 'unforeseen error');
  });
}

t.test('server ends at once when a second signal comes after an unforeseen error, and not at the first', async (t) => {
  const server = await faulty(t, FAULT.exception);
  const raw = await (await server.wire()).initialize();
  void raw.request('command/exec', { command: ['sleep', '600'], disableTimeout: true }).catch(() => {});
  server.child.kill('SIGUSR2');
  await raw.notified('server/draining');
  server.child.kill('SIGTERM');
  t.match(await raw.request('command/exec/list', {}), { error: { code: -32600 } }, 'the server still answers');
  server.child.kill('SIGTERM');
  t.same(await server.exited, { code: 143, signal: null });
});
