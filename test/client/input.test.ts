// Shows that `input`, `write` and `end` of a command come one behind the other, that nothing of them is lost, and which calls are refused. Uses a server in memory.
import t from 'tap';
import type { Run } from '../../client/src/node.js';
import { failureOf, fakeSetup } from './fake-box.js';
import type { FakeServer } from './fake-server.js';
import { settled } from './manual-clock.js';

/** Small enough that a long input takes several messages. */
const SMALL_FRAME_BYTES = 64 * 1024;

/** A command that ends with 0 as soon as its input is closed, as `cat` does. */
function endWithInput(server: FakeServer): void {
  server.onStart = async (command) => {
    while (command.params.streamStdin && !command.isStdinClosed && command.exit === undefined) await settled();
    if (command.exit !== undefined) return;
    command.write('stdout', command.stdin);
    command.end(0);
  };
}

t.test('end comes behind input when it is called in the tick of the start', async (t) => {
  const { server, connect } = fakeSetup();
  endWithInput(server);
  server.limits = { ...server.limits, maxFrameBytes: SMALL_FRAME_BYTES };
  const box = await connect();
  const long = 'a'.repeat(3 * SMALL_FRAME_BYTES);
  async function* slow(): AsyncGenerator<string> {
    for (const piece of ['a', 'b', 'c']) {
      await settled();
      yield piece;
    }
  }
  for (const [name, input, expected] of [
    ['a text', 'abc', 'abc'],
    ['a text of many messages', long, long],
    ['a generator', slow(), 'abc'],
  ] as const) {
    const run = box.exec(['cat'], { input });
    await run.end();
    t.ok((await run).stdout === expected, name);
    await run.end();
  }
  await box.close();
});

t.test('write and end come behind input when stdin is pipe', async (t) => {
  const { server, connect } = fakeSetup();
  endWithInput(server);
  const box = await connect();
  const both = box.exec(['cat'], { stdin: 'pipe', input: ['a', 'b', 'c'] });
  void both.write('def');
  await both.write('ghi');
  t.notOk(server.commands[0]?.isStdinClosed, 'input leaves stdin open');
  await both.end();
  t.equal((await both).stdout, 'abcdefghi');
  const late = box.exec(['cat'], { stdin: 'pipe', input: 'abc' });
  await settled();
  await settled();
  await late.end('def');
  t.equal((await late).stdout, 'abcdef');
  await box.close();
});

t.test('end sends its last piece, also when that is longer than a message', async (t) => {
  const { server, connect } = fakeSetup();
  endWithInput(server);
  server.limits = { ...server.limits, maxFrameBytes: SMALL_FRAME_BYTES };
  const box = await connect();
  const long = 'b'.repeat(3 * SMALL_FRAME_BYTES);
  for (const last of ['last', long, new TextEncoder().encode('last')]) {
    const run = box.exec(['cat'], { stdin: 'pipe' });
    void run.write('first');
    await run.end(last);
    const text = typeof last === 'string' ? last : 'last';
    t.ok((await run).stdout === `first${text}`);
  }
  await box.close();
});

t.test('end rejects when its last piece comes behind the end, and resolves without one', async (t) => {
  const { server, connect } = fakeSetup();
  endWithInput(server);
  const box = await connect();
  const run = box.exec(['cat'], { stdin: 'pipe' });
  await run.end();
  await run.end();
  t.match(await failureOf(run.end('more')), { reason: 'stdinClosed' });
  await run;
  await run.end();
  t.match(await failureOf(run.end('more')), { reason: 'stdinClosed' });
  t.equal(server.commands[0]?.stdin, '');
  const early = box.exec(['true'], { stdin: 'pipe' });
  await settled();
  server.commands[1]?.end(0);
  await early;
  await early.end();
  t.match(await failureOf(early.end('more')), { reason: 'stdinClosed' });
  await box.close();
});

t.test('end resolves and write rejects when the command ends while its input waits for ever', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const input = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
  const run: Run = box.exec(['true'], { stdin: 'pipe', input });
  const ended = run.end();
  const written = failureOf(run.write('x'));
  await settled();
  server.commands[0]?.end(0);
  await run;
  await ended;
  t.match(await written, { reason: 'stdinClosed' });
  await box.close();
});

t.test('write is refused and names the option when the command reads none of it', async (t) => {
  const { server, connect } = fakeSetup();
  endWithInput(server);
  const box = await connect();
  const runs: [run: Run, message: RegExp][] = [
    [box.exec(['cat'], { reject: false }), /^write: the command was started without `stdin: 'pipe'`/],
    [box.exec(['cat'], { input: 'abc' }), /^write: the input of the command ends behind `input`; .*`stdin: 'pipe'`/],
  ];
  for (const [run, message] of runs) {
    t.throws(() => run.write('x'), { name: 'RpcError', message });
    t.throws(() => run.end('x'), { name: 'RpcError', message: new RegExp(message.source.replace('write', 'end')) });
  }
  await runs[1]?.[0];
  for (const wrong of [undefined, null, 5, () => {}]) {
    const run = box.exec(['cat'], { stdin: 'pipe' });
    t.throws(() => run.write(wrong as never), { name: 'TypeError', message: /^Input has to be/ });
    if (wrong !== undefined)
      t.throws(() => run.end(wrong as never), { name: 'TypeError', message: /^Input has to be/ });
    await run.end();
    await run;
  }
  await box.close();
});
