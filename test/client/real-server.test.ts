// Shows the client and the built server together: breaks at random places, reconnects, takeover, drain, and which outcomes are lost or unknown. Knows
// no message of the protocol. Long because each promise of the client is shown once with a real server.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  type Box,
  type BoxStatus,
  type ConnectOptions,
  connect,
  ExecError,
  LostError,
  type OutputEvent,
  UnknownOutcomeError,
} from '../../client/src/node.js';
import { CuttingProxy } from '../support/cutting-proxy.js';
import { isAlive } from '../support/process-table.js';
import { createRandom } from '../support/seed.js';
import { startServer, type TestServer, type TestServerOptions } from '../support/server.js';
import { until } from '../support/until.js';
import { failureOf } from './fake-box.js';

const random = createRandom();
/** Least bytes between two cuts. A reconnect alone takes some thousand bytes, and output has to come after it. */
const CUT_MIN_BYTES = 20_000;
const CUT_MAX_BYTES = 200_000;

interface Setup {
  readonly server: TestServer;
  /** A second server, to which the proxy leads when a test says so. */
  readonly other: TestServer | undefined;
  readonly proxy: CuttingProxy;
  connect(options?: ConnectOptions): Promise<Box>;
}

/** Starts a server behind a proxy. Boxes are closed before the server is. */
async function setup(t: Test, options: TestServerOptions = {}, hasOther = false): Promise<Setup> {
  const server = await startServer(t, options);
  const other = hasOther ? await startServer(t) : undefined;
  const proxy = await CuttingProxy.start(server.port);
  const boxes: Box[] = [];
  t.teardown(async () => {
    proxy.open();
    await Promise.all(boxes.map((box) => box.close()));
    await proxy.close();
  });
  return {
    server,
    other,
    proxy,
    async connect(more = {}) {
      const box = await connect(proxy.url, { name: 'test', ...more });
      boxes.push(box);
      return box;
    },
  };
}

/** Counts and hashes standard output, and counts the pieces whose offset is not the end of the piece before. */
class Heard {
  readonly #hash = createHash('sha256');
  bytes = 0;
  text = '';
  misplaced = 0;

  readonly listener = ({ stream, bytes, offset }: OutputEvent): void => {
    if (stream !== 'stdout') return;
    if (offset !== this.bytes) this.misplaced += 1;
    this.bytes += bytes.length;
    this.#hash.update(bytes);
    this.text = (this.text + Buffer.from(bytes).toString('latin1')).slice(-10_000);
  };

  digest(): string {
    return this.#hash.digest('hex');
  }
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

t.test(
  'every byte of output comes exactly once and in order when the connection breaks at random places',
  async (t) => {
    const { proxy, connect } = await setup(t);
    const box = await connect();
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on('warning', onWarning);
    t.teardown(() => process.off('warning', onWarning));
    proxy.cutAfter = () => random.int(CUT_MIN_BYTES, CUT_MAX_BYTES);
    proxy.cut();
    const heard = new Heard();
    const lines = 300_000;
    const run = box.exec(['seq', '1', String(lines)], { detachable: true, maxBuffer: { head: 10, tail: 10 } });
    run.onOutput(heard.listener);
    const gaps: unknown[] = [];
    run.onGap((gap) => gaps.push(gap));
    const result = await run;
    const expected = Array.from({ length: lines }, (_, at) => `${at + 1}\n`).join('');
    t.match(result, { exitCode: 0, cause: 'exited' });
    t.same([heard.bytes, heard.misplaced, gaps], [expected.length, 0, []]);
    t.equal(heard.digest(), sha256(expected));
    t.ok(proxy.connections > 10, `${proxy.connections} connections`);
    t.same(warnings, [], 'no warning says that listeners pile up');
  },
);

t.test(
  'input arrives exactly once, and its echo comes back exactly once, when the connection breaks at random places',
  async (t) => {
    const { proxy, connect } = await setup(t);
    const box = await connect();
    proxy.cutAfter = () => random.int(CUT_MIN_BYTES, CUT_MAX_BYTES);
    proxy.cut();
    const input = random.bytes(2_000_000);
    const run = box.exec(['cat'], { input, detachable: true, window: 100_000, buffer: false, encoding: 'bytes' });
    const back: Uint8Array[] = [];
    let length = 0;
    for await (const bytes of run.stdout) {
      back.push(bytes);
      length += bytes.length;
      if (random.chance(0.05)) proxy.cut();
    }
    t.equal(length, input.length);
    t.equal(sha256(Buffer.concat(back)), sha256(input));
    t.match(await run, { exitCode: 0 });
    t.ok(proxy.connections > 2, `${proxy.connections} connections`);
  },
);

t.test(
  'server sends no more than the window when a reader stops, also over a break, and the rest when it reads on',
  async (t) => {
    const { proxy, connect } = await setup(t);
    const box = await connect();
    const window = 64 * 1024;
    const total = 3_000_000;
    const run = box.exec(['head', '-c', String(total), '/dev/zero'], { detachable: true, window, buffer: false });
    const reader = run.stdout[Symbol.asyncIterator]();
    let read = (await reader.next()).value?.length ?? 0;
    const standsStill = async (): Promise<void> => {
      let before = -1;
      await until('no more bytes come', async () => {
        const last = before;
        before = proxy.bytesDown;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return last === before && proxy.bytesDown === before;
      });
    };
    await standsStill();
    t.ok(proxy.bytesDown < 10 * window, `${proxy.bytesDown} bytes came`);
    proxy.cut();
    await until('the client has reconnected', () => proxy.connections === 2);
    await standsStill();
    t.ok(proxy.bytesDown < 20 * window, `${proxy.bytesDown} bytes came`);
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) read += next.value.length;
    t.equal(read, total);
    t.match(await run, { exitCode: 0 });
  },
);

t.test('command that is paused, and keeps less than a window, goes on when a client attaches', async (t) => {
  const { connect } = await setup(t);
  const box = await connect();
  const total = 3_000_000;
  const folder = t.testdir();
  for (const replayBytes of [1000, 65_536, 250_000]) {
    // It writes only once nobody is attached: what a writer has acknowledged may be forgotten.
    const go = join(folder, String(replayBytes));
    const script = `until [ -e "$0" ]; do sleep 0.01; done; exec head -c ${total} /dev/zero`;
    const job = box.exec(['sh', '-c', script, go], { detachable: { replayBytes } });
    const { key = '' } = await job.started;
    await job.detach();
    writeFileSync(go, '');
    await until('the log is full', async () => {
      const command = (await box.list()).find((listed) => listed.key === key);
      return (command?.stdout?.next ?? 0) >= replayBytes;
    });
    const { stdout } = await box.attach(key, { from: { stdout: 0 } });
    t.equal(stdout.length, total, `${replayBytes} bytes are kept`);
  }
});

t.test('ordinary command is lost, its process ends and the box goes on when the connection breaks', async (t) => {
  const { proxy, connect } = await setup(t);
  const states: BoxStatus['state'][] = [];
  const box = await connect({ onStatus: ({ state }) => states.push(state) });
  const run = box.exec(['sh', '-c', 'echo $$; exec sleep 600']);
  const { value: pid } = await run.lines().next();
  proxy.cut();
  const error = await failureOf(run);
  t.ok(error instanceof LostError);
  t.match(error, { exitCode: undefined, stdout: String(pid), result: { cause: 'lost' } });
  t.equal((await box.exec(['echo', 'on'])).stdout, 'on');
  await until('the process has ended', () => !isAlive(Number(pid)));
  t.same(states, ['online', 'away', 'online']);
});

t.test(
  'detached command goes on when its client has closed, and another client gets its output and result',
  async (t) => {
    const { connect } = await setup(t);
    const first = await connect();
    const job = first.exec(['sh', '-c', 'echo started; read line; echo "got $line"; exit 3'], {
      detachable: true,
      stdin: 'pipe',
    });
    const { pid, key = '' } = await job.started;
    t.ok(pid !== undefined && isAlive(pid));
    await job.waitFor('started');
    await job.detach();
    t.match(await failureOf(job), {
      name: 'UnknownOutcomeError',
      detached: 'requested',
      result: { stdout: 'started' },
    });
    await first.close();

    const second = await connect();
    t.match(await second.list(), [{ key, pid, state: 'detached', attachments: 0, processId: null }]);
    const again = second.attach(key, { reject: false });
    await again.write('hello\n');
    t.match(await again, { exitCode: 3, stdout: 'started\ngot hello', cause: 'exited' });
    // The server keeps an ended command until its `ttl` is over or a client forgets it.
    t.match(await second.attach(key, { reject: false, role: 'observer' }), {
      exitCode: 3,
      stdout: 'started\ngot hello',
    });
    await second.forget(key);
    t.match(await failureOf(second.attach(key)), { name: 'RpcError', reason: 'keyNotFound' });
  },
);

t.test('observer may not write, and the first writer is detached when a second one takes over', async (t) => {
  const { connect } = await setup(t);
  const [owner, other] = [await connect(), await connect()];
  const run = owner.exec(['cat'], { detachable: true, stdin: 'pipe' });
  const { key = '' } = await run.started;
  await run.write('one;');
  const watching = other.attach(key, { role: 'observer', reject: false });
  await watching.waitFor('one;');
  t.match(await failureOf(watching.write('no')), { name: 'RpcError', reason: 'notWriter' });
  t.match(await failureOf(other.attach(key, { takeover: false })), { name: 'RpcError', reason: 'writerPresent' });
  const writing = other.attach(key, { reject: false });
  await writing.started;
  const error = await failureOf(run);
  t.ok(error instanceof UnknownOutcomeError);
  t.match(error, { detached: 'takeover', wasSent: true });
  await writing.write('two');
  await writing.end();
  t.match(await writing, { exitCode: 0, stdout: 'one;two' });
  t.match(await watching, { exitCode: 0, stdout: 'one;two' });
  t.equal((await other.exec(['echo', 'on'])).stdout, 'on');
});

t.test(
  'command is lost when its server has forgotten it, and unknown when another server or none answers',
  async (t) => {
    const { server, other, proxy, connect } = await setup(t, {}, true);
    const box = await connect({ reconnect: { maxMs: 120_000 } });
    const short = box.exec(['sleep', '600'], { detachable: { ttl: 100 } });
    const { pid = 0 } = await short.started;
    proxy.shut();
    await until('the server has ended the command after its ttl', () => !isAlive(pid));
    proxy.open();
    const lost = await failureOf(short);
    t.ok(lost instanceof LostError);
    t.match(lost, { exitCode: undefined, result: { cause: 'lost' } });

    const run = box.exec(['sh', '-c', 'echo here; sleep 600'], { detachable: true });
    const { key = '' } = await run.started;
    await run.waitFor('here');
    proxy.targetPort = other?.port ?? 0;
    proxy.cut();
    const unknown = await failureOf(run);
    t.ok(unknown instanceof UnknownOutcomeError);
    t.match(unknown, { wasSent: true, result: { exitCode: undefined, stdout: 'here', cause: 'unknown' } });
    t.equal((await box.exec(['echo', 'on'])).stdout, 'on', 'the other server does new work');

    const impatient = await connect({ reconnect: { maxMs: 200 } });
    const last = impatient.exec(['sleep', '600'], { detachable: { ttl: 100 }, reject: false });
    await last.started;
    proxy.shut();
    t.match(await last, { exitCode: undefined, cause: 'unknown' });
    t.match(await failureOf(impatient.exec(['true'])), { name: 'UnknownOutcomeError', wasSent: false });
    proxy.open();
    // A busy machine may not answer in the time that this box gives it.
    await until('a command runs again', () =>
      impatient.exec(['true'], { reject: false }).then(({ exitCode }) => exitCode === 0),
    );

    // The command still runs on the first server, so a box that goes there without the proxy ends it.
    await using direct = await connectTo(server);
    await direct.kill(key, 'SIGKILL');
  },
);

t.test('new work goes to another server on a new connection while the old one drains and finishes', async (t) => {
  const { server, other, proxy, connect } = await setup(t, { flags: ['--drain-timeout', '10m'] }, true);
  const states: BoxStatus['state'][] = [];
  const box = await connect({ onStatus: ({ state }) => states.push(state) });
  const run = box.exec(['sh', '-c', 'echo ready; read line; echo "$line"; exit 4'], { stdin: 'pipe', reject: false });
  const kept = box.exec(['sh', '-c', 'read line; echo "$line"'], { stdin: 'pipe', detachable: true });
  await kept.started;
  await run.waitFor('ready');
  const { serverId } = box;
  proxy.targetPort = other?.port ?? 0;
  const draining = new Promise<void>((resolve) => box.onStatus(({ state }) => state === 'draining' && resolve()));
  server.signal('SIGTERM');
  await draining;
  t.equal((await box.exec(['echo', 'new'])).stdout, 'new');
  t.not(box.serverId, serverId);
  t.equal(server.exit, undefined, 'the old one waits for its commands');
  await run.write('finished\n');
  await kept.write('finished\n');
  t.match(await run, { exitCode: 4, stdout: 'ready\nfinished' });
  t.match(await kept, { exitCode: 0, stdout: 'finished' });
  t.same(await server.exited, { code: 0, signal: null });
  t.same(states, ['online', 'draining', 'online']);
});

t.test(
  'each command runs exactly once when commands are sent while a server drains and another takes its place',
  async (t) => {
    const { server, other, proxy, connect } = await setup(t, { flags: ['--drain-timeout', '10m'] }, true);
    const box = await connect();
    const folder = t.testdir();
    let count = 0;
    const runs: Promise<unknown>[] = [];
    const send = (): void => {
      for (let each = 0; each < 5; each += 1) {
        const script = `echo x >>${folder}/ran-${count++}`;
        runs.push(Promise.resolve(box.exec(['sh', '-c', script])));
      }
    };
    send();
    proxy.targetPort = other?.port ?? 0;
    server.signal('SIGTERM');
    for (let round = 0; round < 10; round += 1) {
      send();
      await Promise.race(runs);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(runs);
    const times = Array.from({ length: count }, (_, at) => readFileSync(`${folder}/ran-${at}`, 'utf8'));
    t.same(
      times,
      times.map(() => 'x\n'),
    );
    t.same(await server.exited, { code: 0, signal: null });
  },
);

t.test('terminal lives on when its connection breaks, and screen gives what the terminal shows', async (t) => {
  const { proxy, connect } = await setup(t);
  const box = await connect();
  const term = box.terminal(['sh'], { cols: 60, rows: 10, env: { PS1: '$ ' } });
  await term.waitFor('$ ');
  await term.write('A=kept; stty size\n');
  await term.waitFor('10 60');
  proxy.cut();
  await term.write('echo "still $A"\n');
  await term.waitFor(/still kept\r/);
  await term.resize({ cols: 44, rows: 33 });
  await term.write('stty size\n');
  await term.waitFor('33 44');
  await term.waitFor('$ ');
  t.match(await term.screen(), /still kept/);
  const watching = (await connect()).attachTerminal(term.key ?? '', { role: 'observer' });
  await watching.waitFor('still kept');
  await term.write('exit 7\n');
  t.match(await term.result, { exitCode: 7, cause: 'exited' });
  t.match(await watching.result, { exitCode: 7 });
});

t.test('shell keeps its variables when its connection breaks', async (t) => {
  const { proxy, connect } = await setup(t);
  const box = await connect();
  await using shell = box.shell();
  await shell.run('cd / && A=kept');
  proxy.cut();
  t.match(await shell.run('echo "$PWD $A"'), { output: '/ kept', exitCode: 0, restarted: false });
  const during = shell.run('echo first; read -t 1 x < <(sleep 2); echo second');
  proxy.cut();
  t.match(await during, { output: 'first\nsecond', exitCode: 0 });
});

t.test('kill, abort and timeout end a detachable command when the connection breaks before', async (t) => {
  const { proxy, connect } = await setup(t);
  const box = await connect();
  const killed = box.exec(['sleep', '600'], { detachable: true, reject: false });
  await killed.started;
  proxy.cut();
  await killed.kill();
  t.match(await killed, { signal: 'SIGTERM', cause: 'terminated' });
  const controller = new AbortController();
  const aborted = box.exec(['sleep', '600'], { detachable: true, signal: controller.signal });
  await aborted.started;
  proxy.cut();
  controller.abort();
  const error = await failureOf(aborted);
  t.ok(error instanceof ExecError && error.aborted);
  const late = box.exec(['sh', '-c', 'echo so far; sleep 600'], { detachable: true, timeout: 500, reject: false });
  await late.started;
  proxy.cut();
  // A busy machine may reach the timeout before the command prints.
  t.match(await late, { timedOut: true, cause: 'timeout', exitCode: 124, stdout: /^(so far)?$/ });
});

t.test('box shows the limits of the server, and waits when a limit is reached', async (t) => {
  const { connect } = await setup(t, {
    flags: ['--max-processes-per-connection', '1', '--max-replay-bytes', '64k', '--max-detached', '1m'],
  });
  const box = await connect();
  const { limits = {} } = box.server;
  t.match(limits, { maxReplayBytes: 65_536, maxProcessesPerConnection: 1 });
  t.match(limits.sandbox, { landlockAbi: Number, notEnforced: Array });
  const first = box.exec(['cat'], { stdin: 'pipe' });
  await first.started;
  const second = box.exec(['echo', 'second']);
  await first.end();
  t.match(await second, { exitCode: 0, stdout: 'second' });
  t.match(await failureOf(box.exec(['true'], { detachable: { ttl: 3_600_000 } })), { name: 'RpcError', code: -32602 });
  t.match(await failureOf(box.exec(['true'], { detachable: { key: 'short' } })), { name: 'RpcError', code: -32602 });
  const zeros = await box.exec(['head', '-c', '1000000', '/dev/zero'], { detachable: true, encoding: 'bytes' });
  t.equal(zeros.stdout.length, 1_000_000, 'the client chooses a window no larger than the output that is kept');
});

t.test('input is sent in small messages when the server allows small frames only', async (t) => {
  const { connect } = await setup(t, { flags: ['--max-frame-bytes', '64k'] });
  const box = await connect();
  const input = random.bytes(1_000_000);
  const { stdout } = await box.exec(['cat'], { input, encoding: 'bytes' });
  t.equal(sha256(stdout), sha256(input));
});

/** Connects to the server without the proxy. */
function connectTo(server: TestServer): Promise<Box> {
  return connect(server.url, { name: 'test' });
}
