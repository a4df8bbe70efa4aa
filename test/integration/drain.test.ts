/** How a server drains: signals, refusals, close codes, deadlines, and that nothing is lost, run twice or left behind. Long because a drain has many ways through. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ask } from '../support/ask.js';
import { processesWith } from '../support/process-table.js';
import { tcpConnect, textFrame, upgradeRequest } from '../support/raw-socket.js';
import { spawnServer, startServer } from '../support/server.js';
import { until } from '../support/until.js';
import { type WireClient, WireEndedError, type WireMessage } from '../support/wire-client.js';

t.jobs = 3;

const CLEAN = { code: 0, signal: null };
const STREAMED = { streamStdin: true, streamStdoutStderr: true, disableTimeout: true };
let words = 0;

/** A word that only the processes of one test carry. */
function newWord(): string {
  words += 1;
  return `drain-test-${process.pid}-${words}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Starts a shell script and resolves to its reply once it has said `ready`. */
async function startScript(
  client: WireClient,
  processId: string,
  script: string,
  params: Record<string, unknown> = {},
): Promise<{ reply: Promise<WireMessage> }> {
  const reply = client.exec(['sh', '-c', `${script}`], { processId, ...STREAMED, ...params });
  const early = await Promise.race([client.said(processId, 'ready'), reply]);
  if (early !== undefined) throw new Error(`ended before it was ready: ${JSON.stringify(early)}`);
  return { reply };
}

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-drain-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

t.test('first signal changes nothing but readyz when there is a drain delay', async (t) => {
  const server = await startServer(t, { flags: ['--drain-delay', '10m'] });
  const client = await server.session();
  t.equal((await server.get('/readyz')).status, 200);
  server.signal('SIGTERM');
  await until('not ready', async () => (await server.get('/readyz')).status === 503);
  t.equal((await server.get('/healthz')).status, 200);
  t.equal((await client.exec(['true'])).result?.exitCode, 0, 'a command is served');
  const late = await server.session();
  t.equal((await late.exec(['true'])).result?.exitCode, 0, 'an upgrade is served');
  t.notOk(client.messages.some(({ method }) => method === 'server/draining'));

  const word = newWord();
  void client.exec(['sleep', '600'], { env: { WORD: word }, disableTimeout: true });
  await until('the command runs', () => processesWith(word).length > 0);
  server.signal('SIGINT');
  t.strictSame(await server.exited, { code: 130, signal: null });
  t.strictSame(processesWith(word), [], 'no child is left');
});

t.test('draining server refuses what is new and finishes what runs', async (t) => {
  const server = await startServer(t, { flags: ['--drain-timeout', '10m'] });
  const idle = await server.session();
  const busy = await server.session();
  const terminal = await server.session();
  const cat = await startScript(busy, 'cat', 'echo ready; cat');
  const shell = await startScript(terminal, 'shell', 'echo ready; exec sleep 600', { tty: true });

  server.signal('SIGHUP');
  t.equal(await idle.closed, 1001, 'an idle connection is told to go at once');
  t.strictSame((await busy.notified('server/draining')).params, { deadlineMs: 600_000 });
  t.ok(
    idle.messages.some(({ method }) => method === 'server/draining'),
    'the idle one was told, too',
  );
  const refused = await ask(server, { upgrade: true });
  t.equal(refused.status, 503);
  t.ok(Number(refused.headers['retry-after']) > 0);
  t.equal((await server.get('/healthz')).status, 200, 'healthz answers on a new connection');
  t.equal((await server.get('/readyz')).status, 503);

  const { error } = await busy.exec(['true']);
  t.match(error, { code: -32004, data: { reason: 'serverDraining' } });
  t.ok((await busy.request('command/exec/write', { processId: 'cat', deltaBase64: base64('more\n') })).result);
  await busy.said('cat', 'more');
  const size = { rows: 10, cols: 20 };
  t.ok((await terminal.request('command/exec/resize', { processId: 'shell', size })).result);
  server.signal('SIGHUP');
  t.equal((await server.get('/healthz')).status, 200, 'a second HUP changes nothing');

  t.ok((await terminal.request('command/exec/terminate', { processId: 'shell' })).result);
  t.equal((await shell.reply).result?.exitCode, 137, 'an open terminal counts as work until it ends');
  t.equal(await terminal.closed, 1001);
  await busy.request('command/exec/write', { processId: 'cat', closeStdin: true });
  t.equal((await cat.reply).result?.exitCode, 0);
  t.equal(await busy.closed, 1001);
  t.strictSame(await server.exited, CLEAN);
});

t.test('commands that still run at the deadline are ended and answered', async (t) => {
  const word = newWord();
  const params = { env: { WORD: word } };
  const loop = 'echo ready; while :; do sleep 0.05; done';
  const flags = ['--drain-timeout', '300ms', '--kill-grace'];
  // One server has a grace far longer than its commands need, and the other a short one.
  const patient = await startServer(t, { flags: [...flags, '10m'] });
  const hasty = await startServer(t, { flags: [...flags, '100ms'] });
  const client = await patient.session();
  const polite = await startScript(client, 'polite', `trap 'echo bye; exit 7' TERM; ${loop}`, params);
  const lost = await startScript(client, 'lost', `setsid sleep 600 & ${loop}`, params);
  const other = await hasty.session();
  const deaf = await startScript(other, 'deaf', `trap '' TERM; ${loop}`, params);
  const terminal = await startScript(other, 'terminal', `trap '' TERM HUP; ${loop}`, { ...params, tty: true });

  patient.signal('SIGTERM');
  hasty.signal('SIGTERM');
  t.equal((await polite.reply).result?.exitCode, 7, 'SIGTERM comes first');
  t.match(client.output('polite'), 'bye');
  t.equal((await lost.reply).result?.exitCode, 143);
  t.equal((await deaf.reply).result?.exitCode, 137, 'SIGKILL after the grace');
  t.equal((await terminal.reply).result?.exitCode, 137);
  t.equal(await client.closed, 1012);
  t.equal(await other.closed, 1012);
  t.strictSame([await patient.exited, await hasty.exited], [CLEAN, CLEAN]);
  t.strictSame(processesWith(word), [], 'no process is left');
});

for (const [first, second, code] of [
  ['SIGTERM', 'SIGINT', 130],
  ['SIGHUP', 'SIGTERM', 143],
] as const) {
  t.test(`server and its commands end at once when ${second} comes after ${first}`, async (t) => {
    const server = await startServer(t, { flags: ['--drain-timeout', '10m'] });
    const client = await server.session();
    const word = newWord();
    const script = `trap '' TERM INT HUP; setsid sleep 600 & echo ready; while :; do sleep 0.05; done`;
    await startScript(client, 'deaf', script, { env: { WORD: word } });
    server.signal(first);
    await client.notified('server/draining');
    server.signal(second);
    t.strictSame(await server.exited, { code, signal: null });
    t.strictSame(processesWith(word), [], 'no child is left');
  });
}

t.test('server drains when SIGINT comes twice in a moment, as from a terminal and from npm', async (t) => {
  const server = await startServer(t, { flags: ['--drain-timeout', '10m'] });
  const client = await server.session();
  const command = await startScript(client, 'polite', 'echo ready; read line; exit 7', { streamStdin: true });
  server.signal('SIGINT');
  server.signal('SIGINT');
  await client.notified('server/draining');
  client.request('command/exec/write', { processId: 'polite', closeStdin: true });
  t.equal((await command.reply).result?.exitCode, 7, 'the command ends by itself');
  t.strictSame(await server.exited, CLEAN);
});

t.test('server exits with the code of the second signal that it sees when two come at once', async (t) => {
  // Both may be pending at once, and then the kernel chooses the order. So the server reports the order in which it saw them.
  const report = `for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => require('fs').writeSync(2, 'seen ' + name + '\\n'));`;
  const env = { NODE_OPTIONS: `--require=${t.testdir({ 'report.cjs': report })}/report.cjs` };
  const server = await startServer(t, { flags: ['--drain-timeout', '10m'], env });
  const client = await server.session();
  const word = newWord();
  await startScript(client, 'sleep', 'echo ready; exec sleep 600', { env: { WORD: word } });
  server.signal('SIGINT');
  server.signal('SIGTERM');
  const { code } = await server.exited;
  const seenLines = (): string[] => server.lines.filter((line) => line.startsWith('seen '));
  // What a process wrote last may be read after its exit is known.
  await until('both signals are reported', () => seenLines().length === 2);
  const seen = seenLines();
  t.strictSame([...seen].sort(), ['seen SIGINT', 'seen SIGTERM']);
  t.equal(code, seen[1] === 'seen SIGTERM' ? 143 : 130, `after ${seen.join(', ')}`);
  t.strictSame(processesWith(word), []);
});

t.test('server ends when a signal comes at any moment of its start', async (t) => {
  const startedAtMs = performance.now();
  await (await startServer(t, { warm: false })).stop();
  const startMs = performance.now() - startedAtMs;
  for (let part = 0; part <= 1.2; part += 0.15) {
    const server = spawnServer(t, { listen: 'ws://127.0.0.1:0', flags: ['--drain-delay', '0s'] });
    // A moment of the start, not a wait: relative to the time that a start takes on this machine now.
    setTimeout(() => server.signal('SIGTERM'), startMs * part);
    const { code, signal } = await server.exited;
    // Before Node runs the program's first line, the signal acts as on any process.
    t.ok(code === 0 || signal === 'SIGTERM', `at ${part.toFixed(2)} of the start: ${code ?? signal}`);
  }
});

t.test('peers that never answer a Close are cut, and nothing they send after it is executed', async (t) => {
  const server = await startServer(t, { flags: ['--drain-timeout', '10m'] });
  const file = join(folderOf(t), 'executed');
  const mute = 500;
  const sockets = await Promise.all(
    Array.from({ length: mute }, async () => {
      const socket = await tcpConnect(t, server);
      socket.write(upgradeRequest());
      await once(socket, 'data');
      return socket;
    }),
  );
  const [late] = sockets;
  if (late === undefined) throw new Error('no socket');
  for (const socket of sockets) if (socket !== late) socket.pause();
  late.write(textFrame('{"id":1,"method":"initialize","params":{"clientInfo":{"name":"late","version":"1"}}}'));
  await once(late, 'data');
  server.signal('SIGTERM');
  // The broadcast, then the server's Close: 0x88.
  await new Promise<void>((resolve) => late.on('data', (bytes: Buffer) => bytes.includes(0x88) && resolve()));
  late.write(textFrame(JSON.stringify({ id: 2, method: 'command/exec', params: { command: ['touch', file] } })));
  t.strictSame(await server.exited, CLEAN, 'long before the deadline');
  t.notOk(existsSync(file), 'a frame after a Close of the server is not executed');
});

t.test('server ends although a connection is idle and another has sent half a request', async (t) => {
  const server = await startServer(t);
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  t.equal((await server.get('/healthz', agent)).status, 200);
  const half = await tcpConnect(t, server);
  half.write('GET /healthz HTTP/1.1\r\nHost: local');
  server.signal('SIGTERM');
  t.strictSame(await server.exited, CLEAN);
});

t.test('healthz answers 200 on new connections until the listener closes', async (t) => {
  const server = await startServer(t, { flags: ['--drain-timeout', '10m'] });
  const client = await server.session();
  await startScript(client, 'cat', 'echo ready; exec cat');
  server.signal('SIGTERM');
  await client.notified('server/draining');
  for (let asked = 0; asked < 10; asked += 1) t.equal((await server.get('/healthz')).status, 200, 'while it drains');
  client.send({ id: 'last', method: 'command/exec/write', params: { processId: 'cat', closeStdin: true } });
  const statuses = new Set<number>();
  for (;;) {
    try {
      statuses.add((await server.get('/healthz')).status);
    } catch {
      break; // Refused or reset: the listener is closed.
    }
  }
  t.strictSame(await server.exited, CLEAN);
  statuses.delete(200);
  t.strictSame([...statuses], [], 'no other answer came until the end');
});

t.test('connection is closed with 1008 when it never initializes', async (t) => {
  const server = await startServer(t, { flags: ['--initialize-timeout', '200ms'], warm: false });
  // Upgrade and `initialize` in one packet, so that neither can be late.
  const busy = await tcpConnect(t, server);
  const initialize = { id: 1, method: 'initialize', params: { clientInfo: { name: 'busy', version: '1' } } };
  busy.write(Buffer.concat([Buffer.from(upgradeRequest()), textFrame(JSON.stringify(initialize))]));
  const silent = await server.wire();
  t.equal(await silent.closed, 1008);
  let answer = '';
  const answered = new Promise<void>((resolve, reject) => {
    busy.on('close', () => reject(new Error('closed')));
    busy.on('data', (bytes) => {
      answer += bytes.toString('latin1');
      if (answer.includes('"exitCode":0')) resolve();
    });
  });
  busy.write(textFrame(JSON.stringify({ id: 2, method: 'command/exec', params: { command: ['true'] } })));
  await answered;
  t.pass('the connection that initialized is served as before');
  busy.destroy();
});

t.test('commands run once and are answered, or do not run, when a drain begins while they start', async (t) => {
  const folder = folderOf(t);
  for (let round = 0; round < 3; round += 1) {
    const server = await startServer(t);
    const file = join(folder, `ran-${round}`);
    const clients = await Promise.all(Array.from({ length: 4 }, () => server.session()));
    const replies: WireMessage[] = [];
    const unseen: number[] = [];
    const run = async (client: WireClient, index: number): Promise<void> => {
      try {
        replies.push(await client.exec(['sh', '-c', `echo ${index} >> ${file}`]));
      } catch (error) {
        // The server closes a connection on which it has seen no request yet, and executes nothing that comes behind its Close.
        if (!(error instanceof WireEndedError)) throw error;
        unseen.push(error.code);
      }
    };
    const runs = Array.from({ length: 20 }, (_, index) => clients.map((client) => run(client, index))).flat();
    await until('the first have run', () => replies.length > 0);
    server.signal('SIGTERM');
    t.strictSame(await server.exited, CLEAN);
    await Promise.all(runs);
    const ran = readFileSync(file, 'utf8').trim().split('\n').length;
    t.equal(ran, replies.filter(({ result }) => result?.exitCode === 0).length, 'as many effects as good replies');
    t.ok(replies.every(({ result, error }) => result !== undefined || error?.code === -32004));
    t.ok(unseen.every((code) => code === 1001));
  }
});

t.test('slow reader still gets its output and its reply after the deadline', async (t) => {
  const server = await startServer(t, { flags: ['--drain-timeout', '200ms', '--kill-grace', '100ms'] });
  const client = await server.session();
  const { reply } = await startScript(client, 'flood', 'echo ready; exec yes', { disableOutputCap: true });
  client.ws.pause();
  server.signal('SIGTERM');
  await server.logged('drain deadline passed');
  client.ws.resume();
  t.ok((await reply).result, 'the reply arrives after the output');
  t.equal(await client.closed, 1012);
  t.strictSame(await server.exited, CLEAN);
});

t.test('server on standard input and output drains when a signal comes', async (t) => {
  const server = spawnServer(t, { flags: ['--drain-timeout', '10m'] });
  const client = await server.stdio().initialize();
  const cat = client.exec(['cat'], { processId: 'cat', ...STREAMED });
  // The answer shows that the server has taken the command before it.
  await client.request('command/exec/write', { processId: 'cat', deltaBase64: base64('x') });
  server.signal('SIGTERM');
  await client.notified('server/draining');
  t.match((await client.exec(['true'])).error, { code: -32004 }, 'what is new is refused');
  await client.request('command/exec/write', { processId: 'cat', closeStdin: true });
  t.equal((await cat).result?.exitCode, 0, 'the running command was finished');
  t.strictSame(await server.exited, CLEAN);

  const idle = spawnServer(t);
  await idle.stdio().initialize();
  idle.signal('SIGHUP');
  t.strictSame(await idle.exited, CLEAN, 'an idle server ends at once');
});
