// Shows what a box does when connections break and when servers drain, refuse or stop answering. Runs against a server in memory, with a clock that only the tests move.
// Long because every way in which a connection can fail is shown with the same server in memory.
import t from 'tap';
import {
  type AttachOptions,
  type BoxStatus,
  ConnectError,
  ExecError,
  LostError,
  RpcError,
  UnknownOutcomeError,
} from '../../client/src/node.js';
import { SEED } from '../support/seed.js';
import { failureOf, fakeSetup } from './fake-box.js';
import type { FakeCommand } from './fake-server.js';
import { mostWaitsOfOnePromise } from './kept-waits.js';
import { settled } from './manual-clock.js';

const OVERLOADED = { code: -32001, data: { reason: 'serverOverloaded', bound: 'maxProcesses' } };
const DRAINING = { code: -32004, data: { reason: 'serverDraining' } };
const SECOND = 1000;
const MINUTE = 60 * SECOND;

function first<T>(list: readonly T[]): T {
  const [found] = list;
  if (found === undefined) throw new Error('the list is empty');
  return found;
}

/** Returns a function that makes random integers below a bound. The same seed makes the same numbers. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
}

t.test(
  'detachable command gives every byte of output once and takes every byte of input once over many breaks',
  async (t) => {
    const random = randomOf(SEED);
    for (let round = 0; round < 40; round += 1) {
      const { server, clock, connect } = fakeSetup();
      const box = await connect();
      const run = box.exec(['job'], { detachable: true, stdin: 'pipe', window: 1 + random(50) });
      const heard = { stdout: '', stderr: '' };
      const offsets = { stdout: 0, stderr: 0 };
      run.onOutput(({ stream, bytes, offset }) => {
        if (offset !== offsets[stream]) t.fail(`round ${round}: offset ${offset}, expected ${offsets[stream]}`);
        offsets[stream] += bytes.length;
        heard[stream] += Buffer.from(bytes).toString();
      });
      run.onGap(() => t.fail('a gap'));
      await settled();
      const command = first(server.commands);
      let input = '';
      let text = 0;
      for (let step = 0; step < 30; step += 1) {
        const kind = random(5);
        if (kind === 0) server.connection.cut();
        else if (kind === 1) await clock.pass(random(300));
        else if (kind === 2) {
          const piece = `i${step},`;
          input += piece;
          void run.write(piece);
        } else {
          text += 1;
          command.write(kind === 3 ? 'stdout' : 'stderr', `${text}-${'x'.repeat(random(100))};`);
        }
        // Does not always wait until all messages have arrived, so that a break loses some of them.
        if (random(3) === 0) await settled();
        else for (let turn = random(6); turn > 0; turn -= 1) await Promise.resolve();
      }
      await clock.pass(10 * SECOND);
      command.end(0);
      await clock.pass(10 * SECOND);
      const result = await run;
      t.same(heard, command.output, `round ${round}: heard`);
      t.same([result.stdout, result.stderr], [command.output.stdout, command.output.stderr]);
      t.equal(command.stdin, input, `round ${round}: input`);
      t.equal(server.commands.length, 1, 'the command ran once');
      await box.close();
    }
  },
);

t.test(
  'ordinary command is lost, and the box goes on with the next connection, when the connection breaks',
  async (t) => {
    const { server, clock, connect } = fakeSetup();
    const states: string[] = [];
    const box = await connect({ onStatus: ({ state }) => states.push(state) });
    const run = box.exec(['sleep']);
    await settled();
    first(server.commands).write('stdout', 'so far');
    await settled();
    server.connection.cut();
    const error = await failureOf(run);
    t.ok(error instanceof LostError);
    t.match(error, { exitCode: undefined, stdout: 'so far', result: { cause: 'lost' } });
    const next = box.exec(['true']);
    await clock.pass(SECOND);
    first(server.commands.slice(1)).end(0);
    t.match(await next, { exitCode: 0 });
    t.same(states, ['online', 'away', 'online']);
    const reject = box.exec(['sleep'], { reject: false });
    await settled();
    server.connection.cut();
    t.match(await reject, { exitCode: undefined, cause: 'lost' });
  },
);

t.test('request is sent again when a server that drains, leaves or is full did not start it', async (t) => {
  for (const [name, refuse] of [
    ['-32004', 'draining'],
    ['-32001', 'full'],
    ['1001', 1001],
    ['1012', 1012],
  ] as const) {
    const { server, clock, connect } = fakeSetup();
    const box = await connect();
    if (typeof refuse === 'string') {
      server.answers.push({ method: 'command/exec', answer: refuse === 'full' ? OVERLOADED : DRAINING });
    } else server.answers.push({ method: 'command/exec', answer: 'silence' });
    const run = box.exec(['echo']);
    await settled();
    t.equal(server.commands.length, 0, name);
    if (typeof refuse === 'number') server.connection.closeWith(refuse);
    await clock.pass(SECOND);
    t.equal(server.commands.length, 1, `${name}: once`);
    t.equal(server.connections.length, refuse === 'full' ? 1 : 2, `${name}: a full server keeps its connection`);
    first(server.commands).end(0);
    t.match(await run, { exitCode: 0 });
    await box.close();
  }
});

t.test('command is lost when a server of another name closes with 1001, or with 1006', async (t) => {
  for (const [serverName, code] of [
    ['other', 1001],
    ['execwire', 1006],
  ] as const) {
    const { server, connect } = fakeSetup();
    server.serverName = serverName;
    const box = await connect();
    const run = failureOf(box.exec(['echo']));
    await settled();
    server.connection.closeWith(code);
    t.ok((await run) instanceof LostError, serverName);
  }
});

t.test(
  'request is tried for a minute when the server is full, and once when it has no room to keep output',
  async (t) => {
    const { server, clock, connect } = fakeSetup();
    const box = await connect();
    for (let each = 0; each < 100; each += 1) server.answers.push({ method: 'command/exec', answer: OVERLOADED });
    const error = failureOf(box.exec(['echo']));
    await clock.pass(MINUTE - SECOND);
    t.ok(server.answers.length > 50, 'few tries are made, because each waits longer than the last');
    await clock.pass(10 * SECOND);
    t.ok((await error) instanceof RpcError);
    server.answers.length = 0;
    const answer = { code: -32001, data: { reason: 'serverOverloaded', bound: 'replayBudget' } };
    server.answers.push({ method: 'command/exec', answer });
    t.match(await failureOf(box.exec(['echo'], { detachable: true })), { data: { bound: 'replayBudget' } });
    server.answers.push({ method: 'command/exec', answer });
    const term = box.terminal(['sh']);
    await settled();
    t.equal(first(server.commands).key, undefined, 'a terminal without a key is started instead');
    first(server.commands).end(0);
    t.equal((await term.result).exitCode, 0);
  },
);

t.test('new work goes to a new connection when the server drains, while the old one finishes', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  const old = box.exec(['old']);
  const kept = box.exec(['kept'], { detachable: true });
  await settled();
  const oldConnection = server.connection;
  const [, keptCommand] = server.commands;
  const keptKey = kept.key ?? '';
  oldConnection.notify('server/draining', { deadlineMs: 1000 });
  await clock.pass(SECOND);
  t.equal(server.connections.length, 2, 'the new connection opens before a request needs it');
  const fresh = box.exec(['new'], { detachable: true });
  await settled();
  t.same(server.connection.received.map(({ method }) => method).slice(-1), ['command/exec']);
  t.equal(oldConnection.received.filter(({ method }) => method === 'command/exec').length, 2);
  const affinityOf = (text: string): string | undefined =>
    /(?:key=|^)([^.]+)\./.exec(text.replace(/^ws:.*key=/, ''))?.[1];
  t.equal(affinityOf(oldConnection.url), affinityOf(keptKey), 'the key and the URL of its connection begin alike');
  t.equal(affinityOf(server.connection.url), affinityOf(fresh.key ?? ''));
  t.not(affinityOf(oldConnection.url), affinityOf(server.connection.url), 'the new connection has another beginning');
  oldConnection.cut();
  t.ok((await failureOf(old)) instanceof LostError);
  await clock.pass(SECOND);
  t.equal(
    affinityOf(server.connection.url),
    affinityOf(keptKey),
    'the client reconnects with the beginning of the key',
  );
  keptCommand?.end(0);
  t.match(await kept, { exitCode: 0 });
  first(server.commands.slice(2)).end(0);
  t.match(await fresh, { exitCode: 0 });
});

t.test('start is sent again with its key, and runs once, when the connection breaks before its answer', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  const run = box.exec(['job'], { detachable: true });
  let command: FakeCommand | undefined;
  server.onStart = (started) => {
    command = started;
    started.write('stdout', 'early');
    // The server has sent `command/exec/attached`, and the break loses it.
    server.connection.cut();
  };
  await clock.pass(SECOND);
  t.equal(server.commands.length, 1);
  const starts = server.connections.flatMap(({ received }) =>
    received.filter(({ method }) => method === 'command/exec'),
  );
  t.equal(starts.length, 2);
  t.same(starts[0]?.params?.detachable, starts[1]?.params?.detachable);
  command?.end(0);
  t.match(await run, { exitCode: 0, stdout: 'early' });

  server.onStart = () => {
    server.restart();
    server.connection.cut();
  };
  const unknown = failureOf(box.exec(['job'], { detachable: true }));
  await clock.pass(SECOND);
  t.ok((await unknown) instanceof UnknownOutcomeError, 'a restarted server does not know whether the command ran');
  t.equal(server.commands.length, 0, 'the client does not start the command a second time');
});

t.test(
  'input that is sent with the start is taken once when the connection breaks before the server answers the start',
  async (t) => {
    const { server, clock, connect } = fakeSetup();
    const box = await connect();
    const run = box.exec(['cat'], { detachable: true, input: 'first piece, ' });
    let command: FakeCommand | undefined;
    server.onStart = (started) => {
      command = started;
      server.onStart = () => {};
    };
    // Nothing that the server sends arrives at the client, and everything that the client sends arrives.
    server.connection.isDeaf = true;
    await settled();
    t.equal(command?.stdin, 'first piece, ');
    const write = server.connection.received.find(({ method }) => method === 'command/exec/write');
    t.match(write?.params, { offset: 0 }, 'the write has an offset, so that the server takes it once');
    server.connection.cut();
    await clock.pass(SECOND);
    t.equal(command?.stdin, 'first piece, ');
    t.equal(command?.isStdinClosed, true);
    command?.end(0);
    t.match(await run, { exitCode: 0 });
  },
);

t.test('input goes to the start that succeeds when the server refused the start before', async (t) => {
  for (const answer of [OVERLOADED, DRAINING]) {
    const { server, clock, connect } = fakeSetup();
    const box = await connect();
    server.answers.push({ method: 'command/exec', answer });
    const run = box.exec(['cat'], { input: 'all of it' });
    await clock.pass(SECOND);
    const command = first(server.commands);
    t.same([command.stdin, command.isStdinClosed], ['all of it', true]);
    command.end(0);
    t.match(await run, { exitCode: 0 });
    await box.close();
  }
});

t.test('command is lost when its server has forgotten it, and unknown when another server answers', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  const forgotten = failureOf(box.exec(['job'], { detachable: true }));
  await settled();
  server.commands.length = 0;
  server.connection.cut();
  await clock.pass(SECOND);
  t.ok((await forgotten) instanceof LostError);
  const elsewhere = failureOf(box.exec(['job'], { detachable: true }));
  await settled();
  server.restart();
  server.connection.cut();
  await clock.pass(SECOND);
  t.match(await elsewhere, { name: 'UnknownOutcomeError', wasSent: true, result: { exitCode: undefined } });
});

t.test('outcome is unknown when no server is found for a minute, and the next request tries again', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const states: BoxStatus[] = [];
  const box = await connect({ onStatus: (status) => states.push(status) });
  const run = failureOf(box.exec(['job'], { detachable: true }));
  await settled();
  server.isGone = true;
  server.connection.cut();
  await clock.pass(SECOND);
  const waiting = failureOf(box.exec(['other']));
  await clock.pass(MINUTE - 2 * SECOND);
  t.equal(states.at(-1)?.state, 'away', 'not before');
  await clock.pass(10 * SECOND);
  t.match(await run, { name: 'UnknownOutcomeError', wasSent: true });
  t.match(await waiting, { name: 'UnknownOutcomeError', wasSent: false });
  t.equal(states.at(-1)?.state, 'offline');
  server.isGone = false;
  const again = box.exec(['again']);
  await clock.pass(SECOND);
  first(server.commands.slice(-1)).end(0);
  t.match(await again, { exitCode: 0 });
});

t.test('box makes no second connection when reconnect is false', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect({ reconnect: false });
  const ordinary = failureOf(box.exec(['job']));
  const kept = failureOf(box.exec(['job'], { detachable: true }));
  await settled();
  server.connection.cut();
  t.ok((await ordinary) instanceof LostError);
  t.ok((await kept) instanceof UnknownOutcomeError);
  await clock.pass(MINUTE);
  t.equal(server.connections.length, 1);
});

t.test(
  'request says how the connection ended, and opens none, when it comes after that end and reconnect is false',
  async (t) => {
    for (const end of [1000, 1001, 1006, 1012]) {
      const { server, clock, connect } = fakeSetup();
      const box = await connect({ reconnect: false });
      const job = box.exec(['job'], { detachable: true, reject: false });
      await settled();
      if (end === 1012) server.connection.notify('server/draining', {});
      server.connection.closeWith(end);
      await settled();
      const calls = {
        exec: box.exec(['job']),
        list: box.list(),
        attach: box.attach(job.key ?? ''),
        terminal: box.terminal(['sh']).result,
      };
      const failures = Object.entries(calls).map(([name, call]) => ({ name, failure: failureOf(call) }));
      await clock.pass(MINUTE);
      for (const { name, failure } of failures) {
        const message = new RegExp(`^The .* was not .*: The connection ended with ${end}; reconnect is off`);
        t.match(await failure, { name: 'UnknownOutcomeError', wasSent: false, message }, `${name} after ${end}`);
      }
      t.equal(server.connections.length, 1);
      await box.close();
    }
  },
);

t.test(
  'attach waits for the connection to another server as long as connect does when reconnect is false',
  async (t) => {
    const { server, clock, connect } = fakeSetup();
    const box = await connect({ reconnect: false, connectTimeout: 5 * SECOND });
    server.isSilent = true;
    const failure = failureOf(box.attach('another.key-of-a-command'));
    await clock.pass(5 * SECOND - 1);
    server.isSilent = false;
    t.equal(server.connections.length, 2);
    await clock.pass(1);
    t.match(await failure, { message: /no answer within 5000 ms/ });
    await box.close();
  },
);

t.test('command has an unknown outcome when the box is closed while it has no connection', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  const run = failureOf(box.exec(['job'], { detachable: true }));
  await settled();
  server.isGone = true;
  server.connection.cut();
  await clock.pass(SECOND);
  await box.close();
  t.ok((await run) instanceof UnknownOutcomeError);
  await clock.pass(MINUTE);
  t.equal(server.connections.length, 1, 'and no attempt follows');
  t.equal(clock.waiting, 0, 'and no timer is left');
});

t.test(
  'connect waits as long as a full server asks, and gives up at once when the credential is refused',
  async (t) => {
    const { server, clock, connect } = fakeSetup();
    server.refusals.push(new ConnectError('full', { status: 503, retryAfterMs: 3 * SECOND }));
    const box = connect();
    await clock.pass(2.9 * SECOND);
    t.equal(server.connections.length, 0);
    await clock.pass(SECOND);
    await box;
    t.equal(server.connections.length, 1);
    for (const status of [401, 403, 404]) {
      server.refusals.push(new ConnectError('refused', { status }));
      t.match(await failureOf(connect()), { name: 'ConnectError', status });
    }
    for (let each = 0; each < 100; each += 1) server.refusals.push(new ConnectError('full', { status: 503 }));
    const never = failureOf(connect({ connectTimeout: 5 * SECOND }));
    await clock.pass(6 * SECOND);
    t.match(await never, { status: 503 });
  },
);

t.test('box asks its token function at each connect, and stops trying when the server refuses the token', async (t) => {
  const { server, clock, connect } = fakeSetup();
  let count = 0;
  const token = async (): Promise<string> => {
    count += 1;
    return `token ${count}`;
  };
  const box = await connect({ token });
  server.connection.cut();
  await clock.pass(SECOND);
  const offered = server.connections.map(({ protocols }) =>
    Buffer.from(protocols[1]?.split('.')[2] ?? '', 'base64url').toString(),
  );
  t.same(offered, ['token 1', 'token 2']);
  for (let each = 0; each < 3; each += 1) server.refusals.push(new ConnectError('refused', { status: 401 }));
  server.connection.cut();
  const run = failureOf(box.exec(['true']));
  await clock.pass(10 * SECOND);
  t.match(await run, { name: 'UnknownOutcomeError', wasSent: false, cause: { status: 401 } });
  t.equal(server.refusals.length, 2);
});

t.test('connect and close give up after their timeouts when the server does not answer', async (t) => {
  const { server, clock, connect } = fakeSetup();
  server.isSilent = true;
  const silent = failureOf(connect({ connectTimeout: 5 * SECOND }));
  await clock.pass(6 * SECOND);
  t.match(await silent, { name: 'ConnectError', message: /no answer within 5000 ms/ });
  t.notOk(server.connection.isOpen);
  server.isSilent = false;
  const box = await connect({ closeTimeout: 2 * SECOND });
  server.connection.isMute = true;
  const closed = box.close();
  await clock.pass(3 * SECOND);
  await closed;
  t.notOk(server.connection.isOpen);
  t.equal(clock.waiting, 0);
});

t.test('request rejects after its timeout, and the next one works, when the server does not answer', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect({ requestTimeout: 5 * SECOND });
  server.answers.push({ method: 'command/exec/list', answer: 'silence' });
  const list = failureOf(box.list());
  await clock.pass(6 * SECOND);
  t.match(await list, {
    name: 'UnknownOutcomeError',
    wasSent: true,
    message: /did not answer command\/exec\/list within 5000 ms/,
  });
  t.same(await box.list(), []);
});

t.test('client opens a new connection when three heartbeats in a row do not come', async (t) => {
  const { server, clock, connect } = fakeSetup();
  await connect({ heartbeat: SECOND });
  t.match(server.connection.received[0], { params: { capabilities: { heartbeatMs: SECOND } } });
  await clock.pass(MINUTE);
  t.equal(server.connections.length, 1, 'a server that never sent a heartbeat keeps its connection');
  server.connection.notify('server/heartbeat', {});
  await clock.pass(3.5 * SECOND);
  t.equal(server.connections.length, 1);
  await clock.pass(3 * SECOND);
  t.equal(server.connections.length, 2);
});

t.test('server sends no more than the window when a reader stops, and the rest when it reads on', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const run = box.exec(['yes'], { window: 10_000 });
  const reader = run.stdout[Symbol.asyncIterator]();
  const firstPiece = reader.next();
  await settled();
  const command = first(server.commands);
  const all = 'y'.repeat(1_000_000);
  command.write('stdout', all);
  await settled();
  const sent = (): number => first(command.views).sent.stdout;
  t.ok(sent() <= 20_000, `the server has sent ${sent()} bytes`);
  let read = (await firstPiece).value?.length ?? 0;
  while (read < all.length) read += (await reader.next()).value?.length ?? 0;
  t.equal(sent(), all.length);
  command.end(0);
  t.equal((await run).stdout.length, all.length, 'the result has all output, too');
  const unread = box.exec(['yes'], { window: 10_000 });
  await settled();
  const other = first(server.commands.slice(1));
  other.write('stdout', all);
  other.end(0);
  t.equal((await unread).stdout.length, all.length, 'a stream that nobody reads holds nothing up');
});

t.test(
  'output waits for its first reader, and then a stream without a reader holds nothing up, when buffer is false',
  async (t) => {
    const { server, connect } = fakeSetup();
    const box = await connect();
    const run = box.exec(['yes'], { window: 1000, buffer: false });
    await settled();
    const command = first(server.commands);
    command.write('stdout', 'o'.repeat(5000));
    command.write('stderr', 'e'.repeat(5000));
    await settled();
    t.equal(first(command.views).sent.stdout, 1000);
    let read = 0;
    command.end(0);
    for await (const piece of run.stdout) read += piece.length;
    t.equal(read, 5000);
    t.match(await run, { stdout: '', stderr: '', exitCode: 0 });
  },
);

t.test(
  'run attaches again where it stopped when it fell behind, and rejects when another client took over',
  async (t) => {
    const { server, connect } = fakeSetup();
    const box = await connect();
    const run = box.exec(['job'], { detachable: true });
    await settled();
    const command = first(server.commands);
    command.write('stdout', 'one ');
    await settled();
    command.detach(first(command.views), 'fellBehind');
    await settled();
    command.write('stdout', 'two');
    await settled();
    t.equal(command.views.length, 1);
    command.detach(first(command.views), 'takeover');
    const error = await failureOf(run);
    t.match(error, { name: 'UnknownOutcomeError', detached: 'takeover', result: { stdout: 'one two' } });
  },
);

t.test('detach leaves the command running, and attach then gives the kept output and the result', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const job = box.exec(['job'], { detachable: true });
  const { key = '', pid } = await job.started;
  t.equal(pid, 4242);
  t.equal(key, job.key);
  const command = first(server.commands);
  command.write('stdout', 'before ');
  await settled();
  await job.detach();
  t.match(await failureOf(job), { name: 'UnknownOutcomeError', detached: 'requested', result: { stdout: 'before ' } });
  void command.write('stdout', 'after');
  const run = box.attach(key, { role: 'observer' });
  await settled();
  command.end(3);
  t.match(await failureOf(run), { name: 'ExecError', exitCode: 3, stdout: 'before after' });
  t.match(await failureOf(box.attach(`${key}x`)), { name: 'RpcError', reason: 'keyNotFound' });
  t.equal(server.connections.length, 1, 'a key that this box made needs no other connection');
});

t.test('observer is detached and its command goes on when its signal aborts', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const job = box.exec(['job'], { detachable: true });
  const { key = '' } = await job.started;
  const command = first(server.commands);
  const detached = { name: 'UnknownOutcomeError', detached: 'requested', message: /; the command goes on$/ };
  const controller = new AbortController();
  const watching = box.attach(key, { role: 'observer', signal: controller.signal });
  await watching.started;
  controller.abort();
  t.match(await failureOf(watching), { ...detached, wasSent: true });
  const tooLate = box.attach(key, { role: 'observer', signal: controller.signal });
  t.match(await failureOf(tooLate), { ...detached, wasSent: false });
  t.same(command.signals, [], 'nothing was sent to the command');
  command.end(0);
  t.equal((await job).exitCode, 0);
  await box.close();
});

t.test('attach opens a connection whose URL has the key when another client made the key', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  const failure = failureOf(box.attach('elsewhere.0123456789abcdef'));
  await clock.pass(SECOND);
  t.match(await failure, { reason: 'keyNotFound' });
  t.match(server.connection.url, /[?]key=elsewhere[.]/);
  t.equal(server.connections.length, 2);
});

t.test('output is reported as a gap and counted as truncated when the server dropped it during a break', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  const run = box.exec(['job'], { detachable: { whenFull: 'drop' } });
  const gaps: unknown[] = [];
  run.onGap((gap) => gaps.push(gap));
  await settled();
  const command = first(server.commands);
  t.match(command.params.detachable, { whenFull: 'drop' });
  command.write('stdout', 'abc');
  await settled();
  server.connection.cut();
  command.write('stdout', 'defghi');
  command.forget('stdout', 7);
  await clock.pass(SECOND);
  command.end(0);
  const result = await run;
  t.same(gaps, [{ stream: 'stdout', from: 3, to: 7 }]);
  t.equal(result.truncated.stdout, 4);
  t.equal(result.stdout, 'abchi');
});

t.test('attach reports a beginning that the server has dropped as a gap and counts it as truncated', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const job = box.exec(['job'], { detachable: { whenFull: 'drop' } });
  const { key = '' } = await job.started;
  const command = first(server.commands);
  command.write('stdout', 'abcdef');
  command.write('stderr', 'xy');
  await settled();
  command.forget('stdout', 4);
  const watch = (options: AttachOptions) => {
    const run = box.attach(key, { role: 'observer', ...options });
    const gaps: unknown[] = [];
    run.onGap((gap) => gaps.push(gap));
    return { run, gaps };
  };
  const whole = watch({});
  const fromTwo = watch({ from: { stdout: 2 } });
  const fromFive = watch({ from: { stdout: 5, stderr: 1 } });
  await settled();
  command.end(0);
  const gap = (from: number) => [{ stream: 'stdout', from, to: 4 }];
  t.match(await whole.run, { stdout: 'ef', stderr: 'xy', truncated: { stdout: 4, stderr: 0 } });
  t.same(whole.gaps, gap(0));
  t.match(await fromTwo.run, { stdout: 'ef', truncated: { stdout: 2, stderr: 0 } });
  t.same(fromTwo.gaps, gap(2));
  t.match(await fromFive.run, { stdout: 'f', stderr: 'y', truncated: { stdout: 0, stderr: 0 } });
  t.same(fromFive.gaps, []);
  await job;
  await box.close();
});

t.test('first connect is tried again when the server closes the connection with 1001 or 1012', async (t) => {
  for (const code of [1001, 1012, 1008]) {
    const { server, clock, connect } = fakeSetup();
    server.isSilent = true;
    const connecting = connect();
    const outcome = connecting.then(
      () => 'connected',
      (error: unknown) => error,
    );
    await settled();
    server.isSilent = false;
    server.connection.closeWith(code);
    await clock.pass(SECOND);
    if (code === 1008) t.match(await outcome, { name: 'ConnectError', message: /ended with 1008/ });
    else {
      t.equal(await outcome, 'connected', String(code));
      await (await connecting).close();
    }
    t.equal(server.connections.length, code === 1008 ? 1 : 2, String(code));
  }
});

t.test('input of a break comes whole and behind that of another writer', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  const job = box.exec(['cat'], { detachable: true, stdin: 'pipe' });
  await job.started;
  await job.write('before,');
  const command = first(server.commands);
  server.connection.cut();
  command.stdin += 'of another,';
  const written = job.write('of the break,');
  await clock.pass(10 * SECOND);
  await written;
  await job.write('after');
  t.equal(command.stdin, 'before,of another,of the break,after');
  command.end(0);
  await job;
  await box.close();
});

t.test('input that was under way at a break comes whole and behind that of another writer', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  const job = box.exec(['cat'], { detachable: true, stdin: 'pipe' });
  await job.started;
  await job.write('before,');
  const command = first(server.commands);
  const written = job.write('under way,');
  // The message has left the client and never comes to the server.
  await Promise.resolve();
  server.connection.cut();
  command.stdin += 'other,';
  await clock.pass(10 * SECOND);
  await written;
  t.equal(command.stdin, 'before,other,under way,');
  command.end(0);
  await job;
  await box.close();
});

t.test('nothing waits longer for each write to a command that another client started', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const job = box.exec(['cat'], { detachable: true, stdin: 'pipe' });
  const { key = '' } = await job.started;
  const run = box.attach(key, { reject: false });
  await run.started;
  const most = await mostWaitsOfOnePromise(t, async () => {
    for (let count = 0; count < 100; count += 1) await run.write('x');
  });
  t.ok(most < 10, `${most} waits for one promise`);
  t.equal(first(server.commands).stdin, 'x'.repeat(100));
  first(server.commands).end(0);
  await run;
  await failureOf(job);
  await box.close();
});

t.test(
  'kill is sent after a reconnect when it was called during a break, and abort before the start sends nothing',
  async (t) => {
    const { server, clock, connect } = fakeSetup();
    const box = await connect();
    const run = box.exec(['job'], { detachable: true });
    await settled();
    const command = first(server.commands);
    server.connection.cut();
    const killed = run.kill();
    await clock.pass(SECOND);
    await killed;
    t.same(command.signals, ['SIGTERM']);
    command.end(143, { signal: 'SIGTERM' });
    t.match(await failureOf(run), { name: 'ExecError', result: { cause: 'terminated' } });
    server.connection.cut();
    const aborter = new AbortController();
    const never = failureOf(box.exec(['never'], { signal: aborter.signal }));
    aborter.abort();
    const error = await never;
    t.ok(error instanceof ExecError && error.aborted);
    await clock.pass(SECOND);
    t.equal(server.commands.length, 1);
  },
);

t.test(
  'client sends no detachable options, and a break loses the command, when the server does not know them',
  async (t) => {
    const { server, clock, connect } = fakeSetup();
    server.beOld();
    const box = await connect();
    const run = box.exec(['job'], { detachable: true });
    t.same(await run.started, { pid: 4242, key: undefined });
    const sent = server.connection.received.find(({ method }) => method === 'command/exec')?.params ?? {};
    t.same([sent.detachable, sent.window], [undefined, undefined]);
    first(server.commands).write('stdout', 'x'.repeat(3_000_000));
    await settled();
    server.connection.cut();
    const error = await failureOf(run);
    t.ok(error instanceof LostError);
    t.equal(error instanceof LostError && error.stdout.length, 3_000_000);
    await clock.pass(SECOND);
    const term = box.terminal(['sh']);
    await settled();
    first(server.commands.slice(-1)).end(0);
    t.equal((await term.result).exitCode, 0);
  },
);

t.test(
  'screen attaches as an observer, takes the screen and leaves, and attachTerminal begins with the screen',
  async (t) => {
    const { server, connect } = fakeSetup();
    const box = await connect();
    const term = box.terminal(['sh'], { cols: 80, rows: 24 });
    await settled();
    const command = first(server.commands);
    t.match(command.params.detachable, { whenFull: 'pause' });
    command.write('stdout', 'drawn');
    t.equal(await term.screen(), 'screen at 5');
    await settled();
    t.equal(command.views.length, 1, 'the observer has left');
    const other = box.attachTerminal(term.key ?? '', { role: 'observer' });
    let heard = '';
    other.onOutput(({ bytes }) => {
      heard += Buffer.from(bytes).toString();
    });
    await settled();
    command.write('stdout', ' more');
    await settled();
    t.equal(heard, 'screen at 5 more');
    command.end(0);
    await other.result;
  },
);

t.test('terminal with redraw gives a marked screen in place of the output that it missed during a break', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  const term = box.terminal(['vim'], { redraw: true });
  const heard: string[] = [];
  const read = (async () => {
    for await (const { bytes, isScreen } of term.chunks) {
      heard.push(`${isScreen === true ? 'picture: ' : ''}${Buffer.from(bytes).toString()}`);
    }
  })();
  await settled();
  const command = first(server.commands);
  command.write('stdout', 'drawn');
  await settled();
  server.connection.cut();
  command.write('stdout', ' missed');
  await clock.pass(SECOND);
  command.write('stdout', ' more');
  await settled();
  command.end(0);
  await read;
  t.same(heard, ['drawn', 'picture: screen at 12', ' more']);
});

t.test('box signals and forgets a command by its key', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const run = box.exec(['job'], { detachable: true, reject: false });
  const { key = '' } = await run.started;
  await box.kill(key);
  await box.kill(key, 'SIGKILL');
  t.same(first(server.commands).signals, ['SIGTERM', 'SIGKILL']);
  await settled();
  t.equal(first(server.commands).views.length, 1);
  first(server.commands).end(0);
  await run;
  await box.forget(key);
  t.equal(server.commands.length, 0);
});

t.test('client answers requests of the server, and closes the connection when a text is not JSON', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect();
  box.onRequest('known', async (params) => ({ echoed: params }));
  box.onRequest('throws', () => {
    throw new Error('no');
  });
  box.onRequest('circle', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    return circle;
  });
  for (const method of ['known', 'throws', 'circle', 'unknown']) server.connection.request(method, method, { n: 1 });
  await settled();
  const answers = server.connection.received.filter(({ method }) => method === undefined);
  t.match(
    answers,
    [
      { id: 'unknown', error: { code: -32601 } },
      { id: 'known', result: { echoed: { n: 1 } } },
      { id: 'throws', error: { code: -32603, message: 'no' } },
      { id: 'circle', error: { code: -32603 } },
    ].sort(
      (one, other) =>
        answers.findIndex(({ id }) => String(id) === one.id) - answers.findIndex(({ id }) => String(id) === other.id),
    ),
  );
  server.connection.sendRaw('null');
  await settled();
  t.ok(server.connection.isOpen);
  server.connection.sendRaw('<html>');
  await clock.pass(SECOND);
  t.equal(server.connections.length, 2);
});
