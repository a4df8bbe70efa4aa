// Shows `process/spawn` and the requests that belong to it over a real socket, with real programs: the reply at the start, the end as a notification, and what a drain does.
import { tmpdir } from 'node:os';
import t, { type Test } from 'tap';
import { isAlive } from '../support/process-table.js';
import { startServer, type TestServer } from '../support/server.js';
import { until } from '../support/until.js';
import type { WireClient, WireMessage } from '../support/wire-client.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const sh = (script: string): { command: string[] } => ({ command: ['sh', '-c', script] });
const server = await startServer(t);
const client = await server.session({ experimentalApi: true });
const CLEAN = { code: 0, signal: null };
let count = 0;

/** A spawned process of one test. */
class Spawned {
  readonly processHandle: string;
  readonly peer: WireClient;

  constructor(peer: WireClient) {
    count += 1;
    this.processHandle = `h${count}`;
    this.peer = peer;
  }

  spawn(params: object): Promise<WireMessage> {
    return this.peer.request('process/spawn', { processHandle: this.processHandle, cwd: tmpdir(), ...params });
  }

  ask(verb: string, params: object = {}): Promise<WireMessage> {
    return this.peer.request(`process/${verb}`, { processHandle: this.processHandle, ...params });
  }

  async exited(): Promise<Record<string, unknown>> {
    const { params } = await this.peer.message(
      ({ method, params }) => method === 'process/exited' && params.processHandle === this.processHandle,
    );
    return params;
  }

  output(stream?: string): string {
    const pieces = this.peer.messages.filter(
      ({ method, params }) =>
        method === 'process/outputDelta' &&
        params.processHandle === this.processHandle &&
        (stream === undefined || params.stream === stream),
    );
    return Buffer.concat(pieces.map(({ params }) => Buffer.from(params.deltaBase64, 'base64'))).toString();
  }

  said(text: string): Promise<WireMessage> {
    return this.peer.message(() => this.output().includes(text));
  }
}

/** Spawns a process without a bound on its time, because a busy machine may take longer than the default. */
const started = async (params: object, peer = client): Promise<Spawned> => {
  const process = new Spawned(peer);
  const { error } = await process.spawn({ timeoutMs: null, ...params });
  if (error !== undefined) throw new Error(error.message);
  return process;
};

/** A refusal as code and text. */
const refusal = ({ error }: WireMessage): unknown[] => [error?.code, error?.message];

t.test('spawn is answered at the start, and the end has the output, when it is not streamed', async (t) => {
  const process = new Spawned(client);
  t.same((await process.spawn(sh('echo out; echo err >&2; exit 3'))).result, {});
  t.same(await process.exited(), {
    processHandle: process.processHandle,
    exitCode: 3,
    stdout: 'out\n',
    stdoutCapReached: false,
    stderr: 'err\n',
    stderrCapReached: false,
    outputDrainTimedOut: false,
  });
});

t.test('spawned process sends its output before its end when it is streamed', async (t) => {
  const process = await started({ ...sh('cat; echo err >&2'), streamStdin: true, streamStdoutStderr: true });
  t.same((await process.ask('writeStdin', { deltaBase64: base64('typed\n') })).result, {});
  await process.said('typed');
  t.same((await process.ask('writeStdin', { deltaBase64: base64('more'), closeStdin: true })).result, {});
  t.match(await process.exited(), { exitCode: 0, stdout: '', stderr: '' });
  t.equal(process.output('stdout'), 'typed\nmore');
  t.equal(process.output('stderr'), 'err\n');
  const order = client.messages.filter(({ params }) => params?.processHandle === process.processHandle);
  t.equal(order.at(-1)?.method, 'process/exited');
});

t.test('spawned process can be resized and killed when it has a terminal', async (t) => {
  const process = await started({
    ...sh('trap "stty size" WINCH; echo ready; while :; do read line || :; done'),
    tty: true,
    size: { rows: 5, cols: 6 },
  });
  await process.said('ready');
  t.same((await process.ask('resizePty', { size: { rows: 7, cols: 8 } })).result, {});
  t.same((await process.ask('writeStdin', { deltaBase64: base64('\n') })).result, {});
  await process.said('7 8');
  t.same((await process.ask('kill')).result, {});
  t.match(await process.exited(), { exitCode: 137 });
});

t.test('bound of output and time is the default when it is absent, and there is none when it is null', async (t) => {
  const capped = await started({ ...sh('head -c 2000000 /dev/zero'), timeoutMs: null });
  t.match(await capped.exited(), { stdoutCapReached: true, stderrCapReached: false });
  const whole = await started({ ...sh('head -c 2000000 /dev/zero'), outputBytesCap: null, timeoutMs: null });
  const { stdout, stdoutCapReached } = await whole.exited();
  t.equal(String(stdout).length, 2_000_000);
  t.equal(stdoutCapReached, false);
  const exact = await started({ ...sh('printf 1234567'), outputBytesCap: 4 });
  t.match(await exact.exited(), { stdout: '1234', stdoutCapReached: true });
  const late = await started({ ...sh('sleep 600'), timeoutMs: 1 });
  t.match(await late.exited(), { exitCode: 124 });
});

t.test('output beyond the cap is not sent and the last delta says so when it is streamed', async (t) => {
  const process = await started({ ...sh('printf 1234567'), outputBytesCap: 4, streamStdoutStderr: true });
  t.match(await process.exited(), { stdout: '', stdoutCapReached: true });
  t.equal(process.output(), '1234');
  const deltas = client.messages.filter(
    ({ method, params }) => method === 'process/outputDelta' && params.processHandle === process.processHandle,
  );
  t.equal(deltas.at(-1)?.params.capReached, true);
});

t.test('end says that the output was cut when a background process holds it', async (t) => {
  const process = await started(sh('sleep 600 & echo done'));
  t.match(await process.exited(), { exitCode: 0, stdout: 'done\n', outputDrainTimedOut: true });
});

t.test('handle is taken while its process runs and free after its end', async (t) => {
  const process = await started({ ...sh('cat'), streamStdin: true });
  t.same(refusal(await process.spawn(sh('true'))), [
    -32600,
    `duplicate active process handle: "${process.processHandle}"`,
  ]);
  await process.ask('writeStdin', { closeStdin: true });
  await process.exited();
  t.same((await process.spawn(sh('true'))).result, {});
  await client.message(
    () => client.messages.filter(({ params }) => params?.processHandle === process.processHandle).length === 2,
  );
});

t.test('handle and processId are names of their own when both are the same text', async (t) => {
  const process = await started({ ...sh('cat'), streamStdin: true });
  const reply = client.exec(['cat'], { processId: process.processHandle, streamStdin: true });
  t.same(refusal(await client.request('process/kill', { processHandle: 'none' })), [
    -32600,
    'no active process for process handle "none"',
  ]);
  await client.ask('command/exec/write', { processId: process.processHandle, closeStdin: true });
  t.match((await reply).result, { exitCode: 0 });
  await process.ask('kill');
  t.match(await process.exited(), { exitCode: 137 });
});

t.test('requests about processes are refused in the words of the reference when they are wrong', async (t) => {
  const process = new Spawned(client);
  const refusedStart = async (params: object): Promise<unknown[]> => refusal(await process.spawn(params));
  t.same(await refusedStart({ ...sh('true'), processHandle: '' }), [-32600, 'processHandle must not be empty']);
  t.match(await refusedStart({ ...sh('true'), cwd: 'relative' }), [-32600, /^Invalid request: /]);
  t.same(await refusedStart({ command: [] }), [-32600, 'command must not be empty']);
  t.same(await refusedStart({ ...sh('true'), size: { rows: 1, cols: 1 } }), [
    -32602,
    'process/spawn size requires tty: true',
  ]);
  t.same(await refusedStart({ ...sh('true'), tty: true, size: { rows: 0, cols: 1 } }), [
    -32602,
    'process size rows and cols must be greater than 0',
  ]);
  t.same(await refusedStart({ ...sh('true'), timeoutMs: -1 }), [
    -32602,
    'process/spawn timeoutMs must be non-negative, got -1',
  ]);
  t.match(await refusedStart({ command: ['/no/such/program'] }), [-32603, /^failed to spawn process: /]);
  const silent = await started({ ...sh('sleep 600'), timeoutMs: null });
  t.same(refusal(await silent.ask('writeStdin', { deltaBase64: base64('x') })), [
    -32600,
    'stdin streaming is not enabled for this process',
  ]);
  t.same(refusal(await silent.ask('writeStdin')), [-32602, 'process/writeStdin requires deltaBase64 or closeStdin']);
  t.match(refusal(await silent.ask('writeStdin', { deltaBase64: '?' })), [-32602, /^invalid deltaBase64: /]);
  t.match(refusal(await silent.ask('resizePty', { size: { rows: 1, cols: 1 } })), [-32600, /not attached to a PTY/]);
  await silent.ask('kill');
  await silent.exited();
});

t.test('spawn is refused when the client lacks the experimental capability', async (t) => {
  const stable = await server.session();
  t.same(refusal(await new Spawned(stable).spawn(sh('true'))), [
    -32600,
    'process/spawn requires experimentalApi capability',
  ]);
});

t.test('list shows the dialect and no processId when a process was spawned', async (t) => {
  const process = await started({ ...sh('cat'), streamStdin: true, timeoutMs: null });
  const { commands } = await client.ask('command/exec/list', { details: true });
  t.match(commands, [{ processId: null, dialect: 'process/spawn', command: ['sh', '-c', 'cat'], cwd: tmpdir() }]);
  await process.ask('kill');
  await process.exited();
});

t.test('spawned process and its background children end when the connection does', async (t) => {
  const other = await server.session({ experimentalApi: true });
  const process = await started(
    { ...sh('sleep 601 & echo $!; wait'), streamStdoutStderr: true, timeoutMs: null },
    other,
  );
  await process.said('\n');
  const pid = Number(process.output());
  t.ok(isAlive(pid));
  await other.close();
  await until('the child has ended', () => !isAlive(pid));
});

/** A server and a spawned process that waits for its input. */
async function waitingProcess(
  t: Test,
  flags: string[],
): Promise<{ own: TestServer; process: Spawned; peer: WireClient }> {
  const own = await startServer(t, { flags });
  const peer = await own.session({ experimentalApi: true });
  const process = await started(
    { ...sh('echo ready; cat'), streamStdin: true, streamStdoutStderr: true, timeoutMs: null },
    peer,
  );
  await process.said('ready');
  own.signal('SIGTERM');
  await peer.notified('server/draining');
  return { own, process, peer };
}

t.test('drain refuses another process, and waits, when a spawned one runs', async (t) => {
  const { own, process, peer } = await waitingProcess(t, ['--drain-timeout', '10m']);
  t.match(refusal(await new Spawned(peer).spawn(sh('true'))), [-32004]);
  await process.ask('writeStdin', { deltaBase64: base64('last'), closeStdin: true });
  t.match(await process.exited(), { exitCode: 0 });
  t.match(process.output(), /last$/);
  t.equal(await peer.closed, 1001);
  t.same(await own.exited, CLEAN);
});

t.test('end of a spawned process is told when the deadline of a drain ends it', async (t) => {
  const { own, process, peer } = await waitingProcess(t, ['--drain-timeout', '1ms', '--kill-grace', '10m']);
  t.match(await process.exited(), { exitCode: 143 });
  t.equal(await peer.closed, 1012);
  t.same(await own.exited, CLEAN);
});
