// Shows how flags and variables become one frozen configuration, and which listen URLs are valid. Starts no server.
import t from 'tap';
import { nearestWord } from '../../client/src/nearest.js';
import { overviewText, serveHelpText } from '../../src/cli/help.js';
import { ConfigError, limitsOf, options, readConfig } from '../../src/config/config.js';
import { flagOf, readRequest, variableOf } from '../../src/config/flags.js';
import { parseListenUrl } from '../../src/config/listen-address.js';
import type { Option } from '../../src/config/option-kinds.js';
import { banner } from '../../src/server/listener.js';

const MIB = 1024 * 1024;

function problemsOf(argv: string[], env: Record<string, string> = {}): readonly string[] {
  try {
    readConfig(argv, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

t.test('config has the defaults of the protocol when nothing is given', (t) => {
  const config = readConfig([], {});
  t.match(config, {
    listen: 'stdio://',
    address: { kind: 'stdio' },
    maxFrameBytes: 16 * MIB,
    maxBufferedBytes: 256 * MIB,
    drainDelayMs: 0,
    drainTimeoutMs: 30_000,
    initializeTimeoutMs: 30_000,
    stallTimeoutMs: 300_000,
    logLevel: 'info',
    traceArgv: false,
    compression: false,
    allowOrigin: [],
    wsAuth: undefined,
  });
  t.ok(Object.isFrozen(config));
  t.end();
});

t.test('config takes every option by its flag and by its variable, and the flag wins', (t) => {
  /** Two different valid texts for each kind of option. */
  const texts: Record<string, [string, string]> = {
    listen: ['ws://127.0.0.1:1', 'ws://127.0.0.1:2'],
    wsAuth: ['capability-token', 'none'],
    logLevel: ['debug', 'warn'],
    sandboxDefault: ['readOnly', 'workspaceWrite'],
    sandboxMinimum: ['readOnly', 'workspaceWrite'],
    metricsListen: ['http://127.0.0.1:1', 'http://127.0.0.1:2'],
  };
  const textsOf = (name: string, { placeholder }: Option<unknown>): [string, string] => {
    if (placeholder === 'DURATION') return ['7s', '9s'];
    if (placeholder === 'BYTES') return ['1m', '2m'];
    if (placeholder === 'N') return ['7', '9'];
    return texts[name] ?? ['/one', '/two'];
  };
  for (const [name, option] of Object.entries<Option<unknown>>(options)) {
    const get = (argv: string[], env: Record<string, string>): unknown =>
      (readConfig(argv, env) as unknown as Record<string, unknown>)[name];
    if (option.placeholder === undefined) {
      t.equal(get([flagOf(name)], {}), true, flagOf(name));
      t.equal(get([], { [variableOf(name)]: 'true' }), true, variableOf(name));
      t.equal(get([`${flagOf(name)}=false`], { [variableOf(name)]: '1' }), false, `${name}: the flag wins`);
      continue;
    }
    const [first, second] = textsOf(name, option);
    const byFlag = get([flagOf(name), first], {});
    t.notSame(byFlag, get([], {}), `${flagOf(name)} changes something`);
    t.same(get([`${flagOf(name)}=${first}`], {}), byFlag, `${flagOf(name)}=`);
    t.same(get([], { [variableOf(name)]: first }), byFlag, variableOf(name));
    t.same(get([flagOf(name), first], { [variableOf(name)]: second }), byFlag, `${name}: the flag wins`);
    t.same(get([], { [variableOf(name)]: '' }), get([], {}), `${name}: an empty variable does not count`);
  }
  t.end();
});

t.test('option has the flag and the variable that the documentation names', (t) => {
  t.equal(flagOf('drainTimeoutMs'), '--drain-timeout');
  t.equal(flagOf('wsTokenSha256'), '--ws-token-sha256');
  t.equal(variableOf('maxEventLoopDelayMs'), 'EXECWIRE_MAX_EVENT_LOOP_DELAY');
  t.end();
});

t.test('config reads units and lists in the forms that people write', (t) => {
  const read = (...argv: string[]): ReturnType<typeof readConfig> => readConfig(argv, {});
  for (const [text, ms] of [
    ['250ms', 250],
    ['2s', 2000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['3', 3000],
    ['0', 0],
  ] as const) {
    t.equal(read('--drain-timeout', text).drainTimeoutMs, ms, text);
  }
  for (const [text, bytes] of [
    ['1024', 1024],
    ['64k', 65_536],
    ['16M', 16 * MIB],
    ['1g', 1024 * MIB],
  ] as const) {
    t.equal(read('--max-frame-bytes', text).maxFrameBytes, bytes, text);
  }
  t.same(read('--allow-origin', 'http://a', '--allow-origin', 'http://b').allowOrigin, ['http://a', 'http://b']);
  t.same(readConfig([], { EXECWIRE_ALLOW_ORIGIN: 'http://a, http://b' }).allowOrigin, ['http://a', 'http://b']);
  t.equal(read('--drain-timeout', '1s', '--drain-timeout', '2s').drainTimeoutMs, 2000, 'the last one counts');
  t.end();
});

t.test('config names every bad value in one message when several are bad', (t) => {
  const argv = ['--listen', 'tcp://x', '--drain-timeout', '5 parsecs', '--max-frame-bytes=12', '--nonsense', 'word'];
  const env = { EXECWIRE_MAX_PROCESSES: '-1', EXECWIRE_COMPRESSION: 'maybe', EXECWIRE_LOG_LEVEL: 'loud' };
  const problems = problemsOf([...argv, '--trace-argv=maybe', '--stall-timeout'], env);
  const named = ['tcp://x', '5 parsecs', '--max-frame-bytes', '--nonsense', 'word', '--trace-argv', '--stall-timeout'];
  for (const name of [...named, 'EXECWIRE_MAX_PROCESSES', 'EXECWIRE_COMPRESSION', 'EXECWIRE_LOG_LEVEL']) {
    t.equal(problems.filter((problem) => problem.includes(name)).length, 1, name);
  }
  t.equal(problems.length, 10);
  t.end();
});

t.test('config refuses a value when it is out of its bounds or of another kind', (t) => {
  const bad: readonly string[] = [
    '--drain-timeout=-1s',
    '--drain-timeout=',
    '--drain-timeout=1d',
    '--drain-timeout=600h',
    '--max-frame-bytes=1023',
    '--max-frame-bytes=1.5k',
    '--max-frame-bytes=99999999999g',
    '--max-connections=0',
    '--max-connections=1e3',
    '--max-connections=1000001',
    '--ws-max-clock-skew-seconds=3601',
    '--ws-auth=basic',
    '--oom-score-adj=1001',
    '--log-level=INFO',
  ];
  for (const flag of bad) {
    const [problem, ...more] = problemsOf([flag]);
    t.ok(problem?.startsWith(`${flag.split('=')[0]}: got \`${flag.split('=')[1]}\`; expected `), `${flag}: ${problem}`);
    t.same(more, []);
  }
  t.end();
});

t.test('limits are the bounds by the names of their flags', (t) => {
  const limits = limitsOf(readConfig(['--max-processes', '7'], {}));
  t.equal(limits.maxProcesses, 7);
  t.equal(limits.maxFrameBytes, 16 * MIB);
  for (const [name, value] of Object.entries(limits)) {
    t.equal(typeof value, 'number');
    t.ok(flagOf(name) in Object.fromEntries(Object.keys(options).map((option) => [flagOf(option), 1])), name);
  }
  t.end();
});

t.test('command line asks for help or the version when that flag comes before a `--`', (t) => {
  for (const argv of [['--help'], ['-h'], ['--listen', 'x', '--help'], ['--version', '--help']]) {
    t.equal(readRequest(argv), 'help', argv.join(' '));
  }
  for (const argv of [['--version'], ['-V'], ['-V', '--', '--help']]) t.equal(readRequest(argv), 'version');
  for (const argv of [[], ['--'], ['--', '--help'], ['--', '-V'], ['help']]) t.equal(readRequest(argv), undefined);
  t.end();
});

t.test('flags end at `--` when a line has one', (t) => {
  t.same(problemsOf(['--max-processes', '7', '--']), []);
  t.same(problemsOf(['--', '--max-processes']), ['unexpected argument `--max-processes`; see `execwire serve --help`']);
  t.same(problemsOf(['-x', '--listen']), [
    'unknown flag `-x` of serve; see `execwire serve --help`',
    '--listen needs a value: --listen URL',
  ]);
  t.end();
});

t.test('nearest word is the intended one when a word was mistyped, and none when no word is similar', (t) => {
  const words = ['serve', 'exec', 'ls', 'help'];
  for (const [typed, meant] of Object.entries({
    srve: 'serve',
    server: 'serve',
    exce: 'exec',
    hlep: 'help',
    lss: 'ls',
  })) {
    t.equal(nearestWord(typed, words), meant, typed);
  }
  for (const typed of ['', 'x', 'frobnicate']) t.equal(nearestWord(typed, words), undefined, typed);
  t.end();
});

t.test('config and the objects in it are frozen', (t) => {
  const config = readConfig(['--listen', 'ws://127.0.0.1:1', '--allow-origin', 'http://a'], {});
  for (const part of [config, config.address, config.allowOrigin, config.telemetry]) t.ok(Object.isFrozen(part));
  t.end();
});

t.test('help names every flag with its variable', (t) => {
  const text = serveHelpText();
  t.match(text, /^Examples:\n {2}execwire serve --listen ws:/m);
  const overview = overviewText([{ name: 'name', summary: 'summary', flags: [], help: () => '', run: async () => 0 }]);
  t.match(overview, /^ {2}name +summary$/m);
  for (const name of Object.keys(options)) {
    t.ok(text.includes(`  ${flagOf(name)}`), flagOf(name));
    t.ok(text.includes(`[${variableOf(name)}]`), variableOf(name));
  }
  t.end();
});

t.test('listen URL is read when it has one of the three forms', (t) => {
  t.same(parseListenUrl('stdio://'), { kind: 'stdio' });
  t.same(parseListenUrl('ws://127.0.0.1:0'), { kind: 'ws', host: '127.0.0.1', port: 0 });
  t.same(parseListenUrl('ws://0.0.0.0:65535/'), { kind: 'ws', host: '0.0.0.0', port: 65_535 });
  t.same(parseListenUrl('ws://[::1]:8080'), { kind: 'ws', host: '::1', port: 8080 });
  t.same(parseListenUrl('unix:///run/a b.sock'), { kind: 'unix', path: '/run/a b.sock' });
  t.end();
});

t.test('listen URL is refused with a text that scripts can match when it has another form', (t) => {
  for (const url of ['', 'http://127.0.0.1:1', 'wss://127.0.0.1:1', 'off', 'stdio', 'WS://127.0.0.1:1', 'x']) {
    t.throws(
      () => parseListenUrl(url),
      { message: new RegExp(`^unsupported --listen URL \`${url}\`; expected `) },
      url,
    );
  }
  const noIp = ['ws://localhost:1', 'ws://127.0.0.1', 'ws://127.0.0.1:', 'ws://127.0.0.1:65536', 'ws://127.0.0.1:-1'];
  for (const url of [
    ...noIp,
    'ws://::1:1',
    'ws://[127.0.0.1]:1',
    'ws://1.2.3:1',
    'ws://127.0.0.1:1/path',
    'ws://:1',
    'ws://',
  ]) {
    const message = `invalid websocket --listen URL \`${url}\`; expected \`ws://IP:PORT\``;
    t.throws(() => parseListenUrl(url), { message }, url);
  }
  for (const url of ['unix://', 'unix://relative', `unix:///${'x'.repeat(107)}`, 'unix:///a\0b']) {
    t.throws(() => parseListenUrl(url), { message: /^invalid unix --listen URL `/ }, url);
  }
  t.end();
});

t.test('banner has the lines that the protocol demands, with the address of the service', (t) => {
  t.equal(
    banner('ws://127.0.0.1:34075'),
    'execwire (WebSocket)\n  listening on: ws://127.0.0.1:34075\n  readyz: http://127.0.0.1:34075/readyz\n  healthz: http://127.0.0.1:34075/healthz\n',
  );
  t.match(banner('wss://[::1]:1'), 'readyz: https://[::1]:1/readyz');
  t.equal(
    banner('unix:///run/x'),
    'execwire (WebSocket)\n  listening on: unix:///run/x\n  readyz: curl --unix-socket /run/x http://localhost/readyz\n  healthz: curl --unix-socket /run/x http://localhost/healthz\n',
  );
  t.match(banner("unix:///run/a b'c"), "--unix-socket '/run/a b'\\''c' http:");
  t.end();
});
