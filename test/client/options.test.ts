// Shows which URLs, option names and numbers `connect` and the methods of a box refuse before they send anything. Uses no server but one in memory.
import t from 'tap';
import { forceKillAfterMs } from '../../client/src/defaults.js';
import { connect as connectByNode } from '../../client/src/node.js';
import { hostClock } from '../../client/src/platform.js';
import { failureOf, fakeSetup } from './fake-box.js';
import { settled } from './manual-clock.js';

t.test('connect rejects with TypeError when its URL is missing or is no string', async (t) => {
  for (const url of [undefined, null, '', 4500, {}]) {
    const error = await failureOf(connectByNode(url as never));
    t.match(error, { name: 'TypeError', message: /^connect needs the URL of a server/ }, String(url));
  }
});

t.test('connect shows no password of the URL when it fails', async (t) => {
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

t.test('method throws and names the most similar option when an option does not exist', async (t) => {
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
    'an unknown option that is undefined does not count',
  );
  await box.close();
});

t.test('method throws and names the option when a number is out of its range', async (t) => {
  const { server, connect } = fakeSetup();
  t.match(
    await failureOf(connectByNode('ws://127.0.0.1:1', { connectTimeout: Number.NaN })),
    /connectTimeout has to be a number from 0 to 2147483647, not NaN/,
  );
  t.match(
    await failureOf(connectByNode('ws://127.0.0.1:1', { reconnect: { maxMs: -1 } })),
    /reconnect: maxMs has to be a number from 0 on, not -1/,
  );
  const box = await connect();
  const wrong: [options: object, message: RegExp][] = [
    [{ maxBuffer: -1 }, /^exec: maxBuffer has to be a whole number from 0 on, not -1$/],
    [{ maxBuffer: 1.5 }, /maxBuffer has to be a whole number .* not 1.5/],
    [{ maxBuffer: { head: 0.5 } }, /maxBuffer: head has to be a whole number .* not 0.5/],
    [{ forceKillAfter: 3_600_001 }, /forceKillAfter has to be a number from 0 to 3600000, not 3600001/],
    [{ forceKillAfter: Number.POSITIVE_INFINITY }, /forceKillAfter has to be .* not Infinity/],
    [{ sandboxPolicy: { typ: 'readOnly' } }, /sandboxPolicy has no option typ; did you mean type\?/],
    [{ maxBuffer: Number.NaN }, /maxBuffer has to be .* not NaN/],
    [{ maxBuffer: '10' }, /maxBuffer has to be .* not 10/],
    [{ maxBuffer: { head: 1, tail: -1 } }, /maxBuffer: tail has to be .* not -1/],
    [{ timeout: Number.NaN }, /timeout has to be .* not NaN/],
    [{ timeout: Number.POSITIVE_INFINITY }, /timeout has to be .* not Infinity/],
    [{ timeout: -1 }, /timeout has to be .* not -1/],
    [{ window: 0 }, /window has to be a whole number from 1 on, not 0/],
    [{ forceKillAfter: '5' }, /forceKillAfter has to be .* not 5/],
    [{ detachable: { ttl: -1 } }, /detachable: ttl has to be .* not -1/],
  ];
  for (const [options, message] of wrong) t.throws(() => box.exec(['true'], options), { name: 'TypeError', message });
  t.throws(() => box.terminal(['sh'], { cols: 0 }), /cols has to be a whole number from 1 on/);
  for (const connectTimeout of [2 ** 31, Number.POSITIVE_INFINITY]) {
    t.match(await failureOf(connectByNode('ws://127.0.0.1:1', { connectTimeout })), /connectTimeout has to be/);
  }
  t.equal(server.commands.length, 0, 'nothing was sent');
  t.doesNotThrow(() => box.exec(['true'], { maxBuffer: Number.POSITIVE_INFINITY, timeout: 0 }).catch(() => {}));
  await box.close();
});

t.test('waitFor and shell.run reject when a time, an option or an expectation is not valid', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const shell = box.shell();
  const run = box.exec(['cat']);
  const term = box.terminal(['sh']);
  for (const timeout of [2 ** 31, Number.POSITIVE_INFINITY, Number.NaN, -5, '5', null]) {
    const options = { timeout } as never;
    const message = `timeout has to be a number from 0 to 2147483647, not ${timeout}`;
    t.match(await failureOf(shell.run('true', options)), { name: 'TypeError', message: `shell.run: ${message}` });
    t.match(await failureOf(run.waitFor('x', options)), { name: 'TypeError', message: `waitFor: ${message}` });
    t.match(await failureOf(term.waitFor('x', options)), { name: 'TypeError', message: `waitFor: ${message}` });
  }
  t.match(await failureOf(shell.run('true', { timout: 5 } as never)), {
    message: 'shell.run has no option timout; did you mean timeout?',
  });
  t.match(await failureOf(run.waitFor('x', { timeoutMs: 5 } as never)), {
    message: 'waitFor has no option timeoutMs; did you mean timeout?',
  });
  t.match(await failureOf(run.waitFor({ idle: 2 ** 31 })), {
    message: /^expectation: idle has to be a number from 0 to/,
  });
  for (const expectation of [5, true]) {
    t.match(await failureOf(run.waitFor(expectation as never)), { message: /^waitFor needs a text, a pattern or/ });
  }
  // The refused calls do not disturb a valid one.
  await settled();
  server.commands.find(({ params }) => params.command[0] === 'cat')?.write('stdout', 'right');
  t.match(await run.waitFor('right', { timeout: 2 ** 31 - 1 }), { match: 'right' });
  t.equal(server.commands.length, 2, 'the shell was not started');
  for (const command of server.commands) command.end(0);
  await run;
  await box.close();
});

t.test('timer of the host does not fire at once when its delay is longer than Node allows', async (t) => {
  for (const delay of [2 ** 31, Number.POSITIVE_INFINITY]) {
    let hasFired = false;
    const cancel = hostClock.after(delay, () => {
      hasFired = true;
    });
    // Node fires a timer with such a delay after 1 ms, which is before this timer of 2 ms.
    await new Promise((resolve) => setTimeout(resolve, 2));
    cancel();
    t.notOk(hasFired, String(delay));
  }
  t.equal(forceKillAfterMs(2 ** 31), 3_600_000, 'a number that no check refused is cut to what the server accepts');
});
