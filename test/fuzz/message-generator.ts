// Makes hostile JSON-RPC text frames. They are written as text, not as values, because no value has duplicate keys, ids beyond a double, or lone
// surrogates. Every program named here is harmless with any arguments. Sends nothing.
// Long because each kind of hostile frame has its maker.

import type { Random } from '../support/seed.js';

/** The protocol that a connection has chosen: the app-server's, or the exec-server's. */
export type Dialect = 'app-server' | 'exec-server';

/** Makes the next text frame for a connection. */
export type NextMessage = (dialect: Dialect) => string;

/** The messages that choose a protocol. */
export const HELLOS: Readonly<Record<Dialect, readonly string[]>> = {
  'app-server': [
    '{"id":"hello","method":"initialize","params":{"clientInfo":{"name":"hostile","version":"1"},"capabilities":{"experimentalApi":true}}}',
  ],
  'exec-server': [
    '{"id":"hello","method":"initialize","params":{"clientName":"hostile"}}',
    '{"method":"initialized","params":{}}',
  ],
};

/** The processId of the long-running command of another connection, which guesses must never reach. */
export const VICTIM_PROCESS_ID = 'victim';

type Texts = readonly [string, ...string[]];

const METHODS: Texts = [
  'command/exec',
  'command/exec/write',
  'command/exec/resize',
  'command/exec/terminate',
  'command/exec/signal',
  'command/exec/list',
  'initialize',
  'rpc.discover',
  'process/spawn',
  'process/writeStdin',
  'process/resizePty',
  'process/kill',
];
const EXEC_SERVER_METHODS: Texts = [
  'initialize',
  'environment/info',
  'environmentConfig/read',
  'process/start',
  'process/start',
  'process/read',
  'process/write',
  'process/signal',
  'process/terminate',
];
const FILE_METHODS: Texts = [
  'fs/readFile',
  'fs/writeFile',
  'fs/createDirectory',
  'fs/getMetadata',
  'fs/readDirectory',
  'fs/remove',
  'fs/copy',
  'fs/watch',
  'fs/unwatch',
];
const EXEC_SERVER_FILE_METHODS: Texts = [
  ...FILE_METHODS,
  'fs/canonicalize',
  'fs/walk',
  'fs/open',
  'fs/readBlock',
  'fs/writeBlock',
  'fs/close',
  'fs/watchMissing',
];
const STRANGE_METHODS: Texts = [
  '',
  'initialized',
  '__proto__',
  'constructor',
  'toString',
  'command/exec\u0000',
  'x'.repeat(5000),
];

/** Guesses share few names, so that duplicates, reuse and other connections' ids come up all the time. */
const PROCESS_IDS: Texts = [
  VICTIM_PROCESS_ID,
  'a',
  'b',
  'c',
  '',
  '0',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '\u0000',
  'é\u{1f511}',
];

/** Programs that end by themselves and touch nothing. */
const COMMANDS: Texts = [
  '["/bin/true"]',
  '["/bin/false"]',
  '["/bin/echo","x"]',
  '["/bin/echo","\\ud800","\\udfff"]',
  '["/bin/cat"]',
  '["/bin/sleep","0.05"]',
  '["/nonexistent/program"]',
  '["/dev/null"]',
  '["/tmp"]',
  '[""]',
  '[]',
  '["/bin/true\\u0000x"]',
  '["/bin/echo","a\\u0000b"]',
  '["true"]',
];

/** JSON texts of numbers at the edges of doubles, 32 and 53 bits. */
const NUMBERS: Texts = [
  '0',
  '-0',
  '-1',
  '1',
  '1.5',
  '1e0',
  '2147483647',
  '2147483648',
  '-2147483649',
  '4294967296',
  '65535',
  '65536',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '18446744073709551616',
  '1e308',
  '1e400',
  '-1e-400',
  `1${'0'.repeat(400)}`,
  '0.1234567890123456789',
];

/** JSON texts of strings that break naive code. */
const STRINGS: Texts = [
  '""',
  '"x"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udfff\\ud800"',
  '"__proto__"',
  '"\\u202e"',
  '"\u2028\u2029"',
  '"a\\nb\\r\\nc"',
  '"../../../../etc/passwd"',
  '"%00%n%s$(id)"',
  `"${'x'.repeat(70_000)}"`,
  '"💥"',
];

const ODD_VALUES: Texts = [
  'null',
  'true',
  'false',
  '{}',
  '[]',
  '[[]]',
  '{"__proto__":{"polluted":true}}',
  '{"toString":1}',
];

const MEMBER_NAMES: Texts = [
  '__proto__',
  'constructor',
  'prototype',
  'id',
  'method',
  'params',
  'jsonrpc',
  'trace',
  'x',
  '',
  '\\u0000',
];

/** Paths in the folder that is served, `@`, and others. The server serves nothing else, so that no message can do harm. */
const PATHS: Texts = [
  '@',
  '@/a',
  '@/a/b',
  '@/a/b/c',
  '@/b',
  '@/link',
  '@/\\u0000',
  '@/\\ud800',
  '@/%00',
  '@/%2e%2e/%2e%2e/etc',
  '@/../../../etc/passwd',
  '@//.//a/',
  '',
  '.',
  '/',
  '/etc/passwd',
  '/proc/self/mem',
  '/proc/self/fd/0',
  'http://x/y',
  '//host/a',
];

/** Levels. Deep enough to end every recursive parser that has no bound. */
const MAX_DEPTH = 20_000;

/**
 * Makes hostile messages, one after the other. Most are nearly right, so that they get past the first check.
 * @param random The only source of variety: the same seed gives the same messages.
 * @param folder What the server serves of files.
 */
export function createMessageGenerator(random: Random, folder = '/nothing'): NextMessage {
  const quote = (text: string) => JSON.stringify(text);
  const base64 = () => Buffer.alloc(random.int(0, 300), random.int(0, 255)).toString('base64');

  function anyValue(): string {
    const kind = random.int(0, 9);
    if (kind < 3) return random.pick(NUMBERS);
    if (kind < 6) return random.pick(STRINGS);
    if (kind < 9) return random.pick(ODD_VALUES);
    return deepValue(random.int(1, 200));
  }

  function deepValue(depth: number): string {
    const [open, close] = random.pick<[string, string]>([
      ['[', ']'],
      ['{"a":', '}'],
      ['{"__proto__":', '}'],
    ]);
    return open.repeat(depth) + random.pick(ODD_VALUES) + close.repeat(depth);
  }

  /** Mostly the right value, and now and then a value of any kind. */
  const mostly = (right: string) => (random.chance(0.93) ? right : anyValue());
  const boolean = () => mostly(random.pick(['true', 'false']));
  const processId = () => mostly(quote(random.pick(PROCESS_IDS)));
  const size = () =>
    mostly(`{"rows":${mostly(String(random.int(0, 70_000)))},"cols":${mostly(String(random.int(1, 300)))}}`);

  function environment(): string {
    const names: Texts = ['A', '', '=', 'A=B', 'A\\u0000B', '__proto__', 'PATH', 'TERM', '\\ud800', 'LANG'];
    const values: Texts = ['"x"', 'null', '""', '"a\\u0000b"', '"\\ud800"', '1', '"=;\\n"'];
    const members = Array.from({ length: random.int(0, 4) }, () => `"${random.pick(names)}":${random.pick(values)}`);
    return `{${members.join(',')}}`;
  }

  function execParams(): string {
    const members = [`"command":${mostly(random.pick(COMMANDS))}`];
    const optional: [number, () => string][] = [
      [0.6, () => `"processId":${processId()}`],
      [0.25, () => `"tty":${boolean()}`],
      [0.3, () => `"streamStdin":${boolean()}`],
      [0.4, () => `"streamStdoutStderr":${boolean()}`],
      // Nearly always there, because a command that waits for input must not hold the run up.
      [0.95, () => `"timeoutMs":${random.chance(0.95) ? String(random.int(0, 300)) : random.pick(NUMBERS)}`],
      [0.2, () => `"outputBytesCap":${mostly(String(random.int(0, 9000)))}`],
      [0.1, () => `"disableOutputCap":${boolean()}`],
      [0.15, () => `"size":${size()}`],
      [0.2, () => `"env":${mostly(environment())}`],
      [
        0.15,
        () => `"cwd":${mostly(random.pick(['"/"', '"."', '""', '"/tmp\\u0000x"', '"/nonexistent"', '"/etc/passwd"']))}`,
      ],
      [0.1, () => `"sandboxPolicy":${mostly(random.pick(['{"type":"dangerFullAccess"}', '{"type":"x"}', '{}']))}`],
      [0.05, () => `"permissionProfile":${anyValue()}`],
      [0.1, () => `"${random.pick(MEMBER_NAMES)}":${anyValue()}`],
    ];
    for (const [probability, member] of optional) if (random.chance(probability)) members.push(member());
    return `{${members.join(',')}}`;
  }

  /** A path, or its URI. */
  function path(dialect: Dialect): string {
    const text = random.chance(0.02) ? `@/${'x'.repeat(random.int(200, 5000))}` : random.pick(PATHS);
    const scheme =
      dialect === 'exec-server' ? random.pick(['file://', 'file://', 'file://', 'FILE:', 'file://h', '']) : '';
    return mostly(`"${scheme}${text.replaceAll('@', folder)}"`);
  }

  /** Members of all methods about files: each takes what it knows of them. */
  function fileParams(dialect: Dialect): string {
    const handle = mostly(quote(random.pick(['h', 'i', '', '__proto__'])));
    const small = (): string => mostly(String(random.int(0, 70)));
    const members = [
      `"path":${path(dialect)},"sourcePath":${path(dialect)},"destinationPath":${path(dialect)}`,
      `"recursive":${boolean()},"force":${boolean()}`,
      `"dataBase64":${mostly(quote(base64()))},"chunk":${mostly(quote(base64()))}`,
      `"handleId":${handle},"mode":${mostly(random.pick(['"read"', '"replace"']))},"offset":${mostly(String(random.int(0, 9)))},"len":${small()}`,
      dialect === 'exec-server'
        ? `"watchId":${mostly(String(random.int(0, 9)))},"missing":[${path(dialect)},${path(dialect)}],"present":${random.chance(0.5) ? path(dialect) : 'null'}`
        : `"watchId":${handle}`,
      `"options":{"maxDepth":${small()},"maxDirectories":${small()},"maxEntries":${small()},"followDirectorySymlinks":${boolean()},"pruneHiddenDirectories":${boolean()}}`,
    ];
    if (random.chance(0.05)) members.push(`"sandbox":${anyValue()}`);
    if (random.chance(0.1)) members.splice(random.int(0, members.length - 1), 1);
    return `{${members.join(',')}}`;
  }

  function startParams(): string {
    const policy = `{"inherit":${mostly('"all"')},"ignoreDefaultExcludes":${boolean()},"exclude":["*A*"],"set":${environment()},"includeOnly":[]}`;
    const members = [
      `"processId":${processId()},"argv":${mostly(random.pick(COMMANDS))},"cwd":${mostly('"file:///tmp"')},"env":${mostly('{}')},"tty":${boolean()}`,
    ];
    if (random.chance(0.5)) members.push(`"pipeStdin":${boolean()}`);
    if (random.chance(0.2)) members.push(`"envPolicy":${mostly(policy)}`);
    if (random.chance(0.1)) members.push(`"arg0":${anyValue()}`);
    if (random.chance(0.1)) members.push(`"sandbox":${anyValue()}`);
    if (random.chance(0.1)) members.push(`"metadata":${mostly('{"threadId":"t","toolCallId":"c"}')}`);
    return `{${members.join(',')}}`;
  }

  function processParams(): string {
    return `{"processId":${processId()},"chunk":${mostly(quote(base64()))},"writeId":${mostly(quote(random.pick(PROCESS_IDS)))},"signal":${mostly('"interrupt"')},"afterSeq":${mostly(String(random.int(0, 9)))},"waitMs":${mostly(String(random.int(0, 50)))}}`;
  }

  function execServerParams(method: string): string {
    switch (method) {
      case 'initialize':
        return `{"clientName":${mostly('"fuzz"')},"resumeSessionId":${mostly('null')}}`;
      case 'process/start':
        return startParams();
      case 'environmentConfig/read':
        return `{"cwd":${path('exec-server')}}`;
      default:
        return processParams();
    }
  }

  function paramsOf(method: string): string {
    switch (method) {
      case 'process/spawn':
        return execParams().replace('"processId":', '"processHandle":').replace(/}$/, ',"cwd":"/"}');
      case 'process/writeStdin':
      case 'process/resizePty':
      case 'process/kill':
        return `{"processHandle":${processId()},"deltaBase64":${mostly(quote(base64()))},"closeStdin":${boolean()},"size":${size()}}`;
      case 'command/exec':
        return execParams();
      case 'command/exec/write': {
        const bytes = random.chance(0.8)
          ? quote(base64())
          : random.pick(['"="', '"a"', '"YQ"', '"YQ==="', '"Y Q=="', '"_w=="', '"YR=="']);
        const close = random.chance(0.2) ? `,"closeStdin":${boolean()}` : '';
        return `{"processId":${processId()},"deltaBase64":${bytes}${close}}`;
      }
      case 'command/exec/resize':
        return `{"processId":${processId()},"size":${size()}}`;
      case 'initialize':
        return `{"clientInfo":{"name":${mostly('"fuzz"')},"version":${mostly('"1"')}},"capabilities":${mostly('{"experimentalApi":true}')}}`;
      default: {
        const extra = random.chance(0.5) ? `,"signal":${mostly('"SIGTERM"')}` : `,"graceMs":${mostly('10')}`;
        return `{"processId":${processId()}${extra}}`;
      }
    }
  }

  function id(): string {
    const kind = random.int(0, 9);
    if (kind < 6) return String(random.int(0, 1_000_000));
    if (kind < 8) return random.pick(STRINGS);
    return kind === 8 ? random.pick(NUMBERS) : anyValue();
  }

  /** A method of a protocol, and its params. */
  function call(dialect: Dialect): { method: string; params: string } {
    const isExecServer = dialect === 'exec-server';
    if (random.chance(0.05)) return { method: random.pick(STRANGE_METHODS), params: anyValue() };
    if (random.chance(0.3)) {
      const method = random.pick(isExecServer ? EXEC_SERVER_FILE_METHODS : FILE_METHODS);
      return { method, params: fileParams(dialect) };
    }
    const method = random.pick(isExecServer ? EXEC_SERVER_METHODS : METHODS);
    return { method, params: isExecServer ? execServerParams(method) : paramsOf(method) };
  }

  function request(dialect: Dialect): string {
    const { method, params } = call(dialect);
    const members = [`"method":${random.chance(0.97) ? quote(method) : anyValue()}`];
    if (random.chance(0.93)) members.unshift(`"id":${id()}`);
    if (random.chance(0.97)) members.push(`"params":${mostly(params)}`);
    if (random.chance(0.5)) members.unshift(`"jsonrpc":${mostly('"2.0"')}`);
    if (random.chance(0.1)) members.push(`"trace":${mostly('{"traceparent":"00-0-0-00","tracestate":"="}')}`);
    if (random.chance(0.05)) members.push(`"id":${id()}`);
    if (random.chance(0.05)) members.push(`"params":${anyValue()}`);
    if (random.chance(0.05)) members.push(`"${random.pick(MEMBER_NAMES)}":${anyValue()}`);
    return `{${members.join(',')}}`;
  }

  function brokenText(dialect: Dialect): string {
    const text = request(dialect);
    const cut = random.int(0, text.length);
    switch (random.int(0, 5)) {
      case 0:
        return text.slice(0, cut);
      case 1:
        return (
          text.slice(0, cut) +
          random.pick(['\u0000', '}', '"', ',', '\\', '\ufeff', ' '.repeat(1000)]) +
          text.slice(cut)
        );
      case 2:
        return text + text;
      case 3:
        return `[${text},${text}]`;
      case 4:
        return anyValue();
      default:
        return `\ufeff${text}`;
    }
  }

  return (dialect) => {
    const kind = random.fraction();
    if (kind < 0.85) return request(dialect);
    if (kind < 0.98) return brokenText(dialect);
    if (kind < 0.99) return `{"id":1,"result":${anyValue()}}`;
    if (kind < 0.995) return deepValue(random.int(1, MAX_DEPTH));
    return `{"id":2,"method":"command/exec","params":${deepValue(random.int(1, MAX_DEPTH))}}`;
  };
}
