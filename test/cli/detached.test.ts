// Commands that outlive the command line: `exec -d`, `ls`, `logs`, `attach` and `kill`, through pipes.
import t from 'tap';
import { until } from '../support/until.js';
import { cliSetup, endOf } from './cli-process.js';

const KEY = /^[A-Za-z0-9._~-]{16,128}\n$/;

t.test('exec -d prints the key, and the other commands find it until it is over', async (t) => {
  const setup = await cliSetup(t);
  const script = 'echo out; echo err >&2; read line; echo "read $line"; exit 5';
  const started = await setup.run(['exec', '-d', '-i', '--', 'sh', '-c', script]);
  t.match(started, {
    code: 0,
    stdout: KEY,
    stderr: /^execwire: kept until \S+ unless somebody attaches before \(60 min, --ttl\)\n$/,
  });
  const key = started.stdout.trim();
  await until('it waits for its line', async () => (await setup.run(['logs', key])).stdout === 'out\n');

  t.equal((await setup.run(['ls', '-q'])).stdout, `${key}\n`);
  t.match(await setup.run(['ls']), {
    code: 0,
    stdout: new RegExp(`^KEY .*\n${key} +detached +\\d+ s +0 +in 60 min +sh -c `),
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
  t.equal((await endOf(setup.inTerminal(['ls', '-q']))).text, `${key}\r\n`);
});

t.test('kill ends a command that is kept, or signals it', async (t) => {
  const setup = await cliSetup(t);
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

t.test('observer that is told to end leaves the command alone, and a second writer sends the first away', async (t) => {
  const setup = await cliSetup(t);
  const { stdout } = await setup.run(['exec', '-d', '-i', '--', 'sh', '-c', 'echo ready; cat']);
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
  const setup = await cliSetup(t);
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
    t.match(await setup.run([command, unknown, 'more']), { code: 125, stderr: /unexpected word `more`/ });
  }
  t.match(await setup.run(['kill', '-s', 'TERMM', unknown]), {
    code: 125,
    stderr: /there is no such signal; did you mean TERM\?/,
  });
  t.match(await setup.run(['shell']), { code: 125, stderr: /shell needs a terminal on standard input/ });
  t.match(await setup.run(['exec', '-d', '--ttl', '2h', 'true']), { code: 125, stderr: /--max-detached/ });
});

t.test('exec with a key comes to the command that has it', async (t) => {
  const setup = await cliSetup(t);
  const args = ['exec', '--key', 'a-key-of-my-own-0001', '--', 'sh', '-c', 'echo $$'];
  const first = await setup.run(args);
  const second = await setup.run(args);
  t.match([first.code, second.code], [0, 0]);
  t.equal(second.stdout, first.stdout, 'it ran once');
  const other = await setup.run(['exec', '--key', 'a-key-of-my-own-0001', '--', 'true']);
  t.match(other, { code: 125, stderr: /belongs to another command/ });
});
