// Shows `execwire exec-server`, which serves one agent on standard input and output.
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { startParams } from '../support/exec-server-client.js';
import { LineClient } from '../support/line-client.js';
import { processesWith } from '../support/process-table.js';
import { SERVER, ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';

const argv = [process.execPath, SERVER, 'exec-server'];

t.test('exec-server serves one agent, and ends with its processes when its input ends', async (t) => {
  const server = new ServerProcess({ argv });
  t.teardown(() => server.crash());
  const client = new LineClient(server.child);
  t.match(await client.ask('initialize', { clientName: 'test' }), { sessionId: String });
  client.send({ method: 'initialized', params: {} });
  await client.ask('process/start', startParams('p', 'echo hello'));
  const { params } = await client.message(({ method }) => method === 'process/output');
  t.equal(Buffer.from(params.chunk, 'base64').toString(), 'hello\n');
  await client.message(({ method }) => method === 'process/closed');
  const word = `exec-server-stdio-${process.pid}`;
  await client.ask('process/start', {
    ...startParams('left', 'sleep 641'),
    env: { PATH: '/usr/bin:/bin', WORD: word },
  });
  server.child.stdin?.end();
  t.same(await server.exited, { code: 0, signal: null });
  await until('nothing is left', () => processesWith(word).length === 0);
});

t.test('exec-server does not start when it is given a listener', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [SERVER, 'exec-server', '--listen', 'ws://127.0.0.1:0'], {
    encoding: 'utf8',
  });
  t.equal(status, 2);
  t.match(stderr, /execwire serve --listen/);
  t.end();
});
