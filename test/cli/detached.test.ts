// Shows `exec -d`, `ls`, `logs`, `attach` and `kill` through pipes: commands on the server that run on when the program has ended.
import { closeSync, openSync } from 'node:fs';
import t from 'tap';
import { until } from '../support/until.js';
import { cliSetup, endOf, untilShellAnswers } from './cli-process.js';

const KEY = /^[A-Za-z0-9._~-]{16,128}\n$/;
/** A server with its defaults, one for most tests, because to start one takes more of the processor than most of them. */
const setup = await cliSetup(t);

t.test(
  'exec -d prints a key, and the other commands take that key while the command runs and after its end',
  async (t) => {
    const script = 'echo out; echo err >&2; read line; echo "read $line"; exit 5';
    const started = await setup.run(['exec', '-d', '-i', '--', 'sh', '-c', script], { hasNoInput: true });
    t.match(started, {
      code: 0,
      stdout: KEY,
      stderr: /^execwire: kept until \S+ unless somebody attaches before \(60 min, --ttl\)\n$/,
    });
    const key = started.stdout.trim();
    await until('the command has printed', async () => (await setup.run(['logs', key])).stdout === 'out\n');

    t.equal((await setup.run(['ls', '-q'])).stdout, `${key}\n`);
    t.match(await setup.run(['ls']), {
      code: 0,
      stdout: new RegExp(`^KEY .*\n${key} +detached +\\d+ s +0 +in (59|60) min +sh -c `),
    });
    t.match(JSON.parse((await setup.run(['ls', '--json'])).stdout), [
      { key, state: 'detached', command: ['sh', '-c', script] },
    ]);
    t.match(await setup.run(['top', '--once']), { code: 0, stdout: new RegExp(`^KEY .*\n${key} +\\d+ +detached `) });
    t.match(JSON.parse((await setup.run(['top', '--json'])).stdout), [{ key }]);
    t.match(await setup.run(['logs', key]), { code: 0, stdout: 'out\n', stderr: 'err\n' });

    const followed = setup.start(['logs', '-f', key]);
    await followed.untilSaid(/out\n/);
    t.match(await setup.run(['attach', key], { input: 'a line\n' }), {
      code: 5,
      stdout: 'out\nread a line\n',
      stderr: 'err\n',
    });
    t.match(await followed.ended, { code: 5, stdout: 'out\nread a line\n', stderr: 'err\n' });

    t.match(await setup.run(['logs', key]), { code: 0, stdout: 'out\nread a line\n' });
    t.match(await setup.run(['attach', key]), { code: 5, stdout: 'out\nread a line\n' });
    t.match(await setup.run(['ls']), { stdout: /ended \(5\)/ });
    t.match(await setup.run(['kill', key]), {
      code: 125,
      stderr: `execwire: ${key} has ended already, with exit code 5\n`,
    });
    t.equal((await setup.run(['ls', '-q'])).stdout, '', 'ls lists no command that has ended');
    t.equal((await endOf(setup.inTerminal(['ls', '-qa']))).text, `${key}\r\n`);
  },
);

t.test('logs, logs -f and attach say how much of the beginning is not kept', async (t) => {
  const setup = await cliSetup(t, { flags: ['--max-replay-bytes', '64k'] });
  const begin = async (...flags: string[]): Promise<string> =>
    (await setup.run(['exec', '-d', ...flags, '--', 'head', '-c', '300000', '/dev/zero'])).stdout.trim();
  const [key, shown] = [await begin(), await begin('-t')];
  await until('both have ended', async () =>
    (await setup.box.list({ scope: 'principal' })).every(({ state }) => state === 'ended'),
  );
  for (const args of [
    ['logs', key],
    ['logs', '-f', key],
    ['attach', key],
    ['attach', '--observe', key],
    ['attach', '--observe', shown],
  ]) {
    const { code, stdout, stderr } = await setup.run(args);
    const said = /^execwire: the first (\d+) bytes of stdout are not kept any more\n$/.exec(stderr)?.[1];
    t.same([code, Number(said) + stdout.length], [0, 300_000], args.join(' '));
  }
});

t.test('ls shows a shell by its name, and a long command cut in one line', async (t) => {
  const command = ['sh', '-c', `set -e\n  sleep 600 ${'#'.repeat(200)}`];
  const long = (await setup.run(['exec', '-d', '--', ...command])).stdout.trim();
  const shell = setup.inTerminal(['shell', '--key', 'a-shell-of-my-own-1']);
  await untilShellAnswers(shell);
  const { stdout } = await setup.run(['ls']);
  t.match(stdout, /sh -c 'set -e\\nsleep 600 #{10,40}…\n/);
  t.match(stdout, /^a-shell-of-my-own-1 .* execwire shell\n/m);
  t.match((await setup.run(['top', '--once'])).stdout, /^a-shell-of-my-own-1 .* execwire shell\n/m);
  for (const key of [long, 'a-shell-of-my-own-1']) await setup.run(['kill', '-s', 'KILL', key]);
  await shell.result;
});

t.test('kill ends a detached command, or sends it the signal that -s names', async (t) => {
  const begin = async (...command: string[]): Promise<string> =>
    (await setup.run(['exec', '-d', '--', ...command])).stdout.trim();
  const sleeping = await begin('sleep', '600');
  const followed = setup.start(['logs', '-f', sleeping]);
  t.match(await setup.run(['kill', sleeping]), { code: 0, stdout: '', stderr: '' });
  t.match(await followed.ended, { code: 143 });
  const trapping = await begin('sh', '-c', 'trap "echo caught; exit 4" USR1; echo ready; while :; do sleep 0.05; done');
  const watched = setup.start(['attach', '--observe', trapping]);
  await watched.untilSaid(/ready\n/);
  t.match(JSON.parse((await setup.run(['kill', '--json', '-s', 'usr1', trapping])).stdout), {
    key: trapping,
    signal: 'SIGUSR1',
  });
  t.match(await watched.ended, { code: 4, stdout: 'ready\ncaught\n' });
});

t.test('kill ends each of several commands, and names those that it cannot end', async (t) => {
  const setup = await cliSetup(t);
  const begin = async (): Promise<string> => (await setup.run(['exec', '-d', '--', 'sleep', '600'])).stdout.trim();
  const [first, second, third] = [await begin(), await begin(), await begin()];
  const missing = 'no-command-has-this-key';
  t.match(await setup.run(['kill', first, missing, second]), {
    code: 125,
    stdout: '',
    stderr: `execwire: no command with the key ${missing} is kept there; \`execwire ls\` lists those that are\n`,
  });
  t.equal((await setup.run(['logs', '-f', first])).code, 143);
  t.equal((await setup.run(['logs', '-f', second])).code, 143);
  for (const late of ['-KILL', '-sINT', '-9', '--json']) {
    t.match(await setup.run(['kill', third, late]), {
      code: 125,
      stderr: `execwire: ${late}: flags stand before the keys\n`,
    });
  }
  t.match(await setup.run(['ls', '-q']), { stdout: `${third}\n` }, 'it runs on');
  const { code, stdout } = await setup.run(['kill', '--json', '-s', 'KILL', third, missing]);
  t.equal(code, 125);
  t.match(JSON.parse(stdout), [
    { key: third, signal: 'SIGKILL' },
    { key: missing, error: { message: /no command with the key/, exitCode: 125, reason: null } },
  ]);
  t.equal((await setup.run(['logs', '-f', third])).code, 137);
});

t.test('exec says what differs when its key belongs to another command', async (t) => {
  const setup = await cliSetup(t);
  const args = ['exec', '-d', '--key', 'a-key-of-two-commands'];
  await setup.run([...args, '--', 'sleep', '600']);
  t.match(await setup.run([...args, '--', 'sleep', '601']), {
    code: 125,
    stderr: /belongs to another command: its words, directory, variables or -t differ; use another --key, [^\n]*\n$/,
  });
  await setup.run(['kill', 'a-key-of-two-commands']);
});

t.test('command runs on when an observer gets SIGTERM, and a second writer takes over from the first', async (t) => {
  const { stdout } = await setup.run(['exec', '-d', '-i', '--', 'sh', '-c', 'echo ready; cat'], { hasNoInput: true });
  const key = stdout.trim();
  const observer = setup.start(['attach', '--observe', key]);
  const first = setup.start(['attach', key]);
  await Promise.all([observer.untilSaid(/ready\n/), first.untilSaid(/ready\n/)]);
  observer.child.kill('SIGTERM');
  t.match(await observer.ended, { code: 143, stderr: /left by SIGTERM; the command goes on; `execwire attach / });
  t.match(await setup.run(['attach', key], { input: 'said\n' }), { code: 0, stdout: 'ready\nsaid\n' });
  t.match(await first.ended, { code: 255, stderr: `execwire: another client has taken over ${key}\n` });
});

t.test('commands with a wrong key or word end with 125 and say what to do', async (t) => {
  const unknown = 'no-such-key-at-all';
  for (const command of ['attach', 'logs', 'kill']) {
    t.match(await setup.run([command, unknown]), {
      code: 125,
      stderr: /^execwire: no command with the key no-such-key-at-all is kept there; `execwire ls`[^\n]*\n$/,
    });
    t.match(await setup.run([command]), {
      code: 125,
      stderr: `execwire: ${command} needs a KEY; see \`execwire ${command} --help\`\n`,
    });
    const more = await setup.run([command, unknown, '-s']);
    t.match(more, {
      code: 125,
      stderr: command === 'kill' ? /^execwire: -s: flags stand before/ : /unexpected word `-s`/,
    });
  }
  t.match(await setup.run(['kill', '-s', 'TERMM', unknown]), {
    code: 125,
    stderr: /there is no such signal; did you mean TERM\?/,
  });
  t.match(await setup.run(['kill', '-s', '99', unknown]), {
    code: 125,
    stderr: /^execwire: -s 99: there is no such signal; expected a name such as TERM, or its number\n$/,
  });
  t.match(await setup.run(['shell']), { code: 125, stderr: /shell needs a terminal on standard input/ });
  t.match(await setup.run(['exec', '-d', '--ttl', '2h', 'true']), {
    code: 125,
    stderr: /^execwire: --ttl 2h: this server keeps commands for 3600 s at most \(its --max-detached\)\n$/,
  });
  t.match(await setup.run(['exec', '-d', '--ttl', '0', 'true']), {
    code: 125,
    stderr: /^execwire: --ttl 0: expected a time above 0\n$/,
  });
});

t.test('exec attaches to the command that has its key when there is one', async (t) => {
  const args = ['exec', '--key', 'a-key-of-my-own-0001', '--', 'sh', '-c', 'echo $$'];
  const first = await setup.run(args);
  const second = await setup.run(args);
  t.match([first.code, second.code], [0, 0]);
  t.equal(second.stdout, first.stdout, 'the command ran once');
  const other = await setup.run(['exec', '--key', 'a-key-of-my-own-0001', '--', 'true']);
  t.match(other, { code: 125, stderr: /belongs to another command/ });
});

t.test('exec -d -i sends a pipe to its end, and leaves the input open for attach when there is no pipe', async (t) => {
  const fed = await setup.run(['exec', '-d', '-i', '--', 'sort'], { input: 'pear\napple\n' });
  t.match(await setup.run(['logs', '-f', fed.stdout.trim()]), { code: 0, stdout: 'apple\npear\n' });
  const open = await setup.run(['exec', '-d', '-i', '--', 'cat'], { hasNoInput: true });
  t.match(await setup.run(['attach', open.stdout.trim()], { input: 'later\n' }), { code: 0, stdout: 'later\n' });
});

t.test('attach says that input is not sent on when the command was started without -i or reads no more', async (t) => {
  const begun = await setup.run(['exec', '-d', '--', 'sleep', '600']);
  const key = begun.stdout.trim();
  const attached = setup.start(['attach', key]);
  attached.child.stdin?.write('to nobody\n');
  await attached.untilSaid(/^execwire: standard input is not sent on: the command was started without -i\n/, 'stderr');
  attached.child.kill('SIGTERM');
  t.match(await attached.ended, { code: 143, stderr: /^[^\n]+\n$/ });
  const withoutInput = await setup.run(['attach', key]);
  t.match(withoutInput, { code: 143, stderr: '' }, 'attach says nothing of input when it has none');
  t.match(await setup.run(['attach', key], { input: 'to nobody\n' }), {
    code: 143,
    stderr: /^(execwire: standard input is not sent on: [^\n]*\n)?$/,
  });
});

t.test('exec -d says that it started nothing when its key belongs to a command that runs or has ended', async (t) => {
  const key = 'a-key-of-my-own-0002';
  const args = ['exec', '-d', '--json', '--key', key, '--', 'sh', '-c', 'read line; exit 4'];
  const first = await setup.run(['exec', '-i', ...args.slice(1)], { hasNoInput: true });
  t.match(JSON.parse(first.stdout), { key, pid: Number, resumed: false, exitCode: null });
  const second = await setup.run(['exec', '-i', ...args.slice(1)], { input: 'a line\n' });
  t.match(JSON.parse(second.stdout), { key, resumed: true, exitCode: null });
  t.equal(second.stderr, `execwire: ${key} runs already: nothing was started, and no input is sent\n`);
  t.match(await setup.run(['attach', key], { input: 'a line\n' }), { code: 4 });
  const third = await setup.run(['exec', '-i', ...args.slice(1)], { hasNoInput: true });
  t.match({ ...third, stdout: JSON.parse(third.stdout) }, { code: 0, stdout: { key, resumed: true, exitCode: 4 } });
  t.match(
    third.stderr,
    /^execwire: \S+ has run already and ended with exit code 4: nothing was started; `execwire logs/,
  );
});

t.test('exec -d ends its command when its key cannot be printed', async (t) => {
  const full = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(full));
  const unseen = await setup.run(['exec', '-d', '--', 'sleep', '600'], { stdoutFd: full });
  t.match(unseen, {
    code: 125,
    stderr: /^execwire: cannot write to standard output: ENOSPC[^\n]*; the command is ended\n$/,
  });
  await until('no command runs', async () => (await setup.run(['ls', '-q'])).stdout === '');
});

t.test('ls lists no command of an ordinary exec when that exec has ended', async (t) => {
  const setup = await cliSetup(t);
  t.match(await setup.run(['exec', '--', 'sh', '-c', 'exit 3']), { code: 3 });
  t.match(await endOf(setup.inTerminal(['exec', '-it', '--', 'true'])), { code: 0 });
  t.match(await setup.run(['ls']), { code: 0, stdout: /^KEY [^\n]*\n$/ });
});
