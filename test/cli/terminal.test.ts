// Shows `execwire exec -it`, `shell`, `attach` and `top` in a real terminal: exit codes, keys, sizes, and that the settings of the terminal are
// restored however the program ends. Long because the four share what is shown.
import { existsSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { spawn as openTerminal } from 'node-pty';
import t from 'tap';
import type { Terminal } from '../../client/src/node.js';
import { CuttingProxy } from '../support/cutting-proxy.js';
import { SERVER, ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import { type CliSetup, cliSetup, endOf, untilShellAnswers } from './cli-process.js';

const ESC = '\u001b';
/** A server with its defaults for most tests, because to start one takes more of the processor than most of them. */
const setup = await cliSetup(t);

/** Runs a shell line, and compares the settings of the terminal before and after it. Prints `same` or `other`, then the exit code of the line. */
function between(setup: CliSetup, line: string, options = {}): Terminal {
  const script = `before=$(stty -g); ${line}; code=$?; after=$(stty -g); [ "$before" = "$after" ] && echo "same $code" || echo "other $code"`;
  return setup.program(['bash', '-c', script], options);
}

t.test('exec -it ends with the code of the table and restores the terminal', async (t) => {
  const rows: readonly [line: string, code: number][] = [
    ['$CLI exec -it -- true', 0],
    ["$CLI exec -it -- sh -c 'exit 3'", 3],
    ["$CLI exec -it -- sh -c 'kill -TERM $$'", 143],
    ['$CLI exec -it --timeout 200ms -- sleep 60', 124],
    ['$CLI exec -it -- /no/such/program', 127],
    ['$CLI exec -it -- /etc/passwd', 126],
    ['$CLI exec -it --wrong -- true', 125],
    ['$CLI exec -it --url ws://127.0.0.1:1 -- true', 125],
    ['$CLI exec -it --detach-keys ctrl-1 -- true', 125],
  ];
  for (const [line, code] of rows)
    t.match((await endOf(between(setup, line))).text, new RegExp(`same ${code}\r\n$`), line);
});

t.test('exec -it passes keys, ctrl-c among them, and sizes on to the command', async () => {
  // Not a shell: it runs a trap only between two reads, and a read with a time limit can lose what it has just read.
  const program = `
    const size = () => console.log(process.stdout.getWindowSize().reverse().join(' '));
    process.on('SIGINT', () => console.log('caught'));
    process.stdout.on('resize', size);
    process.stdin.on('data', (line) => console.log('[' + String(line).trimEnd() + ']')).on('end', () => process.exit(9));
    size();
    console.log('ready');`;
  const term = between(setup, `$CLI exec -it -- node -e ${quoted(program)}`, { cols: 91, rows: 31 });
  await term.waitFor('31 91');
  await term.waitFor('ready');
  await term.write('typed\r');
  await term.waitFor('[typed]');
  await term.write('\u0003');
  await term.waitFor('caught');
  await term.resize({ cols: 77, rows: 22 });
  await term.write('\r');
  await term.waitFor('22 77');
  await term.write('~~ a tilde\r');
  await term.waitFor('[~ a tilde]');
  await term.write('~?');
  await term.waitFor('~.  disconnects');
  await term.write('\u0004');
  await term.waitFor('same 9');
  await term.result;
});

t.test('ctrl-p ctrl-q detaches with 0, attach draws the screen again, and ~. disconnects with 255', async (t) => {
  const script = "printf '\\033[?1049h\\033[?25lalternate'; read line; printf '\\033[?25h\\033[?1049l'; exit 6";
  const first = between(setup, `$CLI exec -it -- sh -c ${quoted(script)}`);
  await first.waitFor('alternate');
  await first.write('\u0010\u0011');
  const { before: restored } = await first.waitFor('\r\ndetached: ');
  t.match(restored, /\[\?1049l.*\[\?25h/s, 'the modes that the command set are reset');
  const { match: key } = await first.waitFor(/[\w.]{20,}/);
  await first.waitFor('same 0');
  await first.result;
  const second = between(setup, `$CLI attach ${key}`);
  await second.waitFor('alternate');
  await second.write('\r~.');
  // `~.` needs a return in front of it. That return also ends the command, with 6, unless `~.` disconnects first.
  await second.waitFor(/same (255|6)/);
  await second.result;

  const gone = between(setup, '$CLI exec -it -- sh -c "echo ready; exec sleep 60"');
  await gone.waitFor('ready');
  await gone.write('~.');
  await gone.waitFor('disconnected; it is kept for 60 s with nobody attached; `execwire attach ');
  const { match: left } = await gone.waitFor(/[\w.]{20,}/);
  await gone.waitFor('same 255');
  await gone.result;
  t.match(await setup.run(['kill', left]), { code: 0 });
});

t.test(
  'nothing of the command is written behind the restored terminal when ~. disconnects from one that writes on',
  async (t) => {
    const script = "while :; do printf '\\033[?2004h\\033[31mX'; sleep 0.005; done";
    const term = between(setup, `$CLI exec -it -- sh -c ${quoted(script)}`);
    await term.waitFor('X');
    await term.write('\r~.');
    await term.waitFor('disconnected; ');
    const { before: behind } = await term.waitFor('same 255');
    t.notMatch(behind, /X|\[31m/, 'no output');
    const [key = ''] = /[\w.]{20,}/.exec(behind) ?? [];
    await term.result;
    t.match(await setup.run(['kill', key]), { code: 0 });
  },
);

/** Signals that end no program by default, or that no program can handle, or after which none can be trusted; SIGUSR1 does nothing here. */
const LEFT_OUT =
  /^SIG(CHLD|CONT|STOP|TSTP|TTIN|TTOU|URG|WINCH|INFO|PIPE|USR1|KILL|SEGV|BUS|FPE|ILL|IOT|POLL|UNUSED|LOST|BREAK)$/;

t.test(
  'exec -it ends its command, restores the terminal and ends with 128 plus the signal when it gets a signal',
  async (t) => {
    const signals = Object.entries(constants.signals).filter(([name]) => !LEFT_OUT.test(name));
    t.ok(signals.length >= 16, signals.map(([name]) => name).join(' '));
    const tell = async (line: string, shown: string, signal: string): Promise<string> => {
      const term = between(setup, line);
      await term.waitFor(shown);
      const { pid } = await term.started;
      await setup.box.exec(['pkill', `-${signal}`, '-P', String(pid), '-f', '^node -- ']);
      const { before, match } = await term.waitFor(/(same|other) \d+/);
      await term.result;
      return `${before}${match}`;
    };
    const remote = `$CLI exec -it -- sh -c 'printf "\\033[?1049hfull screen"; exec sleep 60'`;
    for (const [name, number] of signals) {
      const text = await tell(remote, 'full screen', name.slice('SIG'.length));
      t.ok(text.endsWith(`same ${128 + number}`), `${name}: ${JSON.stringify(text)}`);
      t.ok(text.includes(`${ESC}[?1049l`), `${name}: the modes of the program are off`);
    }
    for (const name of ['TERM', 'ALRM'] as const) {
      const text = await tell('$CLI top', 'KEY', name);
      t.ok(text.endsWith(`same ${128 + constants.signals[`SIG${name}`]}`), `top: ${name}: ${JSON.stringify(text)}`);
      t.ok(text.includes(`${ESC}[?1049l`), `top: ${name}`);
    }
  },
);

t.test('exec -it --ttl keeps its command for so long when it is left, and says so', async (t) => {
  const started = between(setup, "$CLI exec -it --ttl 10m -- sh -c 'echo ready; exec sleep 60'");
  await started.waitFor('ready');
  await started.write('~.');
  await started.waitFor('execwire: disconnected; it is kept for 10 min with nobody attached; `execwire attach ');
  const { match: key } = await started.waitFor(/[\w.]{20,}/);
  await started.waitFor('same 255');
  t.match(await setup.run(['ls']), { stdout: new RegExp(`^${key} +detached .* in (9|10) min +sh -c `, 'm') });
  for (const [keys, said, code] of [
    ['\u0010\u0011', 'detached: ', 0],
    ['~.', 'disconnected; ', 255],
  ] as const) {
    const attached = between(setup, `$CLI attach ${key}`);
    await attached.waitFor('ready');
    await attached.write(keys);
    await attached.waitFor(said);
    await attached.waitFor('it is kept for 10 min with nobody attached; `execwire attach ');
    await attached.waitFor(`same ${code}`);
  }
  t.match(await setup.run(['kill', '-s', 'KILL', key]), { code: 0 });
  const ordinary = between(setup, "$CLI exec -it --no-reconnect -- sh -c 'echo ready; exec sleep 60'");
  await ordinary.waitFor('ready');
  await ordinary.write('~.');
  await ordinary.waitFor('execwire: disconnected; the command ends with its connection');
  await ordinary.waitFor('same 255');
});

t.test('exec -it ends by SIGHUP and not by an abort when its terminal is gone', async (t) => {
  for (const args of [
    ['exec', '-it', '--', 'sh', '-c', 'echo ready; exec sleep 60'],
    ['exec', '--', 'sh', '-c', 'echo ready; exec sleep 60'],
  ]) {
    const window = openTerminal(SERVER, args, { env: { ...process.env, EXECWIRE_URL: setup.url } });
    const ended = new Promise((resolve) => window.onExit(resolve));
    await new Promise<void>((resolve) => window.onData((text) => text.includes('ready') && resolve()));
    (window as unknown as { destroy(): void }).destroy();
    t.same(await ended, { exitCode: 0, signal: constants.signals.SIGHUP }, args.join(' '));
  }
});

t.test('exec -it shows output byte for byte, line feeds without a return included', async (t) => {
  const { text } = await endOf(between(setup, '$CLI exec -it -- sh -c \'stty -opost; printf "ab\\ncd"\''));
  t.match(text, /^ab\ncdsame 0\r\n$/);
});

t.test('exec -t gives the command a terminal and reads no input when -i is not given', async (t) => {
  const { text } = await endOf(between(setup, "$CLI exec -t -- sh -c '[ -t 1 ] && echo a terminal; exit 4'"));
  t.match(text, /^a terminal\r+\nsame 4\r\n$/);
});

t.test('shell opens a shell on the server and ends with the code of that shell', async () => {
  const term = between(setup, '$CLI shell -w / -e PS1="there> " -e ENV= -e BASH_ENV=');
  await untilShellAnswers(term);
  await term.write('pwd; echo $((40 + 2)); exit 5\r');
  await term.waitFor('/\r\n42\r\n');
  await term.waitFor('same 5');
  await term.result;
});

t.test('top draws a table until q is typed, and restores the terminal', async () => {
  const { stdout } = await setup.run(['exec', '-d', '--', 'sleep', '600']);
  const term = between(setup, '$CLI top', { cols: 200, rows: 30 });
  await term.waitFor(stdout.trim());
  await term.write('q');
  await term.waitFor('same 0');
  await term.result;
  await setup.run(['kill', stdout.trim()]);
});

t.test('top shows the command also in a narrow window, and no colour where NO_COLOR is set', async (t) => {
  const { stdout } = await setup.run(['exec', '-d', '--', 'sleep', '60601']);
  const key = stdout.trim();
  for (const cols of [80, 100]) {
    const term = between(setup, '$CLI top', { cols, rows: 30, env: { NO_COLOR: '' } });
    const { before, match } = await term.waitFor(/sleep 60601/);
    t.match(
      `${before}${match}`,
      new RegExp(`${key.slice(0, 4)}\\S*…\\S*${key.slice(-4)} `),
      `the key is cut at ${cols}`,
    );
    t.match(before, `${ESC}[7m`, 'the heading is shown in reverse');
    await term.write('q');
    await term.waitFor('same 0');
  }
  const plain = between(setup, '$CLI top', { cols: 80, rows: 30, env: { NO_COLOR: '1' } });
  const { before } = await plain.waitFor(/sleep 60601/);
  t.notOk(before.includes(`${ESC}[7m`), 'the heading has no colour');
  await plain.write('q');
  await plain.waitFor('same 0');
  await setup.run(['kill', key]);
});

t.test('attach --observe shows a terminal, sends no keys, and ends at ctrl-c', async () => {
  const script = 'echo begun; read line; echo "got $line"; exit 6';
  const { stdout } = await setup.run(['exec', '-d', '-t', '--', 'sh', '-c', script]);
  const key = stdout.trim();
  const observer = between(setup, `$CLI attach --observe ${key}`);
  await observer.waitFor('begun');
  await observer.write('typed\r');
  await observer.write('\u0003');
  await observer.waitFor('same 130');
  const last = between(setup, `$CLI attach --observe ${key}`);
  await last.waitFor('begun');
  const writer = between(setup, `$CLI attach ${key}`);
  await writer.waitFor('begun');
  await writer.write('a line\r');
  await writer.waitFor('got a line');
  await writer.waitFor('same 6');
  await last.waitFor('got a line');
  await last.waitFor('same 6');
});

t.test('exec -it makes the terminal raw again when it was stopped and is continued', async (t) => {
  const folder = t.testdir();
  const at = (name: string): string => quoted(join(folder, name));
  const remote = 'trap "echo caught; exit 3" INT; echo ready; while :; do sleep 0.05; done';
  // More words of the command line would also match the outer shell, whose script contains them.
  const find = `-P $$ -f '^node -- '`;
  const stopping = `(until [ -e ${at('shown')} ]; do sleep 0.05; done; pkill -STOP ${find}; stty sane < /dev/tty; touch ${at('stopped')}; pkill -CONT ${find}; touch ${at('goes-on')})`;
  const term = between(setup, `${stopping} & $CLI exec -it -- sh -c ${quoted(remote)}`);
  await term.waitFor('ready');
  writeFileSync(join(folder, 'shown'), '');
  await until('exec was continued', () => existsSync(join(folder, 'goes-on')));
  // Ctrl-c reaches the command on the server only when the terminal is raw.
  await until('the terminal is raw', async () => {
    const { pid } = await term.started;
    const { stdout } = await setup.box.exec(['sh', '-c', `stty -a < /proc/${pid}/fd/0`]);
    return stdout.includes('-isig');
  });
  await term.write('\u0003');
  await term.waitFor('caught');
  await term.waitFor('same 3');
});

t.test('exec -it restores the terminal when an unforeseen error ends it', async (t) => {
  const setup = await cliSetup(t);
  const planted = join(t.testdir(), 'planted.cjs');
  writeFileSync(planted, "process.on('SIGTRAP', () => { throw new Error('planted'); });");
  const line = `NODE_OPTIONS=--require=${planted} $CLI exec -it -- sh -c 'printf "\\033[?1049hfull screen"; exec sleep 60'`;
  const term = between(setup, line);
  await term.waitFor('full screen');
  const { pid } = await term.started;
  await setup.box.exec(['pkill', '-TRAP', '-P', String(pid), '-f', 'exec -it']);
  const { before } = await term.waitFor('same 125');
  t.match(before, /execwire: unforeseen error: Error: planted/);
  t.match(before, `${ESC}[?1049l`, 'the modes that the command set are reset');
  for (const { key } of await setup.box.list()) if (typeof key === 'string') await setup.box.kill(key);
});

t.test('serve says what it waits for at the first ctrl-c, and ends at once at the second', async (t) => {
  const term = between(setup, '$CLI serve --listen ws://127.0.0.1:0');
  const { match } = await term.waitFor(/ws:\/\/127\.0\.0\.1:\d+/);
  await term.waitFor('healthz: ');
  t.match(await setup.run(['exec', '-d', '--url', match, '--', 'sleep', '600']), { code: 0 });
  await term.write('\u0003');
  await term.waitFor(
    '\nexecwire: draining: one command runs and has up to 30 s; a second ctrl-c ends everything at once\r\n',
  );
  // Again and again, because a ctrl-c that follows another in a moment counts as the same.
  const pressing = setInterval(() => void term.write('\u0003'), 300);
  t.teardown(() => clearInterval(pressing));
  await term.waitFor('same 130');
});

t.test('serve says that nobody can connect when it reads a terminal and no --listen was given', async (t) => {
  const env = { ...process.env };
  delete env.EXECWIRE_LISTEN;
  const startWith = async (...flags: string[]): Promise<string> => {
    const window = openTerminal(SERVER, ['serve', ...flags], { env, cols: 200 });
    let said = '';
    const ended = new Promise((resolve) => window.onExit(resolve));
    // The answer to a line that is no request shows that everything before it was said.
    const answered = new Promise<void>((resolve) =>
      window.onData((text) => {
        said += text;
        if (said.includes('-32700')) resolve();
      }),
    );
    window.write('no request\r');
    await answered;
    window.write('\u0004');
    await ended;
    return said;
  };
  const hint =
    'execwire: no --listen, so JSON-RPC is read from this terminal, and nobody can connect; for a server: execwire serve --listen ws://127.0.0.1:4500\r\n';
  t.equal((await startWith()).split(hint).length, 2, 'it is said once');
  t.notMatch(await startWith('--listen', 'stdio://'), 'no --listen');
});

t.test('serve ends by SIGHUP and not by an abort when its terminal is gone', async (t) => {
  const window = openTerminal(SERVER, ['serve', '--listen', 'ws://127.0.0.1:0'], { env: { ...process.env } });
  const ended = new Promise((resolve) => window.onExit(resolve));
  await new Promise<void>((resolve) => window.onData((text) => text.includes('healthz') && resolve()));
  (window as unknown as { destroy(): void }).destroy();
  t.same(await ended, { exitCode: 0, signal: constants.signals.SIGHUP });
});

t.test('exec says one line and goes on when the connection breaks, and with -it draws the screen again', async (t) => {
  const proxy = await CuttingProxy.start(setup.server.port);
  t.teardown(() => proxy.close());
  const piped = setup.start(['exec', '-i', '--', 'cat'], { env: { EXECWIRE_URL: proxy.url } });
  piped.child.stdin?.write('one\n');
  await piped.untilSaid(/one\n/);
  const shown = between(setup, "$CLI exec -it -- sh -c 'echo drawn; cat'", { env: { EXECWIRE_URL: proxy.url } });
  await shown.waitFor('drawn');
  proxy.cut();
  piped.child.stdin?.end('two\n');
  t.match(await piped.ended, {
    code: 0,
    stdout: 'one\ntwo\n',
    stderr: /^execwire: the connection broke \(1006\); coming back, for up to 60 s\n$/,
  });
  await shown.waitFor('the connection broke (1006)');
  await shown.waitFor('drawn');
  await shown.write('after\r');
  await shown.waitFor(/after[\s\S]*after/);
  await shown.write('\u0004');
  await shown.waitFor('same 0');
  await shown.result;
});

t.test('exec -it restores the terminal and ends with 255 when its server has crashed', async (t) => {
  const server = new ServerProcess({});
  t.teardown(() => server.crash());
  await server.untilListening();
  const term = between(setup, "$CLI exec -it --no-reconnect -- sh -c 'echo ready; exec sleep 60'", {
    env: { EXECWIRE_URL: server.url },
  });
  await term.waitFor('ready');
  await server.crash();
  await term.waitFor(/execwire: The command is lost: /);
  await term.waitFor('same 255');
  await term.result;
});

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
