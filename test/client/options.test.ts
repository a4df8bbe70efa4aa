// What connect and the calls of a box refuse before anything is sent: URLs, options that do not exist, numbers that make no sense. Knows no server
// but one in memory.
import t from 'tap';
import { connect as connectByNode } from '../../client/src/node.js';
import { failureOf, fakeSetup } from './fake-box.js';

t.test('connect refuses what is no URL', async (t) => {
  for (const url of [undefined, null, '', 4500, {}]) {
    const error = await failureOf(connectByNode(url as never));
    t.match(error, { name: 'TypeError', message: /^connect needs the URL of a server/ }, String(url));
  }
});

t.test('connect shows no user name and no password when it fails', async (t) => {
  const urls = [
    'ws://user:secret@127.0.0.1:1',
    'ws://user:secret@127.0.0.1:1/path?key=abc',
    'ws://user:sec/secret@127.0.0.1:1',
    'ws://user:sec?secret@127.0.0.1:1',
    'ws://user:secret@',
    'http+x://user:secret@127.0.0.1:1/',
    'user:secret@127.0.0.1',
  ];
  for (const url of urls) {
    const error = (await failureOf(connectByNode(url, { connectTimeout: 1_000 }))) as Error;
    t.ok(error instanceof Error, url);
    for (let thrown: unknown = error; thrown instanceof Error; thrown = thrown.cause) {
      t.notMatch(`${thrown.message} ${JSON.stringify(thrown)}`, /secret/, url);
    }
  }
});

t.test('a call names the nearest right option when an option does not exist', async (t) => {
  const { connect } = fakeSetup();
  t.match(await failureOf(connectByNode('ws://127.0.0.1:1', { conectTimeout: 5 } as never)), {
    name: 'TypeError',
    message: 'connect has no option conectTimeout; did you mean connectTimeout?',
  });
  const box = await connect();
  const calls: [call: () => unknown, message: string][] = [
    [() => box.exec(['true'], { timeoutMs: 5 } as never), 'exec has no option timeoutMs; did you mean timeout?'],
    [() => box.exec(['true'], { qwertyuiop: 1 } as never), 'exec has no option qwertyuiop'],
    [() => box.exec(['true'], { constructor: 1 } as never), 'exec has no option constructor'],
    [() => box.exec(['true'], { detachable: { tll: 5 } } as never), 'detachable has no option tll; did you mean ttl?'],
    [() => box.terminal(['true'], { col: 5 } as never), 'terminal has no option col; did you mean cols?'],
    [() => box.attach('key', { input: '' } as never), 'attach has no option input'],
    [() => box.attachTerminal('key', { rol: 'x' } as never), 'attachTerminal has no option rol; did you mean role?'],
    [() => box.shell({ shel: 'sh' } as never), 'shell has no option shel; did you mean shell?'],
  ];
  for (const [call, message] of calls) t.throws(call, { name: 'TypeError', message });
  t.doesNotThrow(
    () => void box.exec(['true'], { other: undefined } as never).catch(() => {}),
    'undefined is not given',
  );
  await box.close();
});

t.test('a call refuses numbers that make no sense', async (t) => {
  const { server, connect } = fakeSetup();
  t.match(
    await failureOf(connectByNode('ws://127.0.0.1:1', { connectTimeout: Number.NaN })),
    /connectTimeout has to be a number from 0 on, not NaN/,
  );
  t.match(
    await failureOf(connectByNode('ws://127.0.0.1:1', { reconnect: { maxMs: -1 } })),
    /reconnect: maxMs has to be a number from 0 on, not -1/,
  );
  const box = await connect();
  const wrong: [options: object, message: RegExp][] = [
    [{ maxBuffer: -1 }, /^exec: maxBuffer has to be a number from 0 on, not -1$/],
    [{ maxBuffer: Number.NaN }, /maxBuffer has to be .* not NaN/],
    [{ maxBuffer: '10' }, /maxBuffer has to be .* not 10/],
    [{ maxBuffer: { head: 1, tail: -1 } }, /maxBuffer: tail has to be .* not -1/],
    [{ timeout: Number.NaN }, /timeout has to be .* not NaN/],
    [{ timeout: Number.POSITIVE_INFINITY }, /timeout has to be .* not Infinity/],
    [{ timeout: -1 }, /timeout has to be .* not -1/],
    [{ window: 0 }, /window has to be a number from 1 on, not 0/],
    [{ forceKillAfter: '5' }, /forceKillAfter has to be .* not 5/],
    [{ detachable: { ttl: -1 } }, /detachable: ttl has to be .* not -1/],
  ];
  for (const [options, message] of wrong) t.throws(() => box.exec(['true'], options), { name: 'TypeError', message });
  t.throws(() => box.terminal(['sh'], { cols: 0 }), /cols has to be a number from 1 on/);
  t.equal(server.commands.length, 0, 'nothing was sent');
  t.doesNotThrow(() => box.exec(['true'], { maxBuffer: Number.POSITIVE_INFINITY, timeout: 0 }).catch(() => {}));
  await box.close();
});
