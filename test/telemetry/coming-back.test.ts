/** Shows what the log, the metrics and the traces say of commands that outlive their connections. */
import t from 'tap';
import { startServer, type TestServer } from '../support/server.js';
import { until } from '../support/until.js';
import { newKey, View } from '../support/view.js';
import { startReceiver } from './otlp-receiver.js';

const EXPERIMENTAL = { experimentalApi: true };

async function metric(server: TestServer, name: string): Promise<number> {
  const { body } = await server.get('/metrics');
  return Number(new RegExp(`^execwire_${name} (\\S+)$`, 'm').exec(body)?.[1]);
}

/** Lines of the log about one key, as `message why`. */
function linesOf(server: TestServer, key: string): string[] {
  return server.lines.flatMap((line) => {
    if (!line.startsWith('{') || !line.includes(key)) return [];
    const { msg, why = '', role = '' } = JSON.parse(line) as { msg: string; why?: string; role?: string };
    return [[msg, role, why].join(' ').trim()];
  });
}

t.test(
  'detachable commands are counted, and the log names clients that come, leave, lose bytes or do not come back',
  async (t) => {
    const server = await startServer(t, { flags: ['--max-detached', '300ms'] });
    const [one, two] = [await server.session(EXPERIMENTAL), await server.session(EXPERIMENTAL)];
    const key = newKey();
    const detachable = { key, replayBytes: 4096, ttlMs: 299 };
    const command = ['sh', '-c', 'head -c 100000 /dev/zero; exec cat'];
    const first = View.start(one, { command, detachable });
    await first.until('all is there', () => first.next.stdout === 100_000);
    t.equal(await metric(server, 'commands_detached'), 0);
    t.ok((await metric(server, 'replay_bytes')) > 0);
    const second = View.attach(two, key, { takeover: true, from: { stdout: 0 } });
    await second.until('all is there', () => second.next.stdout === 100_000);
    const lost = second.gaps.reduce((sum, { from, to }) => sum + to - from, 0);
    t.same(
      await Promise.all(['takeovers_total', 'gaps_total', 'gap_bytes_total'].map((name) => metric(server, name))),
      [1, 1, lost],
    );
    await second.ask('detach');
    await until('the command has expired', async () => (await metric(server, 'commands_expired_total')) === 1);
    await until('the log has its end', () => linesOf(server, key).at(-1)?.includes('ended') === true);
    t.same(linesOf(server, key), [
      'detachable command started writer',
      'detached writer takeover',
      'attached writer',
      'gap writer',
      'detached writer requested',
      'detached command ended: nobody came back in time',
    ]);
    const longest = newKey();
    const left = await View.start(one, { command: ['cat'], detachable: { key: longest, ttlMs: 300 } }).begun();
    one.terminate();
    await until('the other has expired, too', async () => (await metric(server, 'commands_expired_total')) === 2);
    await until('the log says so', () =>
      /nobody came back within --max-detached/.test(linesOf(server, longest).at(-1) ?? ''),
    );
    await until('nothing is held', async () => (await metric(server, 'replay_bytes')) === 0);
    t.same([left.problems, second.problems], [[], []]);
  },
);

t.test('span of a request that comes back is linked to the span of the command', async (t) => {
  const receiver = await startReceiver(t);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, TRACEPARENT: '', TRACESTATE: '' };
  const server = await startServer(t, { env, warm: false });
  const client = await server.session(EXPERIMENTAL);
  const key = newKey();
  const first = await View.start(client, { command: ['cat'], detachable: { key } }).begun();
  const second = View.attach(client, key, { takeover: true });
  const third = View.start(client, { command: ['cat'], detachable: { key } });
  await third.begun();
  await third.write('', { closeStdin: true });
  await Promise.all([first.reply, second.reply, third.reply]);
  await client.close();
  server.signal('SIGTERM');
  await server.exited;
  const command = receiver.spans.filter(({ name }) => name === 'command');
  t.equal(command.length, 1, 'one command, one span');
  const [{ spanId, traceId } = { spanId: '', traceId: '' }] = command;
  const linked = receiver.spans.filter(({ links }) => links.some((link) => link.spanId === spanId));
  t.same(new Set(linked.map(({ name }) => name)), new Set(['command/exec/attach', 'command/exec']));
  t.equal(linked.length, 2, 'the request that started the command is its parent and is not linked');
  for (const span of linked) t.not(span.traceId, traceId);
});
