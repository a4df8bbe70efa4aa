// Shows what `command/exec` and its companions do over a real socket and with real programs: results, refusals, streams, input, kills.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { isAlive } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import { WireCommand } from '../support/wire-command.js';

const server = await startServer(t, { env: { FROM_SERVER: 'inherited' } });
const client = await server.session();
const sh = (script: string): { command: string[] } => ({ command: ['sh', '-c', script] });
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const folder = mkdtempSync(join(tmpdir(), 'execwire-'));
t.teardown(() => rmSync(folder, { recursive: true }));

t.test('commands give what a shell gives when they print, fail, compile or write much', async (t) => {
  const asShell = (argv: string[]): object => {
    const { status, stdout, stderr } = spawnSync(argv[0] ?? '', argv.slice(1), { maxBuffer: 64 * 1024 * 1024 });
    return { exitCode: status, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8') };
  };
  const much =
    'i=0; while [ $i -lt 60000 ]; do echo "commit $i author nobody: a line as git log has them, and then some more"; i=$((i+1)); done';
  for (const argv of [
    ['uname', '-a'],
    ['sh', '-c', 'echo out; echo err >&2; exit 7'],
    ['ls', '/no such directory'],
    ['printf', 'a€\\377\\0z'],
    ['sh', '-c', much],
    ['cat'],
    ['sh', '-c', 'kill -TERM $$'],
  ]) {
    const got = await client.ask('command/exec', { command: argv, disableOutputCap: true, disableTimeout: true });
    const expected = asShell(argv) as { exitCode: number | null };
    t.same(got, { ...expected, exitCode: expected.exitCode ?? 143 }, argv.join(' ').slice(0, 60));
  }
});

const noCompiler = spawnSync('cc', ['--version']).status === 0 ? false : 'no cc on this machine';

t.test('command compiles a program when there is a compiler', { skip: noCompiler }, async (t) => {
  writeFileSync(join(folder, 'hello.c'), '#include <stdio.h>\nint main(void) { puts("hello"); return 42; }\n');
  writeFileSync(join(folder, 'wrong.c'), 'int main(void) { return x; }\n');
  const compile = { command: ['cc', '-o', 'hello', 'hello.c'], cwd: folder, disableTimeout: true };
  t.same(await client.ask('command/exec', compile), { exitCode: 0, stdout: '', stderr: '' });
  t.same(await client.ask('command/exec', { command: ['./hello'], cwd: folder }), {
    exitCode: 42,
    stdout: 'hello\n',
    stderr: '',
  });
  t.match(await client.ask('command/exec', { ...compile, command: ['cc', 'wrong.c'] }), {
    exitCode: 1,
    stderr: /wrong\.c:1/,
  });
});

t.test('command exits with 128+n when a signal ended it, on pipes and in a terminal', async (t) => {
  for (const [signal, code] of [
    ['KILL', 137],
    ['TERM', 143],
    ['INT', 130],
  ] as const) {
    const script = sh(`kill -${signal} $$`);
    t.match(await client.ask('command/exec', script), { exitCode: code }, signal);
    t.match(
      await new WireCommand(client, { ...script, tty: true }).result,
      { exitCode: code },
      `${signal} in a terminal`,
    );
  }
});

t.test('command gets the inherited environment, merged and with unset names, and its directory', async (t) => {
  const { stdout } = await client.ask('command/exec', {
    ...sh('echo "$FROM_SERVER|$ADDED|$PATH|$(env | grep -c ^HOME=)|$EMPTY"'),
    env: { ADDED: 'ü=1', HOME: null, EMPTY: '', NEVER_SET: null },
  });
  t.equal(stdout, `inherited|ü=1|${process.env.PATH}|0|\n`);
  t.equal((await client.ask('command/exec', { command: ['pwd'] })).stdout, `${process.cwd()}\n`);
  t.equal((await client.ask('command/exec', { command: ['pwd'], cwd: 'test/..' })).stdout, `${process.cwd()}\n`);
  t.equal((await client.ask('command/exec', { command: ['pwd', '-P'], cwd: '/' })).stdout, '/\n');
});

t.test('command runs when its sandbox policy asks for nothing beyond the container', async (t) => {
  for (const type of ['dangerFullAccess', 'externalSandbox']) {
    t.match(await client.ask('command/exec', { command: ['true'], sandboxPolicy: { type } }), { exitCode: 0 });
  }
});

t.test('captured output is cut at its cap and the command goes on', async (t) => {
  const beyond = await server.session({ experimentalApi: true });
  const script = 'printf abcdef; printf xyz >&2; exit 3';
  t.match(await beyond.ask('command/exec', { ...sh(script), outputBytesCap: 3 }), {
    exitCode: 3,
    stdout: 'abc',
    stderr: 'xyz',
    signal: null,
    timedOut: false,
    truncated: { stdout: true, stderr: false },
  });
  t.match(await beyond.ask('command/exec', { ...sh(script), outputBytesCap: 0 }), {
    stdout: '',
    stderr: '',
    truncated: { stderr: true },
  });
  const { stdout } = await client.ask('command/exec', { command: ['head', '-c', '3000000', '/dev/zero'] });
  t.equal(stdout.length, 1024 * 1024, 'the default cap');
  t.same(
    Object.keys(await client.ask('command/exec', sh(script))),
    ['exitCode', 'stdout', 'stderr'],
    'no experimental field when none was asked for',
  );
});

t.test('streamed output comes before the reply and says capReached once', async (t) => {
  for (const [cap, script, expected] of [
    [5, 'printf abcdefgh', ['abcde']],
    [8, 'printf abcdefgh', ['abcdefgh']],
    [0, 'printf a', ['']],
    [0, 'true', ['']],
    [9, 'printf abcdefgh', []],
  ] as const) {
    const deltas: { text: string; capReached: boolean }[] = [];
    const command = new WireCommand(client, { ...sh(script), outputBytesCap: cap, streamStdin: false });
    command.onOutput((bytes, stream, capReached) => {
      if (stream === 'stdout') deltas.push({ text: bytes.toString(), capReached });
    });
    t.match(await command.result, { exitCode: 0, stdout: '', stderr: '' });
    const marked = deltas.filter(({ capReached }) => capReached);
    t.equal(marked.length, expected.length, `cap ${cap}: ${script}`);
    t.equal(marked[0], marked.length === 0 ? undefined : deltas.at(-1));
    t.equal(deltas.map(({ text }) => text).join(''), 'abcdefgh'.slice(0, script === 'true' ? 0 : cap));
  }
});

t.test(
  'command answers 124 with its output so far when its timeout ends it, background children included',
  async (t) => {
    let output = '';
    // A busy machine may reach the first timeout before the command prints, so each further try has four times as long.
    for (let timeoutMs = 1000; output === '' && timeoutMs < 100_000; timeoutMs *= 4) {
      const { exitCode, stdout } = await client.ask('command/exec', { ...sh('sleep 600 & echo $!; wait'), timeoutMs });
      t.equal(exitCode, 124);
      output = stdout;
    }
    const child = Number(output);
    t.ok(child > 0, 'the output before the timeout is kept');
    await until('the child is gone', () => !isAlive(child));
  },
);

t.test(
  'reply waits for output that a child holds open and includes it, and the rest of the group is killed',
  async (t) => {
    const { exitCode, stdout } = await client.ask(
      'command/exec',
      sh('(sleep 0.2; echo late; exec sleep 600) & echo $!; exit 4'),
    );
    t.equal(exitCode, 4);
    const [holder, late] = stdout.split('\n');
    t.equal(late, 'late');
    await until('the holder is gone', () => !isAlive(Number(holder)));
  },
);

t.test('terminate ends a command with its descendants in other sessions, and its reply follows', async (t) => {
  const command = new WireCommand(client, sh('sleep 600 & echo $!; setsid sh -c "echo \\$\\$; exec sleep 600" & wait'));
  let said = '';
  const ready = new Promise<void>((resolve) => {
    command.onOutput((bytes) => {
      said += bytes.toString();
      if (said.split('\n').length === 3) resolve();
    });
  });
  await ready;
  await command.terminate();
  t.match(await command.result, { exitCode: 137 });
  for (const pid of said.trim().split('\n').map(Number)) await until(`${pid} is gone`, () => !isAlive(pid));
  await t.rejects(command.terminate(), { code: -32600 });
});

t.test('shell that waits for its children is ended by terminate, not by the end of its children', async (t) => {
  const script = 'for i in 1 2 3 4 5 6; do setsid sleep 600 & done; echo ready; wait; exit 0';
  const codes = Array.from({ length: 12 }, async () => {
    const command = new WireCommand(client, { ...sh(script), disableTimeout: true });
    await new Promise<void>((resolve) => command.onOutput(() => resolve()));
    await command.terminate();
    return (await command.result).exitCode;
  });
  t.same(await Promise.all(codes), new Array(12).fill(137));
});

t.test('everything a connection started ends when it closes, processes of earlier commands included', async (t) => {
  const leaver = await server.session();
  // The process is in its own session BEFORE the reply, because the reply comes with a kill of the group.
  const detached = "setsid sh -c 'echo $$ > pid; exec sleep 600' >/dev/null 2>&1 &";
  const { stdout } = await leaver.ask('command/exec', {
    ...sh(`${detached} while [ ! -s pid ]; do :; done; cat pid`),
    cwd: folder,
  });
  const command = new WireCommand(leaver, { ...sh('echo $$; sleep 600 & wait'), disableTimeout: true });
  const pid = await new Promise<number>((resolve) => {
    command.onOutput((bytes) => resolve(Number(bytes.toString())));
  });
  const earlier = Number(stdout);
  t.same([isAlive(earlier), isAlive(pid)], [true, true]);
  await leaver.close();
  await until('both are gone', () => !isAlive(earlier) && !isAlive(pid));
  await t.rejects(command.result, { name: 'WireEndedError' });
});

t.test('stdin arrives whole and in order when writes come right after their exec', async (t) => {
  const raw = await (await server.wire()).initialize();
  const pieces = Array.from({ length: 50 }, (_, at) => `${at} ${'x'.repeat(3000)}\n`);
  raw.send({ id: 'exec', method: 'command/exec', params: { command: ['cat'], processId: 'p', streamStdin: true } });
  const writes = pieces.map((piece) =>
    raw.request('command/exec/write', { processId: 'p', deltaBase64: base64(piece) }),
  );
  const last = raw.request('command/exec/write', { processId: 'p', deltaBase64: base64('end'), closeStdin: true });
  for (const write of [...writes, last]) t.same((await write).result, {});
  const { result } = (await raw.replyTo('exec')) as { result: { exitCode: number; stdout: string } };
  t.equal(result.stdout, `${pieces.join('')}end`);
});

t.test('stdin is empty when it is not streamed, and may be closed twice', async (t) => {
  t.match(await client.ask('command/exec', { command: ['cat'] }), { exitCode: 0, stdout: '' });
  const command = new WireCommand(client, { command: ['sleep', '600'] });
  await command.closeStdin();
  await command.closeStdin();
  await t.rejects(command.write('x'), { code: -32600, message: 'stdin is already closed' });
  await command.terminate();
  await command.result;
});

t.test('terminate is served and writes get an answer when a command reads nothing', async (t) => {
  const command = new WireCommand(client, { command: ['sleep', '600'], disableTimeout: true });
  const big = Buffer.alloc(9 * 1024 * 1024);
  const writes = [command.write(big), command.write(big)].map((write) =>
    write.then(
      () => 'accepted',
      (error: Error) => error.message,
    ),
  );
  await command.terminate();
  t.match(await command.result, { exitCode: 137 });
  t.same(await Promise.all(writes), ['accepted', 'stdin is already closed']);
});

t.test(
  'experimental requests list, signal and end a command with grace when the connection asked for them',
  async (t) => {
    const beyond = await server.session({ experimentalApi: true });
    const command = new WireCommand(beyond, {
      ...sh('trap "echo usr1" USR1; trap "" TERM; echo ready; while :; do sleep 0.05; done'),
      disableTimeout: true,
    });
    let said = '';
    let wanted: { text: string; resolve: () => void } | undefined;
    command.onOutput((bytes) => {
      said += bytes.toString();
      if (wanted !== undefined && said.includes(wanted.text)) wanted.resolve();
    });
    const saying = (text: string): Promise<void> =>
      said.includes(text) ? Promise.resolve() : new Promise((resolve) => (wanted = { text, resolve }));
    await saying('ready');
    const { commands } = await beyond.ask('command/exec/list', {});
    t.match(commands, [{ processId: command.processId, tty: false, state: 'running' }]);
    await beyond.ask('command/exec/signal', { processId: command.processId, signal: 'SIGUSR1' });
    await saying('usr1');
    await t.rejects(beyond.ask('command/exec/signal', { processId: command.processId, signal: 'SIGNONE' }), {
      code: -32602,
    });
    await beyond.ask('command/exec/terminate', { processId: command.processId, graceMs: 100 });
    t.match(await command.result, { exitCode: 137, signal: 'SIGKILL', timedOut: false });
    t.same((await beyond.ask('command/exec/list', {})).commands, []);
    await t.rejects(client.ask('command/exec/list', {}), { code: -32600 });
    t.match(await beyond.ask('rpc.discover', {}), { openrpc: /^1/ });
  },
);

t.test('command has real pipes, three descriptors and no signal blocked or ignored', async (t) => {
  const { stdout } = await client.ask(
    'command/exec',
    sh('echo a > /dev/stdout; echo b > /dev/stderr; ls /proc/self/fd | tr "\\n" " "; grep Sig /proc/self/status'),
  );
  t.match(stdout, /^a\n0 1 2 3 /, 'descriptor 3 is the folder that ls reads');
  t.match(stdout, /SigBlk:\t0+\nSigIgn:\t0+\n/);
});

t.test('start is refused with the errno of the system when there is no such program', async (t) => {
  const refusal = { code: -32603, reason: 'spawnFailed', data: { errno: 'ENOENT' } };
  await t.rejects(client.ask('command/exec', { command: ['no-such-program'] }), refusal);
});
