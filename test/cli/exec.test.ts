// Shows `execwire exec` through pipes, and in a terminal that nobody types into: every row of the table of exit codes, the flags, the signals.
// Long because all of it is one command.

import { execFile } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { selfSignedCertificate } from '../auth/self-signed-certificate.js';
import { CuttingProxy } from '../support/cutting-proxy.js';
import { SERVER, ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import { CliProcess, cliSetup, endOf, untilShellAnswers } from './cli-process.js';

/** A port on which no server listens, and which no test is given as a free one. */
const CLOSED_PORT = 1;
/** A server with its defaults, one for all tests, because to start one takes more of the processor than most of them. */
const setup = await cliSetup(t);

async function untilAllHaveEnded(): Promise<void> {
  const list = () => setup.box.list({ scope: 'principal' });
  await until('all commands have ended', async () => (await list()).every(({ state }) => state === 'ended'));
}

async function listening(t: Test, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('exec ends with the code of the table, through pipes and in a terminal', async (t) => {
  const unreachable = `ws://127.0.0.1:${CLOSED_PORT}`;
  const folder = mkdtempSync(join(tmpdir(), 'execwire-cli-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'token'), 'secret');
  const [exported, latin] = [join(folder, 'exported'), join(folder, 'latin')];
  writeFileSync(exported, 'A=1\nexport B=2\n');
  writeFileSync(latin, Buffer.from('# one\n# two\nA=\xe9\n', 'latin1'));
  const rows: readonly [args: string[], code: number, said: RegExp][] = [
    [['exec', '--', 'true'], 0, /^$/],
    [['exec', 'sh', '-c', 'echo said; exit 3'], 3, /^said\r?\n$/],
    [['exec', '--', 'sh', '-c', 'exit 255'], 255, /^$/],
    [['exec', '--', 'sh', '-c', 'kill -TERM $$'], 143, /^$/],
    [['exec', '--', 'sh', '-c', 'kill -KILL $$'], 137, /^$/],
    [['exec', '--timeout', '200ms', '--', 'sleep', '60'], 124, /^$/],
    [['exec', '--', '/no/such/program'], 127, /program "\/no\/such\/program": no such file/],
    [['exec', '--', 'no-such-program'], 127, /program "no-such-program"/],
    [['exec', '--', '/etc/passwd'], 126, /program "\/etc\/passwd": permission denied/],
    [['exec', '-w', '/no/such/folder', '--', 'true'], 125, /cwd "\/no\/such\/folder"/],
    [['exec', '--url', unreachable, 'true'], 125, /ECONNREFUSED: no server listens there; is it running\?/],
    [['exec', '--url', 'unix:///no/such/socket', 'true'], 125, /there is no such socket file/],
  ];
  const wrongLines: typeof rows = [
    [['exec', '--timeuot', '3s', '--', 'true'], 125, /unknown flag `--timeuot` of exec; did you mean `--timeout`\?/],
    [['exec', '-Z', 'true'], 125, /unknown flag `-Z` of exec; see `execwire exec --help`/],
    [['exec', '-timeout', '3s', 'true'], 125, /unknown flag `-timeout` of exec; did you mean `--timeout`\?/],
    [['exec', '-env', 'A=1', 'true'], 125, /unknown flag `-env` of exec; did you mean `--env`\?/],
    [['exec', '--timeout'], 125, /--timeout needs a value: --timeout TIME/],
    [['exec', '--timeout', 'soon', 'true'], 125, /--timeout soon: expected a duration/],
    [['exec', '--timeout', '99999999999s', 'true'], 125, /--timeout 99999999999s: it is too long; the longest is 596h/],
    [['exec', '-d', '--ttl', '700h', 'true'], 125, /--ttl 700h: it is too long; the longest is 596h/],
    [['exec', '-d', '--ttl', '100d', 'true'], 125, /--ttl 100d: it is too long; the longest is 596h/],
    [['exec', '--timeout', '2d', 'true'], 125, /--timeout 2d: expected a duration .*; 2 days are `48h`/],
    [['--url', 'ws://127.0.0.1:1', 'ls', '-q'], 125, /the flags of ls stand behind it: execwire ls \[flags\]/],
    [['--json', 'ls'], 125, /the flags of ls stand behind it: execwire ls \[flags\]/],
    [['exec', '--json=yes', 'true'], 125, /--json takes no value/],
    [['exec'], 125, /exec needs a command/],
    [['exec', '-e', '=x', 'true'], 125, /`` is no name of a variable/],
    [['exec', '--env-file', '/no/such/file', 'true'], 125, /--env-file \/no\/such\/file: ENOENT/],
    [
      ['exec', '--timeout', '0', 'true'],
      125,
      /--timeout 0: expected a time above 0; without the flag there is no limit/,
    ],
    [['exec', '--detach-keys', 'ctrl-1', 'true'], 125, /--detach-keys ctrl-1: `ctrl-1` is no key/],
    [['exec', '--sandbox', 'read-only', 'true'], 125, /--sandbox read-only: expected .*; did you mean `readOnly`\?/],
    [
      ['exec', '--sandbox', 'none', 'true'],
      125,
      /--sandbox none: expected readOnly, workspaceWrite or dangerFullAccess\s*$/,
    ],
    [['exec', '--network', 'true'], 125, /--network needs --sandbox readOnly or workspaceWrite/],
    [
      ['exec', '--sandbox', 'readOnly', '--writable-root', '/a', 'true'],
      125,
      /--writable-root needs --sandbox workspaceWrite/,
    ],
    [
      ['exec', '--sandbox', 'workspaceWrite', '--writable-root', 'a', 'true'],
      125,
      /--writable-root a: expected an absolute path/,
    ],
    [['exec', '--ttl', '5s', 'true'], 125, /--ttl needs -d, -t or --key/],
    [
      ['exec', '--key', 'short', 'true'],
      125,
      /--key short: expected 16 to 128 .* so that no other command has the same/,
    ],
    [['exec', '--rm', 'true'], 125, /unknown flag `--rm` of exec; leave it out, because nothing stays behind; see `/],
    [['exec', '--name', 'x', 'true'], 125, /unknown flag `--name` of exec; did you mean `--key`\?/],
    [['exec', '--token', 'x', 'true'], 125, /unknown flag `--token` of exec; `--token-file FILE` or EXECWIRE_TOKEN/],
    [['kill', '-9', 'x'], 125, /unknown flag `-9` of kill; did you mean `-s 9`\?/],
    [['kill', '-KILL', 'x'], 125, /did you mean `-s KILL`\?/],
    [['cp', '-r', 'a', ':/b'], 125, /unknown flag `-r` of cp; leave it out, because folders are copied whole; see `/],
    [['serve', '-p', '4500'], 2, /unknown flag `-p` of serve; did you mean `--listen ws:\/\/HOST:PORT`\?/],
    [['serve', '--listn', 'ws://127.0.0.1:0'], 2, /unknown flag `--listn` of serve; did you mean `--listen`\?/],
    [['stop', 'x'], 125, /unknown command `stop`; did you mean `kill`\?/],
    [['run', 'x'], 125, /unknown command `run`; did you mean `exec`\?/],
    [['ps'], 125, /unknown command `ps`; did you mean `ls`\?/],
    [['ls', '-q', '--json'], 125, /--json contradicts -q/],
    [['exec', '--', 'ls | wc -l'], 127, /for the syntax of a shell: execwire exec -- sh -c 'ls \| wc -l'\s*$/],
    [['exec', '--url', 'WS://127.0.0.1:1', 'true'], 125, /ECONNREFUSED/],
    [['exec', '--url', 'HTTP://127.0.0.1:1', 'true'], 125, /did you mean ws:\/\/127\.0\.0\.1:1\?/],
    [['exec', '--url', 'tcp://127.0.0.1:1', 'true'], 125, /did you mean ws:\/\/127\.0\.0\.1:1\?/],
    [['exec', '--url', 'unix:///tmp/a#b', 'true'], 125, /the path of a socket cannot have "#" in it/],
    [['exce', '--', 'true'], 125, /^execwire: unknown command `exce`; did you mean `exec`\?/],
    [['exec', '--url', 'http://127.0.0.1:1', 'true'], 125, /did you mean ws:\/\/127\.0\.0\.1:1\?/],
    [['exec', '--url', '127.0.0.1:1', 'true'], 125, /did you mean ws:\/\/127\.0\.0\.1:1\?/],
    [['exec', '--url', '/run/execwire', 'true'], 125, /did you mean unix:\/\/\/run\/execwire\?/],
    [['exec', '--env-file', exported, 'true'], 125, /exported, line 2: `export` is a word of shells.*leave it out/],
    [['exec', '--env-file', latin, 'true'], 125, /latin, line 3: it is not UTF-8/],
    [['exec', '--token-file', '/no/such/file', 'true'], 125, /--token-file \/no\/such\/file: ENOENT/],
  ];
  // Nothing looks at a terminal before a command line is known to be right, so that two of these are enough in a terminal.
  const shown = new Set([...rows, ...wrongLines.slice(0, 2)]);
  for (const row of [...rows, ...wrongLines]) {
    const [args, code, said] = row;
    const title = args.join(' ');
    const piped = await setup.run(args);
    t.same([piped.code, piped.signal], [code, null], `${title}: ${piped.stderr}`);
    t.match(piped.stdout + piped.stderr, said, title);
    // An error is one line, which says what happened and what to do.
    if (code === 125) t.match(piped.stderr, /^[^\n]+\n$/, title);
    if (!shown.has(row)) continue;
    const ended = await endOf(setup.inTerminal(args));
    t.equal(ended.code, code, `${title}, in a terminal`);
    t.match(ended.text, said, title);
  }
  const nowhere = await new CliProcess(['exec', 'true']).ended;
  t.match(nowhere, {
    code: 125,
    stderr:
      /no server named: give --url ws:\/\/HOST:PORT, or set EXECWIRE_URL; `execwire serve --listen ws:\/\/127\.0\.0\.1:4500` starts one/,
  });
  const noTerminal = await setup.run(['exec', '-t', '--', 'true']);
  t.match(noTerminal, { code: 125, stdout: '', stderr: /-t needs a terminal on standard input/ });
});

t.test('exec says in one line what answered when the credential is wrong or no execwire server answers', async (t) => {
  const server = new ServerProcess({
    flags: ['--ws-auth', 'capability-token', '--ws-token-file', tokenFile(t, 'right')],
  });
  t.teardown(() => server.crash());
  await server.untilListening();
  const run = (url: string, ...flags: string[]) =>
    new CliProcess(['exec', '--url', url, ...flags, '--', 'echo', 'in']).ended;
  t.match(await run(server.url), { code: 125, stderr: /^execwire: .*HTTP 401: the server wants a token[^\n]*\n$/ });
  t.match(await run(server.url, '--token-file', tokenFile(t, 'wrong')), { code: 125, stderr: /HTTP 401/ });
  t.match(await run(server.url, '--token-file', tokenFile(t, 'right')), { code: 0, stdout: 'in\n' });
  const byVariable = new CliProcess(['exec', '--url', server.url, 'echo', 'in'], { env: { EXECWIRE_TOKEN: 'right' } });
  t.match(await byVariable.ended, { code: 0, stdout: 'in\n' });

  const proxy = createHttpServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>Welcome</html>');
  });
  const html = await run(await listening(t, proxy));
  t.match(html, {
    code: 125,
    stderr: /HTTP 200 \(text\/html\) and no WebSocket; is this the address of an execwire server\?\n$/,
  });

  const sshd = createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.2\r\n'));
  t.match(await run(await listening(t, sshd)), { code: 125, stderr: /^execwire: [^\n]*no HTTP[^\n]*\n$/ });

  const http = createHttpServer();
  const echo = new WebSocketServer({ server: http });
  echo.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
  const other = await run(await listening(t, http));
  t.match(other, { code: 125, stderr: /^execwire: [^\n]*not as an execwire server does[^\n]*\n$/ });
});

function tokenFile(t: Test, token: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-token-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'token'), `${token}\n`, { mode: 0o600 });
  return join(folder, 'token');
}

t.test('exec passes input, output, environment and directory on without a change', async (t) => {
  t.match(await setup.run(['exec', '-i', '--', 'cat'], { input: 'one\ntwo' }), {
    code: 0,
    stdout: 'one\ntwo',
    stderr: '',
  });
  t.match(await setup.run(['exec', '--', 'cat'], { input: 'not sent' }), { code: 0, stdout: '' });
  t.match(await setup.run(['exec', '-i', '--', 'head', '-c', '3'], { input: 'x'.repeat(500_000) }), {
    code: 0,
    stdout: 'xxx',
  });
  const apart = await setup.run(['exec', '--', 'sh', '-c', 'echo out; echo err >&2']);
  t.match(apart, { code: 0, stdout: 'out\n', stderr: 'err\n' });
  const large = await setup.run(['exec', '--', 'head', '-c', '5000000', '/dev/zero']);
  t.equal(large.stdout.length, 5_000_000);

  const folder = mkdtempSync(join(tmpdir(), 'execwire-env-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'env');
  writeFileSync(file, '# a comment\n\nA=of the file\nB=of = the file\nHERE\nNOT_SET_HERE\n');
  const show = ['sh', '-c', 'echo "$A|$B|$C|$HERE|$NOT_SET_HERE"; pwd'];
  const env = await setup.run(['exec', '-eC=3', '--env-file', file, '-e', 'A=wins', '-w', '/', ...show], {
    env: { HERE: 'from here' },
  });
  t.equal(env.stdout, 'wins|of = the file|3|from here|\n/\n');
  // Every word after the first one belongs to the command, also when it looks like a flag.
  t.equal((await setup.run(['exec', 'echo', '-t', '--json', '--', '-h'])).stdout, '-t --json -- -h\n');
  t.match(await setup.run(['exec', '-h']), { code: 0, stdout: /^Usage: execwire exec .*Examples:/ms });
});

t.test('exec and shell run under the sandbox policy that --sandbox names', async (t) => {
  // Descriptors are not compared at the end, because the server keeps the threads of sandboxes.
  const setup = await cliSetup(t, { warm: false });
  const { landlockAbi = 0 } = setup.box.server.limits?.sandbox ?? {};
  if (landlockAbi === 0) return t.comment('this host enforces no policy, so nothing is checked');
  const folder = mkdtempSync('/var/tmp/execwire-sandbox-');
  t.teardown(() => rmSync(folder, { recursive: true }));
  const touch = ['--', 'touch', join(folder, 'file')];
  const refused = /touch: cannot touch '[^']*': (Permission denied|Read-only file system)\n$/;
  t.match(await setup.run(['exec', '--sandbox', 'readOnly', ...touch]), { code: 1, stderr: refused });
  t.match(await setup.run(['exec', '--sandbox', 'workspaceWrite', ...touch]), { code: 1, stderr: refused });
  const kept = await setup.run(['exec', '-d', '--sandbox', 'readOnly', ...touch]);
  t.match(await setup.run(['logs', '-f', kept.stdout.trim()]), { code: 1, stderr: refused });
  const inTerminal = await endOf(setup.inTerminal(['exec', '-it', '--sandbox', 'readOnly', ...touch]));
  t.match(inTerminal, { code: 1, text: /touch: cannot touch/ });
  const shell = setup.inTerminal([
    'shell',
    '--sandbox',
    'readOnly',
    '-e',
    'PS1=there> ',
    '-e',
    'ENV=',
    '-e',
    'BASH_ENV=',
  ]);
  await untilShellAnswers(shell);
  await shell.write(`touch ${join(folder, 'file')}\r`);
  await shell.waitFor('touch: cannot touch');
  await shell.write('exit 5\r');
  t.match(await shell.result, { exitCode: 5 });
  t.notOk(existsSync(join(folder, 'file')));
  const allowed = [
    'exec',
    '--sandbox',
    'workspaceWrite',
    '--writable-root',
    '/no/such/folder',
    '--writable-root',
    folder,
  ];
  t.match(await setup.run([...allowed, ...touch]), { code: 0, stderr: '' });
  t.ok(existsSync(join(folder, 'file')));
  t.match(await setup.run(['exec', '--sandbox', 'dangerFullAccess', ...touch]), { code: 0 });
  // A command with a network could leave its sandbox through this server, because this server needs no credential.
  t.match(await setup.run(['exec', '--sandbox', 'readOnly', '--network', '--json', '--', 'true']), {
    code: 125,
    stdout: /"reason": "sandboxUnavailable"/,
    stderr: /^execwire: [^\n]+\n$/,
  });
});

t.test('exec prints one JSON document when it has --json', async (t) => {
  const { code, stdout, stderr } = await setup.run([
    'exec',
    '--json',
    '--',
    'sh',
    '-c',
    'echo out; echo err >&2; exit 3',
  ]);
  t.same([code, stderr], [3, '']);
  t.match(JSON.parse(stdout), {
    command: ['sh', '-c', 'echo out; echo err >&2; exit 3'],
    exitCode: 3,
    signal: null,
    timedOut: false,
    cause: 'exited',
    stdout: 'out\n',
    stderr: 'err\n',
    truncated: { stdout: 0, stderr: 0 },
  });
  const killed = await setup.run(['exec', '--json', '--', 'sh', '-c', 'kill -9 $$']);
  t.match(
    { ...killed, stdout: JSON.parse(killed.stdout) },
    { code: 137, stdout: { exitCode: 137, signal: 'SIGKILL' } },
  );
});

t.test('exec passes signals on to its command, and ends with the code of that command', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
    const name = signal.slice(3);
    const trap = `trap 'echo got ${name}; exit 7' ${name}; echo ready; while :; do sleep 0.05; done`;
    const caught = setup.start(['exec', '--', 'sh', '-c', trap]);
    await caught.untilSaid(/ready\n/);
    caught.child.kill(signal);
    t.match(await caught.ended, { code: 7, stdout: `ready\ngot ${name}\n` }, signal);
  }
  const plain = setup.start(['exec', '--', 'sh', '-c', 'echo ready; exec sleep 60']);
  await plain.untilSaid(/ready\n/);
  plain.child.kill('SIGTERM');
  t.match(await plain.ended, { code: 143, signal: null });
});

t.test('exec ends its command with 125 when standard input cannot be read to its end', async (t) => {
  const folder = openSync(t.testdir(), 'r');
  t.teardown(() => closeSync(folder));
  const why = /cannot read standard input to its end: it is a directory/;
  for (const flags of [['-i'], ['-i', '-d'], ['-i', '--json'], ['-i', '-d', '--json']]) {
    const { code, stdout, stderr } = await setup.start(['exec', ...flags, '--', 'cat'], { stdinFd: folder }).ended;
    t.equal(code, 125, flags.join(' '));
    t.match(stderr, why);
    if (!flags.includes('--json')) continue;
    const document = JSON.parse(stdout);
    t.match(document, { error: { message: why, exitCode: 125 } }, `${flags.join(' ')} prints one document`);
    if (flags.includes('-d')) t.match(document, { key: String, pid: Number });
  }
  await untilAllHaveEnded();
});

t.test('exec ends its command, and ends with 141 and no message, when the reader of its output has gone', async (t) => {
  const cut = setup.start(['exec', '--', 'sh', '-c', 'while echo y; do :; done']);
  await cut.untilSaid(/y\n/);
  cut.child.stdout?.destroy();
  t.match(await cut.ended, { code: 141, stderr: '' });
  const shown = await endOf(setup.program(['bash', '-c', 'set -o pipefail; $CLI exec -- yes | head -n 1; echo $?']));
  t.equal(shown.text, 'y\r\n141\r\n');
  await untilAllHaveEnded();
});

t.test('exec never ends with 0 when output is lost or input cannot be read, whatever is closed', async (t) => {
  const rows: readonly [line: string, code: number, stderr: RegExp][] = [
    [
      'exec -- echo lost >&-',
      125,
      /^execwire: cannot write to standard output: it is closed, or open only for reading\n$/,
    ],
    ['ls >&-', 125, /^execwire: cannot write to standard output: it is closed, or open only for reading\n$/],
    ['--version >&-', 125, /^execwire: cannot write to standard output: it is closed, or open only for reading\n$/],
    ["exec -- sh -c 'echo lost >&2' 2>&-", 125, /^$/],
    ["exec -- sh -c 'echo lost >&2' 2>/dev/full", 125, /^$/],
    [
      'exec -i -- cat <&-',
      125,
      /^execwire: cannot read standard input to its end: it is closed, or open only for writing\n$/,
    ],
    [
      'exec -i -- cat 0>/dev/null',
      125,
      /^execwire: cannot read standard input to its end: it is closed, or open only for writing\n$/,
    ],
    ['exec -- true >&- 2>&- <&-', 0, /^$/],
    ["exec -- sh -c 'exit 3' >&- 2>&- <&-", 3, /^$/],
  ];
  for (const [line, code, stderr] of rows) {
    const script = `"$0" ${line}`;
    const env = { PATH: process.env.PATH, EXECWIRE_URL: setup.url };
    const ended = await new Promise<{ code: number; stderr: string }>((resolve) => {
      execFile('sh', ['-c', script, SERVER], { env }, (error, _stdout, said) =>
        resolve({ code: Number(error?.code ?? 0), stderr: said }),
      );
    });
    t.match(ended, { code, stderr }, line);
  }
});

t.test(
  'exec ends its command with 141 when its standard error has no reader, as when its standard output has none',
  async (t) => {
    const line =
      "set -o pipefail; $CLI exec -- sh -c 'while echo y >&2; do :; done' 2>&1 >/dev/null | head -n 1; echo $?";
    const shown = await endOf(setup.program(['bash', '-c', line]));
    t.equal(shown.text, 'y\r\n141\r\n');
    const run = setup.start(['exec', '-i', '--', 'sh', '-c', 'read line; echo kept; echo lost >&2; sleep 1000']);
    run.child.stderr?.destroy();
    run.child.stdin?.write('now\n');
    t.match(await run.ended, { code: 141, stdout: 'kept\n' });
  },
);

t.test(
  'exec refuses an argument, a flag or a variable that is not UTF-8, and sends every other one unchanged',
  async (t) => {
    const rows: readonly [line: string, code: number, said: RegExp][] = [
      ["exec -- printf %s a $'\\xff\\xe9' b", 125, /^execwire: argument 6, `.*`: it is not UTF-8, and cannot be sent/],
      ["exec -e A=$'caf\\xe9' -- env", 125, /^execwire: argument 3, `.*`: it is not UTF-8/],
      ["exec -w $'/tmp/\\xe9' -- pwd", 125, /^execwire: argument 3, `.*`: it is not UTF-8/],
      ["logs $'\\xe9'", 125, /^execwire: argument 2, `.*`: it is not UTF-8/],
      ['exec -e LATIN -- env', 125, /^execwire: -e: the value of LATIN: it is not UTF-8/],
      ["exec -- printf %s '' \uFFFD '' é", 0, /^\uFFFDé$/],
      ['exec -e FINE -- printenv FINE', 0, /^\uFFFD\n$/],
    ];
    for (const [line, code, said] of rows) {
      const script = `export LATIN=$'caf\\xe9' FINE='\uFFFD'; "$0" ${line}`;
      const ended = await new Promise<{ code: number; said: string }>((resolve) => {
        const env = { PATH: process.env.PATH, EXECWIRE_URL: setup.url };
        execFile('bash', ['--norc', '-c', script, SERVER], { env }, (error, stdout, stderr) =>
          resolve({ code: Number(error?.code ?? 0), said: stdout + stderr }),
        );
      });
      t.match(ended, { code, said }, line);
    }
  },
);

t.test('exec ends with 255 and says so when the connection and the outcome are lost', async (t) => {
  const server = new ServerProcess({});
  t.teardown(() => server.crash());
  await server.untilListening();
  const env = { EXECWIRE_URL: server.url };
  // With --json nothing is printed before the end, so the command itself says by a file that it runs.
  const jsonRuns = join(t.testdir(), 'json-runs');
  const command = ['--', 'sh', '-c', 'echo ready; exec sleep 60'];
  const atOnce = new CliProcess(['exec', '--no-reconnect', ...command], { env });
  const asJson = new CliProcess(
    ['exec', '--no-reconnect', '--json', '--', 'sh', '-c', 'echo > "$0"; exec sleep 60', jsonRuns],
    { env },
  );
  // Another server cannot always listen at the address of one that has crashed: somebody else may have been given its port.
  const proxy = await CuttingProxy.start(server.port);
  t.teardown(() => proxy.close());
  const next = await ServerProcess.start();
  t.teardown(() => next.crash());
  const comesBack = new CliProcess(['exec', ...command], { env: { EXECWIRE_URL: proxy.url } });
  await Promise.all([atOnce.untilSaid(/ready\n/), comesBack.untilSaid(/ready\n/)]);
  await until('the command of exec --json runs', () => existsSync(jsonRuns));
  proxy.targetPort = next.port;
  await server.crash();
  t.match(await atOnce.ended, { code: 255, stdout: 'ready\n', stderr: /^execwire: The command is lost: [^\n]*\n$/ });
  t.match(await asJson.ended, { code: 255, stderr: /is lost/ });
  t.match(JSON.parse(asJson.stdout), { exitCode: null, cause: 'lost' });
  await comesBack.untilSaid(/^execwire: the connection broke \(1006\); coming back, for up to 60 s\n/, 'stderr');
  t.match(await comesBack.ended, { code: 255, stderr: /^execwire: the outcome is unknown: Another server [^\n]*\n$/m });
});

t.test('exec runs an ordinary command with a note when the server has no room to keep output', async (t) => {
  const setup = await cliSetup(t, { flags: ['--replay-budget', '1k', '--max-replay-bytes', '64k'] });
  const note = /^execwire: the server has no room to keep output: this command ends with its connection\n$/;
  t.match(await setup.run(['exec', '-i', '--', 'cat'], { input: 'all of it' }), {
    code: 0,
    stdout: 'all of it',
    stderr: note,
  });
});

t.test('exec --json prints a document with the error when it is refused or its flags are wrong', async (t) => {
  const rows: readonly [args: string[], code: number, error: object][] = [
    [['exec', '--json', '--', '/no/such/program'], 127, { reason: 'spawnFailed', message: /no such file/ }],
    [['exec', '--json', '--timeout', 'soon', 'true'], 125, { reason: null, message: /expected a duration/ }],
    [['exec', '--json', '--timuot=3', 'true'], 125, { message: /unknown flag/ }],
    [['kill', '--json', 'no-such-key-at-all'], 125, { message: /no command with the key/ }],
    [['ls', '--json', '--url', 'ws://127.0.0.1:1'], 125, { message: /ECONNREFUSED/ }],
  ];
  for (const [args, exitCode, error] of rows) {
    const { code, stdout } = await setup.run(args);
    t.equal(code, exitCode, args.join(' '));
    t.match(JSON.parse(stdout), { error: { exitCode, ...error } }, args.join(' '));
  }
  const flagOfCommand = await setup.run(['exec', '--timuot', '3', 'echo', '--json']);
  t.equal(flagOfCommand.stdout, '', 'a --json after the first word belongs to the command');
});

t.test('errors never show the password of a URL', async (t) => {
  for (const args of [['exec', 'true'], ['ls', '--json'], ['doctor'], ['doctor', '--json']]) {
    for (const scheme of ['ws://', 'http://', '']) {
      const url = `${scheme}user:pass%20word@127.0.0.1:${CLOSED_PORT}/path`;
      const { code, stdout, stderr } = await new CliProcess(args, { env: { EXECWIRE_URL: url } }).ended;
      t.not(code, 0);
      t.notMatch(stdout + stderr, /pass/, `${args.join(' ')} ${url}`);
    }
  }
});

t.test('exec names the cause when a TLS handshake fails', async (t) => {
  const folder = t.testdir();
  const { cert, key } = selfSignedCertificate('localhost');
  writeFileSync(join(folder, 'cert'), cert);
  writeFileSync(join(folder, 'key'), key, { mode: 0o600 });
  const flags = ['--tls-cert', join(folder, 'cert'), '--tls-key', join(folder, 'key')];
  const [secure, plain] = [new ServerProcess({ flags }), new ServerProcess({})];
  t.teardown(() => Promise.all([secure.crash(), plain.crash()]));
  await Promise.all([secure.untilListening(), plain.untilListening()]);
  const run = (url: string, env = {}) => new CliProcess(['exec', '--url', url, 'echo', 'in'], { env }).ended;
  t.match(await run(secure.url), {
    code: 125,
    stderr: /^execwire: [^\n]*the certificate is not trusted; NODE_EXTRA_CA_CERTS can name its authority\n$/,
  });
  t.match(await run(secure.url, { NODE_EXTRA_CA_CERTS: join(folder, 'cert') }), { code: 0, stdout: 'in\n' });
  t.match(await run(plain.url.replace('ws:', 'wss:')), { code: 125, stderr: /^execwire: [^\n]*TLS[^\n]*\n$/ });
  t.match(await run(secure.url.replace('wss:', 'ws:')), {
    code: 125,
    stderr: /^execwire: Cannot connect to [^\n]*\n$/,
  });
});

t.test('execwire ends with 125 when it cannot write the help, the version or the schema', async (t) => {
  const full = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(full));
  for (const args of [
    ['--help'],
    ['help', 'exec'],
    ['exec', '--help'],
    ['serve', '--help'],
    ['--version'],
    ['schema', '--openrpc'],
  ]) {
    const ended = await new CliProcess(args, { stdoutFd: full }).ended;
    t.match(
      ended,
      { code: 125, stderr: /^execwire: cannot write to standard output: ENOSPC[^\n]*\n$/ },
      args.join(' '),
    );
  }
});
