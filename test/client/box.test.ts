// Shows the client against the built server: results, failures, streams, input, terminals, and what `close` ends.
// Long because it is the whole of a box with one server.
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import t from 'tap';
import {
  type Box,
  ConnectError,
  connect,
  ExecError,
  LostError,
  RpcError,
  UnknownOutcomeError,
} from '../../client/src/node.js';
import { VERSION } from '../../client/src/version.js';
import { isAlive } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import { breakingSource } from './breaking-source.js';
import { failureOf } from './fake-box.js';

const server = await startServer(t);
// Teardowns run last to first, so the boxes are closed before the server is checked for connections that were left.
t.teardown(() => Promise.all(open.map((each) => each.close())));
const open: Box[] = [];

async function newBox(options: Parameters<typeof connect>[1] = {}): Promise<Box> {
  const box = await connect(server.url, { name: 'test', ...options });
  open.push(box);
  return box;
}

const box = await newBox();

t.test('exec resolves to the whole result when the command ends well', async (t) => {
  const result = await box.exec(['sh', '-c', 'pwd; echo $NAME >&2'], { cwd: '/', env: { NAME: 'value' }, all: true });
  t.match(result, { exitCode: 0, signal: undefined, timedOut: false, stdout: '/', stderr: 'value', cause: 'exited' });
  t.same(result.truncated, { stdout: 0, stderr: 0 });
  t.match(result.all, /value/);
  t.ok(result.durationMs >= 0);
  t.same(result.command, ['sh', '-c', 'pwd; echo $NAME >&2']);
});

t.test('exec rejects with ExecError when the command fails, and resolves when reject is false', async (t) => {
  const script = ['sh', '-c', 'echo out; echo nope >&2; exit 3'];
  const error = await failureOf(box.exec(script));
  t.ok(error instanceof ExecError);
  t.match(error, {
    exitCode: 3,
    stdout: 'out',
    stderr: 'nope',
    cause: 'exited',
    aborted: false,
    message: /exit code 3: sh -c/,
  });
  t.match(await box.exec(script, { reject: false }), { exitCode: 3, stdout: 'out' });
});

t.test('exec rejects with RpcError when the server refuses the request, also with reject: false', async (t) => {
  for (const reject of [true, false]) {
    const error = await failureOf(box.exec(['/no/such/program'], { reject }));
    t.ok(error instanceof RpcError);
    t.match(error, { reason: 'spawnFailed', data: { errno: 'ENOENT' } });
  }
  t.throws(() => box.exec('ls -l' as never), /one array; did you mean exec\(\["sh","-c","ls -l"\]\)\?$/);
});

t.test('error has the output so far when a timeout, a signal or an abort ends the command', async (t) => {
  const script = ['sh', '-c', 'echo before; exec sleep 600'];
  t.match(await failureOf(box.exec(script, { timeout: 50 })), {
    timedOut: true,
    cause: 'timeout',
    stdout: /^(before)?$/,
  });
  const killed = box.exec(script);
  await killed.waitFor('before');
  await killed.kill('SIGKILL');
  t.match(await failureOf(killed), { signal: 'SIGKILL', cause: 'terminated', stdout: 'before' });
  await killed.kill();
  const aborter = new AbortController();
  const aborted = box.exec(script, { signal: aborter.signal });
  await aborted.waitFor('before');
  aborter.abort();
  t.match(await failureOf(aborted), { aborted: true, cause: 'terminated', signal: 'SIGTERM', stdout: 'before' });
  t.match(await failureOf(box.exec(script, { signal: AbortSignal.abort() })), {
    aborted: true,
    cause: 'terminated',
    exitCode: undefined,
  });
  const own = await box.exec(['sh', '-c', 'kill -HUP $$'], { reject: false });
  t.match(own, { signal: 'SIGHUP', cause: 'signal' });
});

t.test('abort ends a command that ignores SIGTERM with SIGKILL when forceKillAfter has passed', async (t) => {
  const aborter = new AbortController();
  const script = ['sh', '-c', "trap '' TERM; echo ready; while :; do sleep 0.05; done"];
  const run = box.exec(script, { signal: aborter.signal, forceKillAfter: 50 });
  await run.waitFor('ready');
  aborter.abort();
  t.match(await failureOf(run), { aborted: true, signal: 'SIGKILL' });
});

t.test('lines come whole, and the loop throws after the last line when the command fails', async (t) => {
  const run = box.exec(['sh', '-c', 'printf "one\\r\\ntwo€\\nthree"; exit 5']);
  const lines: string[] = [];
  const read = async (): Promise<void> => {
    for await (const line of run.lines()) lines.push(line);
  };
  t.match(await failureOf(read()), { exitCode: 5 });
  t.same(lines, ['one', 'two€', 'three']);
});

t.test(
  'reader that starts late gets the output from its beginning, and a reader that stops early holds up no other',
  async (t) => {
    const run = box.exec(['sh', '-c', 'echo first; cat; echo last'], { stdin: 'pipe' });
    await run.waitFor('first');
    for await (const line of run.lines()) {
      t.equal(line, 'first');
      break;
    }
    await run.end();
    const bytes: Uint8Array[] = [];
    for await (const piece of run.stdout) bytes.push(piece);
    t.equal(Buffer.concat(bytes).toString(), 'first\nlast\n');
    t.equal((await run).stdout, 'first\nlast');
  },
);

t.test('input of every kind arrives whole, and stdin is closed at its end', async (t) => {
  const web = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('we'));
      controller.enqueue(new TextEncoder().encode('b'));
      controller.close();
    },
  });
  const inputs = {
    text: 'text',
    bytes: new TextEncoder().encode('bytes'),
    array: ['ar', 'ray'],
    node: Readable.from(['no', 'de']),
    web,
    generator: (async function* () {
      yield 'gener';
      yield new TextEncoder().encode('ator');
    })(),
  };
  for (const [name, input] of Object.entries(inputs)) t.equal((await box.exec(['cat'], { input })).stdout, name);
  t.equal((await box.exec(['cat'])).stdout, '', 'without the option, the input has ended');
});

t.test('input of 13 MB is sent in messages that the server accepts, and the connection stays open', async (t) => {
  const input = new Uint8Array(13_000_000).fill(0x61);
  t.equal((await box.exec(['wc', '-c'], { input })).stdout, '13000000');
  const run = box.exec(['wc', '-c'], { stdin: 'pipe' });
  await run.write(input);
  await run.end();
  t.equal((await run).stdout, '13000000');
});

t.test('generator that is an endless input is stopped when the command reads no more', async (t) => {
  let wasStopped = false;
  const endless = (async function* () {
    try {
      for (;;) yield 'abcdef'.repeat(1000);
    } finally {
      wasStopped = true;
    }
  })();
  t.equal((await box.exec(['head', '-c', '3'], { input: endless })).stdout, 'abc');
  await until('the generator is stopped', () => wasStopped);
});

t.test('command is terminated, and its error has the cause, when its input throws', async (t) => {
  const { input, breakNow } = breakingSource();
  const run = box.exec(['cat'], { input });
  await run.waitFor('a');
  breakNow();
  const error = await failureOf(run);
  t.ok(error instanceof ExecError);
  t.match(error, { cause: { message: 'broken source' }, result: { cause: 'terminated', stdout: 'a' } });
});

t.test('maxBuffer keeps the start, or both ends and between them a line that counts the missing bytes', async (t) => {
  const seq = ['seq', '1', '1000'];
  const size = Buffer.byteLength((await box.exec(seq, { stripFinalNewline: false })).stdout);
  const start = await box.exec(seq, { maxBuffer: 10 });
  t.same([start.stdout, start.truncated], ['1\n2\n3\n4\n5', { stdout: size - 10, stderr: 0 }]);
  const ends = await box.exec(seq, { maxBuffer: { head: 10, tail: 9 } });
  t.equal(ends.stdout, `1\n2\n3\n4\n5\n[… ${size - 19} bytes left out …]\n999\n1000`);
  t.equal(ends.truncated.stdout, size - 19);
});

t.test('output is the bytes that the command wrote when encoding is bytes', async (t) => {
  const { stdout } = await box.exec(['printf', '\\377\\000\\n'], { encoding: 'bytes' });
  t.same([...stdout], [255, 0, 10]);
});

t.test('terminal has the given size, follows resize, and resolves when its exit code is not 0', async (t) => {
  const term = box.terminal(['sh'], { cols: 100, rows: 30, env: { PS1: '$ ' } });
  await term.waitFor('$ ');
  await term.write('stty size\n');
  t.equal((await term.waitFor(/\d+ \d+/)).match, '30 100');
  await term.resize({ cols: 90, rows: 20 });
  await term.write('stty size\n');
  t.equal((await term.waitFor(/\d+ \d+/)).match, '20 90');
  await term.write('exit 7\n');
  t.match(await term.result, { exitCode: 7, cause: 'exited' });
});

t.test(
  'waitFor resolves when the output is silent for a time, and rejects when the time passes or the command ends',
  async (t) => {
    const run = box.exec(['sh', '-c', 'echo something; cat'], { stdin: 'pipe' });
    t.match(await run.waitFor({ idle: 30 }), { match: '' });
    await t.rejects(run.waitFor('other', { timeout: 20 }), /20 ms have passed/);
    await run.end();
    await t.rejects(run.waitFor('never'), /the command has ended/);
    await run;
  },
);

t.test('onError gets the error and the command goes on when a listener throws', async (t) => {
  const errors: unknown[] = [];
  const other = await newBox({ onError: (error) => errors.push(error) });
  const run = other.exec(['echo', 'hi']);
  run.onOutput(() => {
    throw new Error('bad listener');
  });
  t.equal((await run).stdout, 'hi');
  t.match(errors, [{ message: 'bad listener' }]);
});

t.test('command that a program names itself gets no output of a command that the client named', async (t) => {
  const run = box.exec(['cat'], { stdin: 'pipe' });
  await run.started;
  const heard: unknown[] = [];
  const stop = box.on('command/exec/outputDelta', ({ processId }) => heard.push(processId));
  const params = { command: ['echo', 'own'], processId: 'p1', streamStdoutStderr: true };
  t.match(await box.request('command/exec', params), { exitCode: 0 });
  stop();
  t.ok(heard.includes('p1'));
  await run.end();
  t.equal((await run).stdout, '');
});

t.test('request rejects with TypeError, and the box goes on, when JSON cannot hold its params', async (t) => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  await t.rejects(box.request('command/exec', circle as never), TypeError);
  t.equal((await box.exec(['echo', 'on'])).stdout, 'on');
});

t.test('ordinary command rejects with LostError, and its process ends, when the box is closed', async (t) => {
  const other = await newBox();
  const run = other.exec(['sleep', '600']);
  const { pid } = await run.started;
  const lost = failureOf(run);
  await other.close();
  t.ok((await lost) instanceof LostError);
  await until('the process has ended', () => pid !== undefined && !isAlive(pid));
  const late = await failureOf(other.exec(['true']));
  t.ok(late instanceof UnknownOutcomeError);
  t.match(late, { wasSent: false });
  t.match(await other.exec(['true'], { reject: false }), { exitCode: undefined, cause: 'unknown' });
});

t.test('connect says in one line what happened when no server listens or the answer is no WebSocket', async (t) => {
  const refused = await failureOf(connect('ws://127.0.0.1:1'));
  t.ok(refused instanceof ConnectError);
  t.match(refused, { code: 'ECONNREFUSED', message: /^Cannot connect to ws:\/\/127\.0\.0\.1:1: ECONNREFUSED[^\n]*$/ });
  t.match(await failureOf(connect(`${server.url}/healthz`)), { status: 400, message: /is this the address/ });
  await t.rejects(connect(server.url, { name: 'no\nheader' }), /Invalid clientInfo.name/);
});

t.test('version in the code is the version of the package', (t) => {
  const manifest = readFileSync(new URL('../../client/package.json', import.meta.url), 'utf8');
  t.equal(VERSION, JSON.parse(manifest).version);
  t.end();
});

t.test('result has the error of the input when the input throws and the program exits with 0', async (t) => {
  const { input, breakNow } = breakingSource();
  const script = "trap 'echo trapped; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
  const run = box.exec(['sh', '-c', script], { input, reject: false });
  await run.waitFor('ready');
  breakNow();
  t.match(await run, {
    exitCode: 0,
    cause: 'terminated',
    stdout: 'ready\ntrapped',
    inputError: { message: 'broken source' },
  });
});

t.test('kill rejects and names the signal, and the command goes on, when there is no such signal', async (t) => {
  const run = box.exec(['cat'], { stdin: 'pipe' });
  const early = await failureOf(run.kill('SIGBOGUS'));
  t.match(early, { name: 'RpcError', reason: 'invalidSignal', message: /SIGBOGUS/ });
  await run.kill('SIGCONT');
  await run.end();
  t.match(await run, { exitCode: 0, cause: 'exited' });
});

t.test('expiresAtMs of a kept command is a whole number', async (t) => {
  const job = box.exec(['true'], { detachable: true });
  await job;
  const row = (await box.list()).find(({ key }) => key === job.key);
  t.ok(Number.isInteger(row?.expiresAtMs), String(row?.expiresAtMs));
});

t.test('sandboxPolicy confines a command, a terminal and a shell', async (t) => {
  // Descriptors are not compared at the end, because the server keeps the threads of sandboxes.
  await using box = await connect((await startServer(t, { warm: false })).url);
  const { landlockAbi = 0 } = box.server.limits?.sandbox ?? {};
  if (landlockAbi === 0) {
    t.comment('this host has no Landlock, so only the refusal is checked');
    t.match(await failureOf(box.exec(['true'], { sandboxPolicy: { type: 'readOnly' } })), {
      reason: 'sandboxUnavailable',
    });
    return;
  }
  const file = `${t.testdir()}/file`;
  const sandboxPolicy = { type: 'readOnly' } as const;
  t.match(await box.exec(['touch', file], { sandboxPolicy, reject: false }), { exitCode: 1 });
  t.match(await box.terminal(['touch', file], { sandboxPolicy }).result, { exitCode: 1 });
  await using shell = box.shell({ sandboxPolicy });
  t.match(await shell.run(`touch ${file}`), { exitCode: 1 });
  t.equal((await box.exec(['touch', file])).exitCode, 0);
});
