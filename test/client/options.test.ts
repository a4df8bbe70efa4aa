// Shows which URLs, option names and numbers `connect` and the methods of a box refuse before they send anything. Uses no server but one in memory.
// Long because each option is a case.
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

t.test(
  'connect says how to name a server when its URL is an object, or the path of a socket that cannot be',
  async (t) => {
    t.match(await failureOf(connectByNode(new URL('ws://127.0.0.1:1') as never)), {
      name: 'TypeError',
      message: 'connect takes the URL as a text: `url.href`',
    });
    for (const path of ['/tmp/a#b', '/tmp/a b', '/tmp/a:b', '/tmp/é']) {
      const odd = JSON.stringify([...path].find((character) => !/[\w/]/.test(character)));
      t.match(await failureOf(connectByNode(`unix://${path}`)), {
        name: 'TypeError',
        message: `connect: the path of a socket cannot have ${odd} in it; a link can name it`,
      });
    }
    t.match(await failureOf(connectByNode('unix:///no/such-socket?key=a:b')), { name: 'ConnectError', code: 'ENOENT' });
  },
);

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
    [
      () => box.exec(['ls'], { shell: true } as never),
      "exec has no option shell; a shell is a command here: ['sh', '-c', '…']",
    ],
    [() => box.exec(['ls'], { cancelSignal: 1 } as never), 'exec has no option cancelSignal; it is `signal` here'],
    [
      () => box.exec(['ls'], { stdio: 'inherit' } as never),
      'exec has no option stdio; `input` and `stdin` say what it reads; `run.stdout` and `run.stderr` are what it writes',
    ],
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
    [{ maxBuffer: '10' }, /maxBuffer has to be .* not "10"$/],
    [{ maxBuffer: { head: 1, tail: -1 } }, /maxBuffer: tail has to be .* not -1/],
    [{ timeout: Number.NaN }, /timeout has to be .* not NaN/],
    [{ timeout: Number.POSITIVE_INFINITY }, /timeout has to be .* not Infinity/],
    [{ timeout: -1 }, /timeout has to be .* not -1/],
    [{ window: 0 }, /window has to be a whole number from 1 on, not 0/],
    [{ forceKillAfter: '5' }, /forceKillAfter has to be .* not "5"$/],
    [{ detachable: { ttl: -1 } }, /detachable: ttl has to be .* not -1/],
    [{ timeout: 0.5 }, /^exec: timeout has to be a whole number of milliseconds from 0 on, not 0.5$/],
    [{ detachable: { ttl: 1.5 } }, /^detachable: ttl has to be a whole number of milliseconds from 0 on, not 1.5$/],
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
    const message = `timeout has to be a number from 0 to 2147483647, not ${timeout === '5' ? '"5"' : timeout}`;
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
  for (const expectation of [undefined, null, 5, true, {}, [], { idel: 5 }, () => true]) {
    t.match(await failureOf(run.waitFor(expectation as never)), {
      name: 'TypeError',
      message: /^waitFor: expectation has to be a text, a pattern or \{ idle: milliseconds \}, not /,
    });
  }
  t.match(await failureOf(shell.run('true', null as never)), {
    message: /^shell.run takes an object with .* not null$/,
  });
  t.match(await failureOf(run.waitFor('x', 5 as never)), { message: /^waitFor takes an object with .* not 5$/ });
  for (const line of [undefined, null, 5, ['ls', '-l']]) {
    t.match(await failureOf(shell.run(line as never)), { message: /^shell.run: line has to be a text, not / });
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

t.test('method throws, names the option and says what it has to be, when a value is of the wrong kind', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const controller = new AbortController();
  const wrong: [options: object, message: string | RegExp][] = [
    [{ encoding: 'buffer' }, `exec: encoding has to be 'utf8' or 'bytes', not "buffer"`],
    [{ encoding: null }, `exec: encoding has to be 'utf8' or 'bytes', not null`],
    [
      { stdin: 'inherit' },
      "exec: stdin has to be 'pipe' or 'ignore' (`input: process.stdin` gives the command what this program reads), not \"inherit\"",
    ],
    [{ signal: 'SIGTERM' }, 'exec: signal has to be an AbortSignal, such as `controller.signal`, not "SIGTERM"'],
    [
      { signal: controller },
      'exec: signal has to be an AbortSignal, such as `controller.signal`, not an object of the class AbortController',
    ],
    [
      { cwd: new URL('file:///tmp') },
      'exec: cwd has to be a text, not an object of the class URL; `fileURLToPath` makes a path of it',
    ],
    [{ cwd: null }, 'exec: cwd has to be a text, not null'],
    [{ env: { PORT: 8080 } }, 'exec: env.PORT has to be a text, or null to take the variable away, not 8080'],
    [{ env: new Map([['A', '1']]) }, /^exec: env has to be .* not an object of the class Map$/],
    [{ env: ['A=1'] }, /^exec: env has to be .* not an array$/],
    [{ reject: 'false' }, 'exec: reject has to be true or false, not "false"'],
    [{ buffer: 0 }, 'exec: buffer has to be true or false, not 0'],
    [{ detachable: 'yes' }, 'exec: detachable has to be true, false or an object, not "yes"'],
    [{ detachable: { whenFull: 'wait' } }, `detachable: whenFull has to be 'pause' or 'drop', not "wait"`],
    [{ detachable: { key: 5 } }, 'detachable: key has to be a text, not 5'],
    [{ sandboxPolicy: 'readOnly' }, 'exec: sandboxPolicy has to be an object, not "readOnly"'],
    [{ sandboxPolicy: {} }, 'sandboxPolicy: type has to be a text, not undefined'],
  ];
  for (const [options, message] of wrong) t.throws(() => box.exec(['true'], options), { name: 'TypeError', message });
  const calls: [call: () => unknown, message: RegExp][] = [
    [() => box.shell({ shell: 'zsh' as never }), /^shell: shell has to be 'bash' or 'sh', not "zsh"$/],
    [() => box.shell('bash' as never), /^shell takes an object with cwd, env, window …, not "bash"$/],
    [
      () => box.attach('key', { role: 'watcher' as never }),
      /^attach: role has to be 'writer' or 'observer', not "watcher"$/,
    ],
    [() => box.attach('key', { from: 5 as never }), /^attach: from has to be an object, not 5$/],
    [() => box.attach('key', { from: { stdout: -1 } }), /^from: stdout has to be a whole number from 0 on, not -1$/],
    [() => box.attachTerminal('key', { screen: 'yes' as never }), /^attachTerminal: screen has to be true or false/],
    [() => box.exec(['true'], null as never), /^exec takes an object with input, stdin, cwd …, not null$/],
    [() => box.exec(['true'], '/tmp' as never), /^exec takes an object with .*, not "\/tmp"$/],
  ];
  for (const [call, message] of calls) t.throws(call, { name: 'TypeError', message });
  const connecting: [options: unknown, message: RegExp][] = [
    [{ token: null }, /^connect: token has to be a text, or a function that gives one, not null$/],
    [{ token: 5 }, /^connect: token has to be .*, not 5$/],
    [{ reconnect: 5_000 }, /^connect: reconnect has to be true, false or an object, not 5000$/],
    [{ onStatus: true }, /^connect: onStatus has to be a function, not true$/],
    [
      { notifications: { 'server/draining': 1 } },
      /^connect: notifications.server\/draining has to be a function, not 1$/,
    ],
    [{ name: 5 }, /^connect: name has to be a text, not 5$/],
    ['token', /^connect takes an object with token, name, version …, not "token"$/],
  ];
  for (const [options, message] of connecting) {
    const error = await failureOf(connectByNode('ws://127.0.0.1:1', options as never));
    t.match(error, { name: 'TypeError', message });
  }
  t.equal(server.commands.length, 0, 'nothing was sent');
  const right = {
    signal: controller.signal,
    env: { A: '1', B: null, C: undefined as never },
    stdin: 'pipe',
    encoding: 'bytes',
  } as const;
  t.doesNotThrow(() => box.exec(['true'], right).catch(() => {}));
  await box.close();
});

t.test(
  'method says how to call it when a command, a key, a size or a stream is missing or of the wrong kind',
  async (t) => {
    const { server, connect } = fakeSetup();
    const box = await connect();
    const term = box.terminal(['sh']);
    const run = box.exec(['cat']);
    const calls: [call: () => unknown, message: string][] = [
      [
        () => box.exec('echo' as never, ['x'] as never),
        'exec takes program and arguments as one array; did you mean exec(["echo","x"])?',
      ],
      [
        () => box.exec('ls -l' as never),
        'exec takes program and arguments as one array; did you mean exec(["sh","-c","ls -l"])?',
      ],
      [
        () => box.terminal('bash' as never, { cols: 80 }),
        'terminal takes program and arguments as one array; did you mean terminal(["sh","-c","bash"])?',
      ],
      [() => box.exec(['sleep', 5] as never), 'exec: word 1 of the command has to be a text, not 5'],
      [() => box.exec(undefined as never), "A command is an array of strings; for shell syntax use ['sh', '-c', '…']"],
      [() => box.attach(undefined as never), 'attach needs the key of a command, such as `run.key`, not undefined'],
      [() => box.attach(''), 'attach needs the key of a command, such as `run.key`, not ""'],
      [
        () => box.attachTerminal({} as never),
        'attachTerminal needs the key of a command, such as `run.key`, not an object',
      ],
      [() => term.resize(undefined as never), 'resize takes an object with cols, rows, not undefined'],
      [() => term.resize(100 as never), 'resize takes an object with cols, rows, not 100'],
      [() => term.resize({ cols: 80 } as never), 'resize: rows has to be a whole number from 1 on, not undefined'],
      [() => run.kill(9 as never), "kill: a signal is a name such as 'SIGTERM', not 9"],
      [() => run.kill('INT'), `kill: a signal is a name such as 'SIGTERM', not "INT"; did you mean 'SIGINT'?`],
      [() => run.lines('nope' as never), `lines: stream has to be 'stdout' or 'stderr' or 'all', not "nope"`],
    ];
    for (const [call, message] of calls) t.throws(call, { name: 'TypeError', message });
    for (const call of [box.kill(undefined as never), box.forget(undefined as never)]) {
      t.match(await failureOf(call), { name: 'TypeError', message: /^(kill|forget) needs the key of a command/ });
    }
    await settled();
    t.equal(server.commands.length, 2, 'the wrong ones were not sent');
    for (const command of server.commands) command.end(0);
    await run;
    await box.close();
  },
);

t.test('command runs without a timeout when its timeout is 0', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const run = box.exec(['true'], { timeout: 0, reject: false });
  await settled();
  t.match(server.commands[0]?.params, { timeoutMs: undefined, disableTimeout: true });
  server.commands[0]?.end(124, { timedOut: undefined });
  t.match(await run, { exitCode: 124, timedOut: false, cause: 'exited' });
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
