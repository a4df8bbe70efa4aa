// Shows that sessions of the exec-server protocol outlive their connections, and that the other protocol lists and views their processes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { signedToken } from '../auth/signed-token.js';
import { comeBack, ExecServerClient, startParams, type TestProcess } from '../support/exec-server-client.js';
import { isAlive } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import type { WireMessage } from '../support/wire-client.js';

t.jobs = 2;

const refusal = ({ error }: WireMessage): unknown[] => [error?.code, error?.message];
const isGapFree = (seqs: readonly number[]): boolean => seqs.every((seq, index) => seq === index + 1);

/** Numbers and output of all events of a process, from before and after a break of its connection. */
async function seqsAcross(before: TestProcess, client: ExecServerClient): Promise<{ seqs: number[]; text: string }> {
  const seen = before.events;
  const last = Math.max(0, ...seen.map(({ seq }) => seq));
  before.client = client;
  const read = await before.read({ afterSeq: last, waitMs: 0 });
  // A process that was closed while its client was away is not told of again.
  if (!read.closed) await before.closed();
  const bytes = new Map<number, Buffer>();
  for (const event of [...seen, ...before.events]) bytes.set(event.seq, event.bytes);
  for (const { seq, chunk } of read.chunks) bytes.set(seq, Buffer.from(chunk, 'base64'));
  const seqs = [...bytes.keys()].sort((one, other) => one - other);
  return { seqs, text: Buffer.concat(seqs.map((seq) => bytes.get(seq) ?? Buffer.alloc(0))).toString() };
}

t.test('session comes back with everything its process wrote when the connection breaks', async (t) => {
  const server = await startServer(t);
  const first = await ExecServerClient.open(server);
  const process = await first.start('for i in $(seq 200); do echo line $i; sleep 0.005; done');
  await process.said('line 5\n');
  await first.cut();
  const second = await comeBack(server, first);
  t.equal(second.sessionId, first.sessionId);
  t.match(second.environmentInfo, { executorVersion: String });
  const { seqs, text } = await seqsAcross(process, second);
  t.ok(isGapFree(seqs), JSON.stringify(seqs));
  t.equal(text, Array.from({ length: 200 }, (_, index) => `line ${index + 1}\n`).join(''));
});

t.test('process waits when its client is away and more output would be lost', async (t) => {
  const server = await startServer(t);
  const before = server.descriptors();
  const first = await ExecServerClient.open(server);
  const connection = server.socketsSince(before);
  const bytes = 4 * 1024 * 1024;
  const folder = mkdtempSync(join(tmpdir(), 'execwire-away-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const go = join(folder, 'go');
  const process = await first.start(`until [ -e ${go} ]; do sleep 0.01; done; head -c ${bytes} /dev/zero`);
  await first.cut();
  // What is on its way to a connection that breaks may be more than the server keeps, so nothing is: it writes when the server knows of the break.
  await server.untilClosed(connection);
  writeFileSync(go, '');
  const second = await comeBack(server, first);
  process.client = second;
  const { chunks } = await process.read();
  await process.closed();
  const received = new Map<number, number>();
  for (const { seq, chunk } of chunks) received.set(seq, Buffer.from(chunk, 'base64').length);
  for (const { seq, bytes: piece } of process.events) received.set(seq, piece.length);
  const seqs = [...received.keys()].sort((one, other) => one - other);
  t.ok(isGapFree([...seqs, ...[(seqs.at(-2) ?? 0) + 1]].slice(0, seqs.length)), `${seqs.length} events`);
  t.equal(
    [...received.values()].reduce((sum, length) => sum + length, 0),
    bytes,
  );
});

t.test('coming back is refused when the session has a connection or is unknown', async (t) => {
  const server = await startServer(t);
  const client = await ExecServerClient.open(server);
  const other = await server.wire();
  t.same(refusal(await other.request('initialize', { clientName: 'x', resumeSessionId: client.sessionId })), [
    -32010,
    `session ${client.sessionId} is already attached to another connection`,
  ]);
  t.same(refusal(await other.request('initialize', { clientName: 'x', resumeSessionId: 'S' })), [
    -32600,
    'unknown session id S',
  ]);
  t.match((await other.request('initialize', { clientName: 'x', resumeSessionId: null })).result, {
    sessionId: String,
  });
});

t.test('session is unknown when another principal names it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-exec-sessions-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const secret = 'a secret of more than thirty-two bytes';
  writeFileSync(join(folder, 'secret'), secret, { mode: 0o600 });
  const flags = ['--ws-auth', 'signed-bearer-token', '--ws-shared-secret-file', join(folder, 'secret')];
  const server = await startServer(t, { flags });
  const tokenOf = (sub: string): string => signedToken({ sub, exp: Math.floor(Date.now() / 1000) + 3600 }, secret);
  const client = await ExecServerClient.open(server, { token: tokenOf('one') });
  await client.cut();
  const other = await server.wire({ token: tokenOf('two') });
  const resume = { clientName: 'x', resumeSessionId: client.sessionId };
  t.same(refusal(await other.request('initialize', resume)), [-32600, `unknown session id ${client.sessionId}`]);
  await until('the first connection has ended', async () => {
    const same = await server.wire({ token: tokenOf('one') });
    return (await same.request('initialize', resume)).error?.code !== -32010;
  });
});

t.test('session ends with its processes when nobody comes back in time', async (t) => {
  const server = await startServer(t, { flags: ['--session-keep', '1ms'] });
  const client = await ExecServerClient.open(server);
  const process = await client.start('sleep 621 & echo $!; exec sleep 622');
  await process.said('\n');
  const pid = Number(process.output());
  await client.cut();
  await until('the background process has ended', () => !isAlive(pid));
  const other = await server.wire();
  t.same(refusal(await other.request('initialize', { clientName: 'x', resumeSessionId: client.sessionId })), [
    -32600,
    `unknown session id ${client.sessionId}`,
  ]);
});

t.test('background server lives on when the process that started it is forgotten', async (t) => {
  const server = await startServer(t, { flags: ['--session-keep', '50ms'] });
  const client = await ExecServerClient.open(server);
  const process = await client.start('sleep 623 >/dev/null 2>&1 & echo $!');
  await process.closed();
  const pid = Number(process.output());
  await until('the process is forgotten', async () => {
    const { error } = await client.request('process/read', { processId: process.id });
    return error?.message === `unknown process id ${process.id}`;
  });
  t.ok(isAlive(pid));
  t.match((await client.request('process/start', startParams(process.id, 'true'))).result, { processId: process.id });
});

t.test('list of the other protocol shows dialect, key and metadata when a process runs', async (t) => {
  const server = await startServer(t);
  const client = await ExecServerClient.open(server);
  const metadata = { threadId: 'thread', toolCallId: 'call' };
  await client.start('exec sleep 624', { metadata });
  const viewer = await server.session({ experimentalApi: true });
  const { commands } = await viewer.ask('command/exec/list', { scope: 'principal', details: true });
  t.match(commands, [
    {
      key: `e.${client.sessionId}.1`,
      dialect: 'exec-server',
      metadata,
      state: 'running',
      attachments: 1,
      processId: null,
      command: ['sh', '-c', 'exec sleep 624'],
    },
  ]);
  await client.cut();
  await until('it is detached', async () => {
    const list = await viewer.ask('command/exec/list', { scope: 'principal' });
    return list.commands[0].state === 'detached';
  });
  // The command would live as long as its session.
  process.kill(commands[0].pid, 'SIGKILL');
});

t.test('client of the other protocol observes a process, and writes to it when it has taken over', async (t) => {
  const server = await startServer(t);
  const client = await ExecServerClient.open(server);
  const process = await client.start('echo ready; while read -r line; do echo got $line; done', { pipeStdin: true });
  await process.said('ready');
  const key = `e.${client.sessionId}.1`;
  const viewer = await server.session({ experimentalApi: true });
  const attach = (processId: string, params: object): Promise<WireMessage> =>
    viewer.request('command/exec/attach', { processId, key, ...params });
  const watching = attach('watch', { role: 'observer' });
  await viewer.said('watch', 'ready');
  t.match(refusal(await attach('w0', {})), [-32600, 'another connection is the writer']);
  const writing = attach('w1', { takeover: true });
  await viewer.said('w1', 'ready');
  await viewer.ask('command/exec/write', { processId: 'w1', deltaBase64: Buffer.from('human\n').toString('base64') });
  await process.said('got human');
  t.same(
    refusal(await client.request('process/write', { processId: process.id, chunk: 'YQo=', writeId: '1' })),
    [-32600, 'not the writer'],
    'while another client is the writer',
  );
  await viewer.ask('command/exec/detach', { processId: 'w1' });
  t.match(refusal(await writing), [-32600]);
  t.same(await process.write('agent\n', '2'), { status: 'accepted' });
  await viewer.said('watch', 'got agent');
  await process.terminate();
  t.match((await watching).result, { exitCode: 137 });
  await process.closed();
  t.ok(isGapFree(process.events.map(({ seq }) => seq)));
});

t.test('start is refused when the session has as many processes as a connection may have', async (t) => {
  const server = await startServer(t, { flags: ['--max-processes-per-connection', '1'] });
  const client = await ExecServerClient.open(server);
  const process = await client.start('exec sleep 625');
  t.match(refusal(await client.request('process/start', startParams('more', 'true'))), [-32001]);
  await process.terminate();
  await process.closed();
  t.match((await client.request('process/start', startParams('more', 'true'))).result, { processId: 'more' });
});

t.test('sandbox is enforced when the server can do that exactly, and refused when it cannot', async (t) => {
  // A thread that enforces a sandbox is kept for the next one.
  const server = await startServer(t, { warm: false });
  const client = await ExecServerClient.open(server);
  const root = { path: { type: 'special', value: { kind: 'root' } }, access: 'read' };
  const sandboxOf = (entries: object[], network = 'restricted'): object => ({
    permissions: { type: 'managed', file_system: { type: 'restricted', entries }, network },
    workspaceRoots: ['file:///tmp'],
  });
  const start = (sandbox: object): Promise<WireMessage> =>
    client.request('process/start', { ...startParams(`s${Math.random()}`, 'echo x > /tmp/never-written'), sandbox });
  const readOnly = await start(sandboxOf([root]));
  if (readOnly.error === undefined) t.match(readOnly.result, { sandboxType: 'linuxSeccomp' });
  else t.match(refusal(readOnly), [-32602, /sandbox/], 'a host without sandboxes refuses');
  t.match(refusal(await start(sandboxOf([]))), [-32602, /may not read everything/]);
  t.match(refusal(await start(sandboxOf([{ ...root, access: 'write' }]))), [-32602, /write access to root/]);
  t.match(refusal(await start({ permissions: { type: 'disabled' } })), [-32602]);
});
