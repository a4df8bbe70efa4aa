// Shows what the commands print, and their exit codes, when a server answers wrongly or not at all, and that signals still end them.
// Long because each wrong answer meets each command.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { until } from '../support/until.js';
import { CliProcess, cliSetup, endOf } from './cli-process.js';
import { fakeServer, GOOD_SERVER } from './fake-server.js';

const KEY = 'a-key-that-is-long-enough';
const ROW = { processId: null, pid: 7, tty: false, state: 'running', startedAtMs: 0, key: KEY };
/** A server that answers well, in whose terminals the program runs. */
const local = await cliSetup(t);
/** Results that no execwire server sends, and the commands that ask for them. */
const WRONG: readonly (readonly [results: readonly unknown[], commands: readonly (readonly string[])[]])[] = [
  [
    [
      null,
      'text',
      { commands: null },
      { commands: [null] },
      { commands: [{}] },
      { commands: [{ ...ROW, command: 'text' }] },
    ],
    [['ls'], ['top', '--json'], ['kill', KEY]],
  ],
  [
    [null, 'text', [], { exitCode: 256 }, { exitCode: '0' }, { exitCode: null }, { exitCode: -1 }, { exitCode: 0.5 }],
    [['exec', 'true'], ['exec', '--json', 'true'], ['doctor']],
  ],
];

t.test(
  'commands say in one line that a result is not valid, and never end with 0, when a server sends one',
  async (t) => {
    for (const [results, commands] of WRONG) {
      for (const wrong of results) {
        const env = { EXECWIRE_URL: await fakeServer(t, () => ({ result: wrong })) };
        const ends = commands.map(async (args) => ({ args, end: await new CliProcess(args, { env }).ended }));
        for (const { args, end } of await Promise.all(ends)) {
          const title = `${args.join(' ')}: ${JSON.stringify(wrong)}: ${end.stderr}${end.stdout}`;
          const isDoctor = args[0] === 'doctor';
          t.ok(isDoctor ? end.code === 1 : end.code === 125 || end.code === 255, `${end.code} of ${title}`);
          if (!isDoctor) t.match(end.stderr, /^execwire: [^\n]+\n$/, title);
          t.notMatch(end.stderr, /outcome is unknown.*outcome is unknown/i, title);
          t.notMatch(end.stdout + end.stderr, /^undefined$|\n {4}at /m, title);
          if (args.includes('--json')) t.match(JSON.parse(end.stdout), { error: { message: String } }, title);
        }
      }
    }
  },
);

t.test('commands end with an error and no stack trace when the reply to initialize is not valid', async (t) => {
  for (const wrong of [null, 'text', { limits: null, serverInfo: { name: {} } }]) {
    const url = await fakeServer(t, () => ({ result: null }), wrong);
    for (const args of [['ls'], ['exec', 'true'], ['exec', '-d', 'true'], ['doctor']]) {
      const { code, stdout, stderr } = await new CliProcess(args, { env: { EXECWIRE_URL: url } }).ended;
      const title = `${args.join(' ')}: ${JSON.stringify(wrong)}: ${stderr}${stdout}`;
      t.ok([1, 125, 255].includes(code ?? 0), `${code} of ${title}`);
      t.notMatch(stdout + stderr, /^undefined$|\n {4}at /m, title);
    }
  }
});

t.test('commands speak TLS first when the URL begins with wss', async (t) => {
  const firstBytes: number[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      firstBytes.push(bytes[0] ?? -1);
      socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `wss://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const args of [['ls'], ['cp', ':/etc/hostname', '-']]) {
    const { code, stderr } = await new CliProcess(args, { env: { EXECWIRE_URL: url } }).ended;
    t.equal(code, 125, stderr);
    t.match(stderr, /^execwire: [^\n]+\n$/);
  }
  const TLS_HANDSHAKE = 0x16;
  t.same(firstBytes, [TLS_HANDSHAKE, TLS_HANDSHAKE]);
  server.close();
});

t.test('commands print no control characters when a server sends some', async (t) => {
  const key = 'key-\u001b]0;title\u0007-and-more';
  const url = await fakeServer(t, ({ method }) =>
    method === 'command/exec/list'
      ? { result: { commands: [{ ...ROW, key, state: 'run\u001b[2Jning', command: ['a\u001b[31m'] }] } }
      : undefined,
  );
  for (const args of [['ls'], ['ls', '-q'], ['top', '--once']]) {
    const { code, stdout } = await new CliProcess(args, { env: { EXECWIRE_URL: url } }).ended;
    t.equal(code, 0);
    t.notOk(stdout.includes('\u001b'), stdout);
  }
  const refusing = await fakeServer(t, ({ id }, socket) => {
    socket.send(
      JSON.stringify({ id, error: { code: -32600, message: 'no\u001b[2J\nand no', data: { reason: 'policy' } } }),
    );
    return undefined;
  });
  const refused = await new CliProcess(['exec', '--json', 'true'], { env: { EXECWIRE_URL: refusing } }).ended;
  t.match(refused, { code: 125, stderr: 'execwire: no?[2J and no\n' });
  t.same(JSON.parse(refused.stdout), { error: { message: 'no?[2J and no', exitCode: 125, reason: 'policy' } });
});

t.test(
  'exec and attach end with 255 and name the command that comes back when they get a signal and the server hangs',
  async (t) => {
    const setup = await cliSetup(t);
    const script = 'echo ready; exec sleep 60';
    const piped = setup.start(['exec', '--', 'sh', '-c', script]);
    const twice = setup.start(['exec', '--', 'sh', '-c', script]);
    const { stdout } = await setup.run(['exec', '-d', '--', 'sh', '-c', script]);
    const key = stdout.trim();
    const attached = setup.start(['attach', key]);
    const followed = setup.start(['logs', '-f', key]);
    for (const each of [piped, twice, attached, followed]) await each.untilSaid(/ready\n/);
    setup.server.signal('SIGSTOP');
    try {
      piped.child.kill('SIGINT');
      attached.child.kill('SIGTERM');
      followed.child.kill('SIGINT');
      twice.child.kill('SIGINT');
      const again = setInterval(() => twice.child.kill('SIGTERM'), 50);
      t.match(await twice.ended, {
        code: 255,
        stderr:
          /^execwire: left by SIGTERM: the server does not answer, [^\n]*; `execwire attach \S+` comes back to it\n$/,
      });
      clearInterval(again);
      t.match(await piped.ended, {
        code: 255,
        stderr:
          /^execwire: left by SIGINT: the server does not answer, [^\n]*; `execwire attach \S+` comes back to it\n$/,
      });
      t.match(await attached.ended, {
        code: 255,
        stderr: new RegExp(`left by SIGTERM: the server does not answer, .*attach ${key}`),
      });
      t.match(await followed.ended, { code: 130, stderr: /left by SIGINT; the command goes on; / });
    } finally {
      setup.server.signal('SIGCONT');
    }
    // The exit code is not checked, because a signal that was sent above may have ended this command already.
    await setup.run(['kill', key]);
  },
);

t.test(
  'exec starts nothing when --sandbox is given and the server does not say that it enforces policies',
  async (t) => {
    const asked: string[] = [];
    const url = await fakeServer(t, ({ method }) => void asked.push(method), GOOD_SERVER);
    for (const flags of [[], ['-d']]) {
      const args = ['exec', ...flags, '--sandbox', 'readOnly', '--', 'true'];
      t.match(await new CliProcess(args, { env: { EXECWIRE_URL: url } }).ended, {
        code: 125,
        stderr: 'execwire: --sandbox: this server does not say that it enforces policies; nothing was started\n',
      });
    }
    t.same(asked, []);
  },
);

t.test('exec -d does not say that nothing was started when another server has been asked since', async (t) => {
  let starts = 0;
  const url = await fakeServer(t, ({ id, method }, socket) => {
    if (method !== 'command/exec') return { result: {} };
    starts += 1;
    const error = { code: -32004, message: 'server is draining', data: { reason: 'serverDraining' } };
    if (starts === 1) socket.send(JSON.stringify({ id, error }));
    return undefined;
  });
  const waiting = new CliProcess(['exec', '-d', '--', 'sleep', '60'], { env: { EXECWIRE_URL: url } });
  await until('the second start is sent', () => starts === 2);
  waiting.child.kill('SIGTERM');
  t.match(await waiting.ended, {
    code: 255,
    stderr: /left by SIGTERM before the server said whether the command runs; /,
  });
});

t.test('exec says that the server drains, and that nothing was started when a signal ends the wait', async (t) => {
  const url = await fakeServer(t, ({ id, method }, socket) => {
    const error = { code: -32004, message: 'server is draining', data: { reason: 'serverDraining' } };
    if (method === 'command/exec') socket.send(JSON.stringify({ id, error }));
    return undefined;
  });
  const said = 'execwire: the server drains and takes no new command; trying on\n';
  for (const [flags, signal, code] of [
    [[], 'SIGINT', 130],
    [['--json'], 'SIGTERM', 143],
    [['-d'], 'SIGTERM', 143],
    [['--key', KEY], 'SIGHUP', 129],
  ] as const) {
    const waiting = new CliProcess(['exec', ...flags, '--', 'true'], { env: { EXECWIRE_URL: url } });
    await waiting.untilSaid(/trying on\n/, 'stderr');
    waiting.child.kill(signal);
    t.match(await waiting.ended, { code, stderr: `${said}execwire: left by ${signal}: the command was not started\n` });
  }
  const local = await cliSetup(t);
  const term = local.inTerminal(['exec', '-it', '--', 'true'], { env: { EXECWIRE_URL: url } });
  await term.waitFor('trying on');
  await term.kill('SIGTERM');
  const { code, text } = await endOf(term);
  t.equal(code, 143);
  t.match(text, 'left by SIGTERM: the command was not started');
  t.notMatch(text, /unknown|unforeseen/);
});

t.test('exec gives a start up that is refused after the signal', async (t) => {
  const local = await cliSetup(t);
  const error = { code: -32004, message: 'server is draining', data: { reason: 'serverDraining' } };
  for (const flags of [[], ['-d'], ['-it']]) {
    let starts = 0;
    let refuse = (): void => {};
    const url = await fakeServer(t, ({ id, method }, socket) => {
      if (method !== 'command/exec') return undefined;
      starts += 1;
      refuse = () => socket.send(JSON.stringify({ id, error }));
      if (starts === 1) refuse();
      return undefined;
    });
    const args = ['exec', ...flags, '--', 'true'];
    const env = { EXECWIRE_URL: url };
    const inTerminal = flags.includes('-it') ? local.inTerminal(args, { env }) : undefined;
    const onPipes = inTerminal === undefined ? new CliProcess(args, { env }) : undefined;
    await until('the second start is sent', () => starts === 2);
    await inTerminal?.kill('SIGTERM');
    onPipes?.child.kill('SIGTERM');
    // The program has taken the signal by then, or takes it before the start is tried again.
    await setTimeout(100);
    refuse();
    const { code, stderr } = (await onPipes?.ended) ?? { code: undefined, stderr: '' };
    const shown = inTerminal === undefined ? undefined : await endOf(inTerminal);
    t.equal(shown?.code ?? code, 143, args.join(' '));
    t.match(shown?.text ?? stderr, 'left by SIGTERM: the command was not started', args.join(' '));
  }
});

t.test('exec -d ends with 255 when it gets a signal before the server answers', async (t) => {
  let asked: () => void = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const url = await fakeServer(t, () => void asked(), GOOD_SERVER);
  const left = new CliProcess(['exec', '-d', '--', 'true'], { env: { EXECWIRE_URL: url } });
  await isAsked;
  left.child.kill('SIGINT');
  t.match(await left.ended, {
    code: 255,
    stdout: '',
    stderr: /^execwire: left by SIGINT before the server said [^\n]*`execwire ls`[^\n]*\n$/,
  });
});

t.test('exec -it restores the terminal and ends with 255 when it gets a signal and the server hangs', async (t) => {
  const setup = await cliSetup(t);
  const line = `$CLI exec -it -- sh -c 'echo ready; exec sleep 60'`;
  const script = `before=$(stty -g); ${line}; code=$?; [ "$before" = "$(stty -g)" ] && echo "same $code"`;
  const term = local.program(['bash', '-c', script], { env: { EXECWIRE_URL: setup.url } });
  await term.waitFor('ready');
  setup.server.signal('SIGSTOP');
  try {
    const { pid } = await term.started;
    await local.box.exec(['pkill', '-TERM', '-P', String(pid), '-f', 'exec -it']);
    const { before } = await term.waitFor('same 255');
    t.match(before, /execwire: left by SIGTERM: the server does not answer/);
  } finally {
    setup.server.signal('SIGCONT');
  }
  await term.result;
});

t.test('exec -it sends one size at a time, and the last one, when its window changes all the time', async (t) => {
  const sizes: unknown[] = [];
  let unanswered = 0;
  let most = 0;
  let answer: () => void = () => {};
  let onResize: () => void = () => {};
  const url = await fakeServer(t, ({ id, method, params }, socket) => {
    if (method === 'command/exec/resize') {
      sizes.push(params.size);
      unanswered += 1;
      most = Math.max(most, unanswered);
      answer = () => {
        unanswered -= 1;
        socket.send(JSON.stringify({ id, result: {} }));
      };
      onResize();
    }
    return method === 'command/exec/write' ? { result: { accepted: 1 } } : undefined;
  });
  const until = async (isThere: () => boolean): Promise<void> => {
    while (!isThere()) await new Promise<void>((resolve) => (onResize = resolve));
  };
  const term = local.inTerminal(['exec', '-it', '--', 'true'], { env: { EXECWIRE_URL: url }, cols: 80, rows: 24 });
  await term.started;
  // Changes the size until exec has begun to send sizes.
  for (let cols = 81; sizes.length === 0; cols += 1) {
    await term.resize({ cols: 81 + (cols % 2), rows: 24 });
    await setTimeout(20);
  }
  for (let cols = 90; cols < 120; cols += 1) await term.resize({ cols, rows: 24 });
  const last = { cols: 120, rows: 30 };
  await term.resize(last);
  while (JSON.stringify(sizes.at(-1)) !== JSON.stringify({ rows: 30, cols: 120 })) {
    answer();
    const seen = sizes.length;
    await until(() => sizes.length > seen);
  }
  t.equal(most, 1, `${sizes.length} sizes`);
  await term.kill('SIGKILL');
});

t.test('top ends with 130 on ctrl-c when the server hangs', async (t) => {
  const url = await fakeServer(t, () => undefined);
  const term = local.inTerminal(['top'], { env: { EXECWIRE_URL: url } });
  await term.waitFor('\u001b[?1049h');
  await term.write('\u0003');
  t.equal((await endOf(term)).code, 130);
});

t.test('SIGUSR1 opens no debugger in a command that talks to a server', async (t) => {
  const piped = local.start(['exec', '--', 'sh', '-c', 'echo ready; exec sleep 60']);
  await piped.untilSaid(/ready\n/);
  piped.child.kill('SIGUSR1');
  piped.child.kill('SIGTERM');
  t.match(await piped.ended, { code: 143, stderr: '' });
});
