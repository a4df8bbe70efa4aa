// Shows the protocol of the exec-server over a real socket, with real programs: which connection speaks it, processes and the order of their events, input,
// environments, refusals. Sessions that come back are in exec-server-sessions.test.ts.
// Long because it is a protocol of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { comeBack, ExecServerClient, startParams } from '../support/exec-server-client.js';
import { isAlive } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import type { WireMessage } from '../support/wire-client.js';

const server = await startServer(t, {
  env: { FROM_SERVER: 'inherited', MY_TOKEN: 'secret', EXECWIRE_LOG_LEVEL: 'info' },
});
const client = await ExecServerClient.open(server);
const folder = mkdtempSync(join(tmpdir(), 'execwire-exec-server-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const refusal = ({ error }: WireMessage): unknown[] => [error?.code, error?.message];
const isGapFree = (seqs: readonly number[]): boolean => seqs.every((seq, index) => seq === index + 1);

t.test('connection speaks one protocol when its initialize has named it', async (t) => {
  const both = await server.wire();
  t.match(
    refusal(await both.request('initialize', { clientInfo: { name: 'a', version: '1' }, clientName: 'e' })),
    [-32602, /clientInfo.*clientName/],
    'both',
  );
  t.match(refusal(await both.request('initialize', {})), [-32602, /clientInfo/], 'neither');
  t.same(refusal(await both.request('process/read', { processId: 'x' })), [-32600, 'Not initialized'], 'none yet');
  t.match((await both.request('initialize', { clientName: 'e' })).result, { sessionId: String }, 'then one of them');
  t.same(refusal(await both.request('command/exec', { command: ['true'] })), [
    -32600,
    'client must send initialized before using exec methods',
  ]);
  both.send({ method: 'initialized' });
  t.match(refusal(await both.request('command/exec', { command: ['true'] })), [-32601], 'no method of the other');
  t.match(refusal(await both.request('http/request', {})), [-32601]);
  t.same(refusal(await both.request('initialize', { clientName: 'e' })), [
    -32600,
    'initialize may only be sent once per connection',
  ]);
  const other = await server.session({ experimentalApi: true });
  t.match(
    refusal(await other.request('process/start', startParams('p', 'true'))),
    [-32601],
    'and the other protocol has no method of this one',
  );
});

t.test('request is refused when initialized has not come yet, and served after it', async (t) => {
  const peer = await server.wire();
  await peer.ask('initialize', { clientName: 'e' });
  const tooEarly = [-32600, 'client must send initialized before using exec methods'];
  t.same(refusal(await peer.request('process/start', startParams('p', 'true'))), tooEarly);
  t.same(refusal(await peer.request('environment/info')), tooEarly);
  peer.send({ method: 'initialized', params: {} });
  t.match((await peer.request('process/start', startParams('p', 'true'))).result, { processId: 'p' });
  peer.send({ method: 'unknown/notification' });
  t.match((await peer.request('environment/status')).result, { status: 'ready' }, 'an unknown notification is ignored');
});

t.test('environment is described as the reference does when a client asks for it', async (t) => {
  t.match(client.environmentInfo, {
    shell: { name: String, path: /^\// },
    executorVersion: String,
    cwd: /^file:\/\/\//,
    userHomeDir: /^file:\/\/\//,
    platformOs: process.platform === 'darwin' ? 'macos' : 'linux',
    tempDir: /^file:\/\/\//,
    capabilities: { environmentConfigRead: true },
  });
  t.same(await client.ask('environment/info'), client.environmentInfo);
  t.match(await client.ask('environmentConfig/read', { cwd: 'file:///tmp', configPaths: [['mcp_servers']] }), {
    config: { layers: [], cloudInsertionIndex: 0 },
    requirements: { layers: [], cloudInsertionIndex: 0 },
  });
});

t.test('events of a process have one sequence without a gap when it writes to both streams', async (t) => {
  const process = await client.start('for i in 1 2 3; do echo o$i; echo e$i >&2; sleep 0.01; done; exit 7');
  await process.closed();
  const { events } = process;
  t.ok(isGapFree(events.map(({ seq }) => seq)), JSON.stringify(events.map(({ seq }) => seq)));
  t.equal(process.output('stdout'), 'o1\no2\no3\n');
  t.equal(process.output('stderr'), 'e1\ne2\ne3\n');
  t.equal(events.at(-1)?.kind, 'closed');
  const exited = client.peer.messages.find(
    ({ method, params }) => method === 'process/exited' && params.processId === process.id,
  );
  t.match(exited?.params, { exitCode: 7, sandboxDenied: false });
  t.same(await process.terminate(), { running: false }, 'the client releases an ended process so');
});

t.test('reply to a start comes before all notifications of its process', async (t) => {
  const before = client.peer.messages.length;
  const process = await client.start('echo at once');
  await process.closed();
  const [first] = client.peer.messages.slice(before);
  t.match(first, { result: { processId: process.id, sandboxType: 'none' } });
});

t.test('output comes whole when a process writes much', async (t) => {
  const bytes = 3 * 1024 * 1024;
  const process = await client.start(`head -c ${bytes} /dev/zero`);
  await process.closed();
  t.equal(
    process.events.reduce((sum, event) => sum + event.bytes.length, 0),
    bytes,
  );
});

t.test('close waits, and the exit does not, when a background process holds the output', async (t) => {
  const process = await client.start('(read -r line < /dev/fd/3; echo late) 3<"$FIFO" & echo early', {
    env: { PATH: '/usr/bin:/bin', FIFO: join(folder, 'fifo') },
    argv: ['sh', '-c', 'rm -f "$FIFO"; mkfifo "$FIFO"; (read -r line <"$FIFO"; echo late) & echo early'],
  });
  await process.event('exited');
  t.notOk(process.events.some(({ kind }) => kind === 'closed'));
  t.match(await process.read(), { exited: true, exitCode: 0, closed: false });
  t.same(await process.terminate(), { running: false }, 'the ended process is not running');
  const other = await client.start('echo go >"$FIFO"', { env: { PATH: '/usr/bin:/bin', FIFO: join(folder, 'fifo') } });
  await other.closed();
  await process.closed();
  t.match(process.output(), /early\n(.|\n)*late\n/, 'the background process was neither killed nor cut');
  t.ok(isGapFree(process.events.map(({ seq }) => seq)));
});

t.test('background server lives on when its command was released and its connection is cut', async (t) => {
  const own = await ExecServerClient.open(server);
  const detached = await own.start('sleep 611 >/dev/null 2>&1 & echo $!');
  await detached.closed();
  const pid = Number(detached.output());
  t.same(await detached.terminate(), { running: false });
  const holding = await own.start('sleep 612 & echo $!');
  await holding.event('exited');
  await holding.said('\n');
  const holder = Number(holding.output());
  const next = await own.start(`kill -0 ${pid} ${holder} && echo both`);
  await next.closed();
  t.equal(next.output(), 'both\n');
  await own.cut();
  const again = await comeBack(server, own);
  t.ok(isAlive(pid) && isAlive(holder), 'they run without a connection');
  await again.start(`kill ${pid} ${holder}`);
  await until('the background processes have ended', () => !isAlive(pid) && !isAlive(holder));
});

t.test('process takes input and ^C, and writes to one stream, when it has a terminal', async (t) => {
  const process = await client.start('stty size; read -r line; echo got $line; exec sleep 600', { tty: true });
  await process.said('24 80');
  t.same(await process.write('typed\n', '1'), { status: 'accepted' });
  await process.said('got typed');
  t.same(await process.write('\x03', '2'), { status: 'accepted' });
  await process.closed();
  t.ok(process.events.filter(({ kind }) => kind === 'output').every(({ stream }) => stream === 'pty'));
  t.match(await process.read(), { exited: true, exitCode: 130, closed: true });
});

t.test('interrupt reaches a process when it has no terminal, and is no error when it is unknown', async (t) => {
  const process = await client.start('trap "echo caught; exit 3" INT; echo ready; while :; do sleep 0.05; done');
  await process.said('ready');
  t.same(await client.ask('process/signal', { processId: process.id, signal: 'interrupt' }), {});
  t.match(await process.event('exited'), { exitCode: 3 });
  t.same(await client.ask('process/signal', { processId: process.id, signal: 'interrupt' }), {});
  t.same(await client.ask('process/signal', { processId: 'nobody', signal: 'interrupt' }), {});
  t.match(refusal(await client.request('process/signal', { processId: process.id, signal: 'SIGTERM' })), [-32602]);
});

t.test('terminate says whether the process ran, also when it is unknown', async (t) => {
  const process = await client.start('sleep 600');
  t.same(await process.terminate(), { running: true });
  t.match(await process.event('exited'), { exitCode: 137 });
  await process.closed();
  t.same(await process.terminate(), { running: false });
  t.same(await client.ask('process/terminate', { processId: 'nobody' }), { running: false });
});

t.test('input is written once when its name comes twice, and refused when it is too late', async (t) => {
  const process = await client.start('cat', { pipeStdin: true });
  t.same(await process.write('one\n', '1'), { status: 'accepted' });
  t.same(await process.write('one\n', '1'), { status: 'accepted' }, 'the same name again');
  t.same(await process.write('', '2'), { status: 'accepted' });
  t.same(await process.write('two\n', '3'), { status: 'accepted' });
  await process.said('two');
  t.equal(process.output(), 'one\ntwo\n');
  await process.terminate();
  await process.closed();
  t.same(refusal(await client.request('process/write', { processId: process.id, chunk: 'YQ==', writeId: '4' })), [
    -32603,
    'failed to write to process stdin',
  ]);
  const without = await client.start('true');
  t.same(await without.write('a', '1'), { status: 'stdinClosed' });
  const unknown = { processId: 'nobody', chunk: '', writeId: '1' };
  t.same(await client.ask('process/write', unknown), { status: 'unknownProcess' });
  t.match(refusal(await client.request('process/write', { ...unknown, chunk: '?' })), [-32602]);
});

t.test('other requests are answered when input is not read', async (t) => {
  const process = await client.start('sleep 600', { pipeStdin: true });
  const chunk = Buffer.alloc(512 * 1024).toString('base64');
  const writes = Array.from({ length: 80 }, (_, index) =>
    client.request('process/write', { processId: process.id, chunk, writeId: String(index) }),
  );
  t.same(await client.ask('environment/status'), { status: 'ready' });
  t.same(await process.terminate(), { running: true });
  await process.closed();
  for (const write of writes) {
    const { result, error } = await write;
    t.ok(result?.status === 'accepted' || error?.code === -32603 || error?.code === -32001);
  }
});

t.test('read gives what is kept, and waits when nothing is new', async (t) => {
  const process = await client.start('echo 1; read -r line; echo 2; exit 7', { pipeStdin: true });
  await process.said('1');
  t.match(await process.read(), { chunks: [{ seq: 1, stream: 'stdout', chunk: 'MQo=' }], nextSeq: 2, exited: false });
  const waiting = process.read({ afterSeq: 1, waitMs: 600_000 });
  await process.write('\n', '1');
  const news = await waiting;
  t.ok(news.nextSeq > 2, JSON.stringify(news));
  await process.closed();
  const all = await process.read();
  t.match(all, { nextSeq: 5, exited: true, exitCode: 7, closed: true, failure: null, sandboxDenied: false });
  t.equal(all.chunks.length, 2);
  t.match(await process.read({ maxBytes: 1 }), { chunks: [{ seq: 1 }], nextSeq: 2 }, 'one chunk always comes');
  t.match(await process.read({ afterSeq: 99, waitMs: 600_000 }), { chunks: [], closed: true }, 'nothing more comes');
  t.same(refusal(await client.request('process/read', { processId: 'nobody' })), [-32600, 'unknown process id nobody']);
});

t.test('read gives the last MiB when more was written', async (t) => {
  const process = await client.start('head -c 5000000 /dev/zero; echo end');
  await process.closed();
  const { chunks, nextSeq } = await process.read();
  const kept = chunks.reduce(
    (sum: number, { chunk }: { chunk: string }) => sum + Buffer.from(chunk, 'base64').length,
    0,
  );
  t.ok(kept > 1_000_000 - 65_536 && kept <= 1_200_000, `${kept} bytes`);
  t.equal(chunks.at(-1).seq, process.events.filter(({ kind }) => kind === 'output').at(-1)?.seq);
  t.equal(nextSeq, (process.events.at(-1)?.seq ?? 0) + 1);
});

t.test('environment is nothing but env when no policy is given', async (t) => {
  const process = await client.start('env | sed "s/=.*//" | sort', { env: { PATH: '/usr/bin:/bin', ONE: '1' } });
  await process.closed();
  const names = process.output().split('\n');
  for (const name of ['FROM_SERVER', 'HOME', 'MY_TOKEN', 'TERM']) t.notOk(names.includes(name), name);
  t.ok(names.includes('ONE'));
});

t.test('environment is inherited as its policy says, without variables of the server, when it has one', async (t) => {
  const policy = { inherit: 'all', ignoreDefaultExcludes: true, exclude: [], set: {}, includeOnly: [] };
  const linesOf = async (envPolicy: object, env: object): Promise<string[]> => {
    const process = await client.start('env', { envPolicy: { ...policy, ...envPolicy }, env });
    await process.closed();
    return process.output().split('\n');
  };
  const all = await linesOf({}, { OVER: '1' });
  for (const line of ['FROM_SERVER=inherited', 'MY_TOKEN=secret', 'OVER=1']) t.ok(all.includes(line), line);
  t.ok(
    all.some((line) => line.startsWith('PATH=')),
    'PATH survives',
  );
  t.notOk(
    all.some((line) => line.startsWith('EXECWIRE_LOG_LEVEL=')),
    'a variable of the server itself',
  );
  const careful = await linesOf({ ignoreDefaultExcludes: false, exclude: ['from_*'], set: { MONKEY: '1' } }, {});
  t.notOk(careful.some((line) => /^(MY_TOKEN|FROM_SERVER)=/.test(line)));
  t.ok(careful.includes('MONKEY=1'), 'what is set is not excluded');
  const none = await linesOf(
    { inherit: 'none', set: { KEEP: '1', DROP: '2' }, includeOnly: ['k*'] },
    { PATH: '/usr/bin:/bin' },
  );
  t.ok(none.includes('KEEP=1') && !none.includes('DROP=2'));
});

t.test('program sees arg0 as its name when it is given', async (t) => {
  const process = await client.start('', { argv: ['sh', '-c', 'tr "\\0" " " < /proc/$$/cmdline'], arg0: 'zero' });
  await process.closed();
  t.match(process.output(), /^zero -c /);
});

t.test('starts are refused with the codes of the reference when they are wrong', async (t) => {
  const refused = async (params: object): Promise<unknown[]> =>
    refusal(await client.request('process/start', { ...startParams('wrong', 'true'), ...params }));
  t.same(await refused({ argv: [] }), [-32602, 'argv must not be empty']);
  t.match(await refused({ cwd: '/tmp' }), [-32602, /invalid URI: relative URL without a base/]);
  t.match(await refused({ cwd: 'http://x/' }), [-32602, /unsupported path URI scheme `http`/]);
  t.match(await refused({ cwd: 'file://host/tmp' }), [-32602]);
  t.match(await refused({ cwd: 'file:///tmp?q' }), [-32602, /query/]);
  t.match(await refused({ cwd: 'file:///no/such/folder' }), [-32603]);
  t.match(await refused({ argv: ['/no/such/program'] }), [-32603]);
  t.match(await refused({ env: { A: null } }), [-32602]);
  t.match(await refused({ envPolicy: { inherit: 'all' } }), [-32602]);
  t.match(await refused({ networkProxy: {} }), [-32602, /networkProxy is not supported/]);
  t.match(await refused({ shellSnapshot: {} }), [-32602, /shellSnapshot is not supported/]);
  t.match(
    (await client.request('process/start', { ...startParams('wrong', 'true'), cwd: 'file:///tmp/%2e%2e/tmp' })).result,
    {
      processId: 'wrong',
    },
  );
  t.same(await refused({}), [-32600, 'process wrong already exists']);
});

t.test('name is free again when its process could not be started', async (t) => {
  const params = startParams('again', 'true');
  t.match(refusal(await client.request('process/start', { ...params, argv: ['/no/such/program'] })), [-32603]);
  t.match((await client.request('process/start', params)).result, { processId: 'again' });
});

t.test('requests for a process are answered when they come right after its start', async (t) => {
  const start = client.request('process/start', { ...startParams('quick', 'cat'), pipeStdin: true });
  const read = client.request('process/read', { processId: 'quick' });
  const write = client.request('process/write', { processId: 'quick', chunk: 'YQ==', writeId: '1' });
  t.match((await start).result, { processId: 'quick' });
  t.match([(await read).error?.message ?? 'process id quick is starting'], ['process id quick is starting']);
  t.match((await write).result?.status, /accepted|starting/);
  await client.ask('process/terminate', { processId: 'quick' });
});

t.test('process waits, and nothing is lost, when its client reads slowly', async (t) => {
  const own = await ExecServerClient.open(server);
  const bytes = 20 * 1024 * 1024;
  own.peer.forgetsMessages = true;
  let received = 0;
  const seqs: number[] = [];
  own.peer.onMessage = ({ method, params }) => {
    if (method === 'process/output') received += Buffer.from(params.chunk, 'base64').length;
    if (method?.startsWith('process/')) seqs.push(params.seq);
  };
  const closed = own.peer.message(({ method }) => method === 'process/closed');
  await own.ask('process/start', startParams('much', `head -c ${bytes} /dev/zero`));
  own.peer.ws.pause();
  await until('the process waits', async () => {
    const { commands } = await lister.ask('command/exec/list', { scope: 'principal', details: true });
    const row = commands.find(
      ({ metadata, command }: { metadata: unknown; command: string[] }) =>
        metadata === null && command.includes(`head -c ${bytes} /dev/zero`),
    );
    return row.bytesOut > 0 && row.bytesOut < bytes;
  });
  own.peer.ws.resume();
  await closed;
  t.equal(received, bytes);
  t.ok(isGapFree(seqs));
});

const lister = await server.session({ experimentalApi: true });
