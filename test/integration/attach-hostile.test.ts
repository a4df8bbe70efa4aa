/** Shows that nothing is lost or doubled, and that other clients are served, when clients use "Coming back" wrongly or all at once. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { startServer, type TestServer } from '../support/server.js';
import { until } from '../support/until.js';
import { newKey, View } from '../support/view.js';
import type { WireClient, WireMessage } from '../support/wire-client.js';

t.jobs = 3;

const CAT = ['cat'];

function connect(server: TestServer): Promise<WireClient> {
  return server.session({ experimentalApi: true });
}

async function refusal(reply: Promise<WireMessage>): Promise<string> {
  const { error } = await reply;
  return error === undefined ? 'no error' : `${error.code} ${error.data?.reason}`;
}

t.test('acknowledgements are ignored when they are early, repeated, malformed or late', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const window = { bytes: 1 };
  const view = await View.start(client, { command: CAT, detachable: { key }, window }).begun();
  const ack = (params: object): void => client.send({ method: 'command/exec/ack', params });
  view.acknowledge(5);
  view.acknowledge(Number.MAX_SAFE_INTEGER, 'stderr');
  await view.write('abc');
  await view.said('a');
  view.acknowledge(0);
  for (const stream of ['stdin', '', null, 1]) ack({ processId: view.processId, stream, offset: 1 });
  for (const offset of [-1, 0.5, '1', null]) ack({ processId: view.processId, stream: 'stdout', offset });
  ack({ processId: 'nobody', stream: 'stdout', offset: 1 });
  await client.request('command/exec/list');
  t.equal(view.text(), 'a', 'still one byte, because no valid acknowledgement came');
  view.acknowledge(1);
  view.acknowledge(1);
  await view.said('ab');
  view.acknowledge(100);
  await view.said('abc');
  t.same((await view.ask('detach')).result, {});
  view.acknowledge(3);
  t.equal(await refusal(view.write('lost')), '-32600 processNotFound');
  const back = await View.attach(client, key, { from: { stdout: 3 }, window }).begun();
  await back.write('', { closeStdin: true });
  t.equal((await back.reply).result.exitCode, 0);
  back.acknowledge(3);
  back.acknowledge(4);
  t.same((await client.request('command/exec/forget', { key })).result, {});
  t.same([...view.problems, ...back.problems], []);
});

t.test('one view stays, and the others are told that they ended, when several take over at once', async (t) => {
  const server = await startServer(t);
  const clients = await Promise.all([1, 2, 3].map(() => connect(server)));
  const [first] = clients;
  if (first === undefined) throw new Error('no client');
  const key = newKey();
  const begun = await View.start(first, { command: CAT, detachable: { key } }).begun();
  const rounds = 10;
  const views = [begun];
  for (let round = 0; round < rounds; round += 1) {
    for (const client of clients) views.push(View.attach(client, key, { takeover: true, from: { stdout: 0 } }));
  }
  await until(
    'all views but one have ended',
    () => views.filter(({ detached }) => detached === 'takeover').length === 3 * rounds,
  );
  const writer = views.find(({ detached }) => detached === undefined);
  if (writer === undefined) throw new Error('no writer');
  for (const view of views) {
    if (view !== writer) t.equal(await refusal(view.reply), '-32600 detached');
  }
  await writer.write('one', { offset: 0, closeStdin: true });
  t.equal((await writer.reply).result.exitCode, 0);
  t.equal(writer.text(), 'one');
  for (const view of views) t.same(view.problems, []);
});

t.test('input takes effect once when it comes with its start, overlaps, and is sent again', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  // It does not end with its input: a write that comes after its end would be refused because there is no such command.
  const answered = `${t.testdir()}/answered`;
  const command = ['sh', '-c', `cat; until [ -e '${answered}' ]; do sleep 0.05; done`];
  const view = View.start(client, { command, detachable: { key } });
  const replies = [
    view.write('abcd', { offset: 0 }),
    view.write('cdef', { offset: 2 }),
    view.write('', { offset: 6 }),
    view.write('a', { offset: 0 }),
    view.write('x', { offset: 7 }),
    view.write('efgh', { offset: 4, closeStdin: true }),
    view.write('efgh', { offset: 4, closeStdin: true }),
    view.write('i', { offset: 8, closeStdin: true }),
    view.write('', { offset: 9, closeStdin: true }),
  ];
  const answers = await Promise.all(replies);
  writeFileSync(answered, '');
  const reasons = answers.map(({ error }) => error?.data?.reason);
  t.same(reasons.slice(0, 5), [undefined, undefined, 'emptyWrite', undefined, 'stdinGap']);
  t.same(reasons.slice(5), [undefined, undefined, 'stdinClosed', 'stdinGap']);
  // Writes that wait for the process are accepted together, so a reply may count a later write, too.
  for (const [at, end] of [4, 6, 0, 1, 0, 8, 8].entries()) t.ok((answers[at]?.result?.accepted ?? 0) >= end);
  t.equal((await view.reply).result.exitCode, 0);
  t.equal(view.text(), 'abcdefgh');
  t.same(view.problems, []);
});

t.test('next writer is told how much input was accepted when some of it still waits', async (t) => {
  const server = await startServer(t, { flags: ['--max-stdin-bytes', '64k'] });
  const [one, two] = [await connect(server), await connect(server)];
  const key = newKey();
  // The command reads nothing before SIGCONT.
  const command = ['sh', '-c', 'echo stopped; kill -STOP $$; exec cat'];
  const first = View.start(one, { command, detachable: { key } });
  await first.said('stopped');
  const [taken, waiting, own] = ['a'.repeat(300_000), 'b'.repeat(1000), 'c'.repeat(500)];
  t.same((await first.write(taken)).result, { accepted: taken.length });
  const unanswered = first.write(waiting);
  const second = await View.attach(two, key, { takeover: true }).begun();
  const { stdinAccepted } = second.attached;
  t.equal(stdinAccepted, taken.length + waiting.length);
  const answered = second.write(own, { offset: stdinAccepted, closeStdin: true });
  await second.ask('signal', { signal: 'SIGCONT' });
  t.equal(
    (await unanswered).error,
    undefined,
    'input that waited reaches the command although another view writes now',
  );
  t.same((await answered).result, { accepted: taken.length + waiting.length + own.length });
  t.equal((await second.reply).result.exitCode, 0);
  t.ok(second.text() === `stopped\n${taken}${waiting}${own}`, 'all three, once and in order');
  t.same([...first.problems, ...second.problems], []);
});

t.test('view gets a stream from its oldest byte when it names a position of the other stream only', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const command = ['sh', '-c', 'printf 123; printf abc >&2; exec cat'];
  const view = View.start(client, { command, detachable: { key, ttlMs: 3_600_000 } });
  await view.said('123');
  await view.said('abc', 'stderr');
  const one = View.attach(client, key, { role: 'observer', from: { stderr: 2 } });
  await one.said('123');
  await one.said('c', 'stderr');
  t.equal(
    await refusal(View.attach(client, key, { role: 'observer', from: { stderr: 4 } }).reply),
    '-32602 offsetAhead',
  );
  await view.write('', { closeStdin: true });
  await Promise.all([view.reply, one.reply]);
  t.same([one.text(), one.text('stderr')], ['123', 'c']);
  t.same([...view.problems, ...one.problems], []);
});

t.test('forgotten command still gives its views the rest, and its key is free at once', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const view = View.start(client, { command: ['printf', '12345'], detachable: { key } });
  await view.reply;
  const slow = await View.attach(client, key, { window: { bytes: 1 } }).begun();
  t.same((await client.request('command/exec/forget', { key })).result, {});
  t.equal(await refusal(View.attach(client, key).reply), '-32600 keyNotFound');
  const other = View.start(client, { command: ['printf', 'other'], detachable: { key } });
  t.equal((await other.reply).result.exitCode, 0);
  t.equal(other.text(), 'other');
  slow.onEvent = () => slow.acknowledge(slow.next.stdout ?? 0);
  slow.acknowledge(1);
  t.equal((await slow.reply).result.exitCode, 0);
  t.equal(slow.text(), '12345');
  t.same([...view.problems, ...slow.problems, ...other.problems], []);
});

t.test('server goes on when a terminal that it follows writes sequences that would harm it', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const harm = [
    '\\033[24;80H\\033[1J', // an error of the library
    '\\033[2147483647S\\033[2147483647L\\033[2147483647T', // minutes of work
    'x\\033[2147483647b', // 8 GB
  ];
  for (const output of harm) {
    const key = newKey();
    const command = ['sh', '-c', `printf '${output}'; printf '\\033[2J\\033[Hstill here'; exec cat`];
    const view = View.start(client, { command, tty: true, detachable: { key, replayBytes: 0 } });
    await view.said('still here');
    const observer = View.attach(client, key, { role: 'observer', screen: true });
    await observer.until('the screen came', () => observer.screen !== undefined);
    t.match(Buffer.from(observer.screen.deltaBase64, 'base64').toString(), /still here/);
    await view.ask('terminate');
    await Promise.all([view.reply, observer.reply]);
    t.same([...view.problems, ...observer.problems], []);
  }
});

t.test('screen is refused, and the command goes on, when the terminal is too large', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const size = { rows: 65_535, cols: 65_535 };
  const view = await View.start(client, { command: CAT, tty: true, size, detachable: { key } }).begun();
  await view.write('hello\n');
  await view.said('hello');
  const { error } = await View.attach(client, key, { role: 'observer', screen: true }).reply;
  t.match(error, { code: -32001, data: { reason: 'serverOverloaded', bound: 'screenCells' } });
  await view.write('still here\n');
  await view.said('still here');
  await view.ask('terminate');
  await view.reply;
  t.same(view.problems, []);
});
