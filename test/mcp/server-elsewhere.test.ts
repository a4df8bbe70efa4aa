// Shows `execwire mcp` with a URL, driven by the client of the MCP SDK: credentials, broken connections, servers that are lost or not there yet, and that no
// command is left on them.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { CuttingProxy } from '../support/cutting-proxy.js';
import { isAlive } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import { type Said, startAgent } from './agent.js';

t.test('agent runs commands, and leaves none behind, when the server wants a token', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-mcp-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  writeFileSync(file, 'a-token-of-this-test-0123456789abcdef\n', { mode: 0o600 });
  const server = await startServer(t, { flags: ['--ws-auth', 'capability-token', '--ws-token-file', file] });
  const agent = await startAgent(t, { flags: ['--url', server.url, '--token-file', file] });
  t.match(agent.client.getInstructions(), `on the machine behind ${server.url}.`);
  t.match(await agent.call('exec', { command: 'echo there' }), { status: /exit code 0/, output: 'there\n' });
  const box = await server.connect({ token: 'a-token-of-this-test-0123456789abcdef' });
  const id = await agent.start({ command: 'trap "" TERM; echo pid=$$; sleep 600 & wait; wait' });
  const terminal = await agent.start({ command: ['cat'], tty: true });
  await agent.call('send_input', { id: terminal, text: 'typed', keys: ['enter'] });
  await agent.call('read_output', { id: terminal, match: 'typed\\ntyped' });
  t.equal((await agent.call('read_output', { id: terminal, view: 'screen' })).output, 'typed\ntyped');
  const pid = Number(/^pid=(\d+)/.exec((await agent.call('read_output', { id, match: 'pid=\\d+\\n' })).output)?.[1]);
  t.match(
    (await box.list({ details: true })).map(({ command }) => command),
    [['bash', '-c', /^trap/], ['cat']],
    'people can see them',
  );
  await agent.leave();
  await until('the command is gone', () => !isAlive(pid));
  await until('the server has none', async () => (await box.list()).every(({ state }) => state === 'ended'));

  const stranger = await startAgent(t, { flags: ['--url', server.url] });
  const refused = await stranger.call('exec', { command: 'true' });
  t.ok(refused.isError);
  t.match(
    refused.status,
    /^Cannot connect to ws:\S+: HTTP 401: the server wants a token.*The next call tries again\.$/,
  );
  await until('people are told, too', () => /HTTP 401/.test(stranger.stderr));
});

t.test('commands go on, and no byte is lost, when the connection breaks and comes back', async (t) => {
  const server = await startServer(t);
  const proxy = await CuttingProxy.start(server.port);
  t.teardown(() => proxy.close());
  const agent = await startAgent(t, { flags: ['--url', proxy.url] });
  const id = await agent.start({ command: 'echo first; read line; seq 1 50000; exit 7' });
  await agent.call('read_output', { id, match: 'first' });
  const folder = mkdtempSync(join(tmpdir(), 'execwire-mcp-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const running = agent.call('exec', {
    command: 'while [ ! -e go ]; do sleep 0.05; done; seq 1 20000',
    cwd: folder,
    timeout_seconds: 600,
    max_bytes: 200_000,
  });
  const statuses: string[] = [];
  const heard = async (said: Promise<Said>): Promise<Said> => {
    statuses.push((await said).status);
    return said;
  };
  const answered = heard(agent.call('send_input', { id, text: 'go\n' }));
  proxy.cutAfter = () => 60_000;
  proxy.cut();
  writeFileSync(join(folder, 'go'), '');
  await answered;
  const all = { id, wait_for: 'exit', timeout_seconds: 600, from: 0, max_bytes: 200_000 };
  const end = await heard(agent.call('read_output', all));
  t.match(end.status, /^Command c\d+: exit code 7 after/);
  let text = end.output;
  for (let next = Number(/go on with from (\d+)\./.exec(end.status)?.[1]); !Number.isNaN(next); ) {
    const part = await heard(agent.call('read_output', { id, from: next, max_bytes: 200_000 }));
    text += part.output;
    next = Number(/go on with from (\d+)\./.exec(part.status)?.[1]);
  }
  t.equal(text, `first\n${Array.from({ length: 50_000 }, (_, n) => `${n + 1}\n`).join('')}`);
  t.match(await heard(running), {
    status: /exit code 0/,
    output: Array.from({ length: 20_000 }, (_, n) => `${n + 1}\n`).join(''),
  });
  t.ok(proxy.connections > 2, `${proxy.connections} connections`);
  const said = [...statuses, (await agent.call('list')).status].join('\n');
  t.match(said, /The connection to the server (was away for|broke \d+ times, was away for) [\d.]+ s and is back/);
  t.notOk(/Another server/.test(said));
  t.notMatch((await agent.call('list')).status, /connection/, 'it is told once');
});

t.test('agent is told that a command may be lost, and uses the next server, when its server has crashed', async (t) => {
  const first = await startServer(t);
  // BEFORE the agent, because teardowns run last to first, and the agent has to leave first.
  const second = await startServer(t);
  const proxy = await CuttingProxy.start(first.port);
  t.teardown(() => proxy.close());
  const agent = await startAgent(t, { flags: ['--url', proxy.url] });
  const id = await agent.start({ command: 'echo kept; sleep 600' });
  await agent.call('read_output', { id, match: 'kept' });
  proxy.targetPort = second.port;
  await first.crash();
  proxy.cut();
  const said = await agent.call('read_output', { id, wait_for: 'exit', timeout_seconds: 600, from: 0 });
  t.match(
    said.status,
    /^Command c\d+: outcome unknown after [\d.]+ s: Another server does not know the command.* It may still run\./,
  );
  t.equal(said.output, 'kept\n', 'what came is kept');
  const next = await agent.call('exec', { command: 'echo second' });
  t.match(next, { status: /exit code 0/, output: 'second\n' });
  t.match(
    `${said.status}\n${next.status}`,
    /Another server answers now: it was restarted or replaced, and commands .* may be lost/,
  );
  t.match(await agent.call('stop', { id }), { status: /outcome unknown/, isError: false });
});

t.test(
  'result says that the connection is away, and later that it is back, when the server cannot be reached',
  async (t) => {
    const server = await startServer(t);
    const proxy = await CuttingProxy.start(server.port);
    t.teardown(() => proxy.close());
    const agent = await startAgent(t, { flags: ['--url', proxy.url] });
    const id = await agent.start({ command: 'echo kept; sleep 600' });
    await agent.call('read_output', { id, match: 'kept' });
    proxy.shut();
    proxy.cut();
    let away: Said | undefined;
    await until('the agent is told', async () => {
      away = await agent.call('read_output', { id, from: 0 });
      return /is away/.test(away.status);
    });
    t.match(away, {
      status:
        /^Command c1: running for .* The connection to the server is away for [\d.]+ s \(.*\): it is tried again all the time\. Commands go on there/,
      output: 'kept\n',
      isError: false,
    });
    proxy.open();
    let back: Said | undefined;
    await until('the agent is told again', async () => {
      back = await agent.call('list');
      return /and is back/.test(back.status);
    });
    t.match(
      back?.status,
      /^1 running, 0 ended\. The connection to the server was away for .* and is back; commands went on meanwhile\.$/,
    );
  },
);

t.test('every tool answers, and the server ends with its agent, when the connection is away', async (t) => {
  const server = await startServer(t);
  const proxy = await CuttingProxy.start(server.port);
  t.teardown(() => proxy.close());
  const agent = await startAgent(t, { flags: ['--url', proxy.url] });
  const id = await agent.start({ command: 'echo kept; sleep 600' });
  const terminal = await agent.start({ command: ['cat'], tty: true });
  await agent.call('read_output', { id, match: 'kept' });
  const folder = mkdtempSync(join(tmpdir(), 'execwire-mcp-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'made');
  const running = agent.call('exec', { command: ['sh', '-c', `: > ${path}; exec sleep 600`], timeout_seconds: 5 });
  await until('it runs', () => existsSync(path));
  proxy.shut();
  await until('the agent is told', async () => /is away/.test((await agent.call('list')).status));
  const said = await Promise.all(
    [
      ['read_file', { path }],
      ['list_directory', { path }],
      ['write_file', { path, content: 'x' }],
      ['send_input', { id, text: 'x' }],
      ['stop', { id }],
      ['read_output', { id: terminal, view: 'screen' }],
    ].map(([tool, args]) => agent.call(tool as string, args as Record<string, unknown>)),
  );
  for (const { status, isError } of said) {
    t.ok(isError);
    t.match(status, /^Nothing was sent: .* Try again when list says that it is back\. The connection .* is away for/);
  }
  // Its timeout may have ended it before the connection was cut, or the cut came before the server could say that it runs.
  const { status } = await running;
  t.match(
    status,
    /timed out|how command c3 ended is not known yet: read_output .* is away for|has not said .* that it runs: .* If it did start, it is ended/,
  );
  await agent.leave();
  t.match(
    agent.stderr,
    /[23] commands were not ended; the server does not answer, and ends what it keeps after 10 minutes/,
  );
  const box = await server.connect();
  for (const { key } of await box.list()) if (typeof key === 'string') await box.kill(key, 'SIGKILL');
  await until('all have ended', async () => (await box.list()).every(({ state }) => state === 'ended'));
  for (const { key } of await box.list()) if (typeof key === 'string') await box.forget(key);
});

t.test('call says why it fails when the server is not there yet, and works when it is', async (t) => {
  const server = await startServer(t);
  const proxy = await CuttingProxy.start(server.port);
  t.teardown(() => proxy.close());
  proxy.shut();
  const agent = await startAgent(t, { flags: ['--url', proxy.url] });
  const refused = await agent.call('exec', { command: 'true' });
  t.ok(refused.isError);
  t.match(refused.status, /^Cannot connect to ws:\S+: .*The next call tries again\.$/);
  proxy.open();
  t.match(await agent.call('exec', { command: 'echo now' }), { status: /exit code 0/, output: 'now\n' });
});
