// Sequences of requests that are sent to this server and to the real ones, and the differences that are meant. `DIR` stands for a fresh folder.
// Long because it is one list.

/** One step: a request, waiting for the end of a process, or waiting until a process has said a text. */
export type SequenceStep =
  | readonly [method: string, params: Readonly<Record<string, unknown>>]
  | { readonly ended: string }
  | { readonly of: string; readonly said: string };

/** The folder at the beginning: contents of files by name; null makes a folder, `->` a link. */
export type Folder = Readonly<Record<string, string | null>>;

export interface Sequence {
  readonly name: string;
  readonly protocol: 'app-server' | 'exec-server';
  readonly folder?: Folder;
  readonly steps: readonly SequenceStep[];
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const sh = (script: string): string[] => ['sh', '-c', script];
/** Without a limit of time: the 10 s that both servers take for one may be too short on a busy machine. */
const spawn = (processHandle: string, script: string, more: object = {}): SequenceStep => [
  'process/spawn',
  { processHandle, command: sh(script), cwd: 'DIR', timeoutMs: null, ...more },
];
const start = (processId: string, script: string, more: object = {}): SequenceStep => [
  'process/start',
  { processId, argv: sh(script), cwd: 'file://DIR', env: { PATH: '/usr/bin:/bin' }, tty: false, ...more },
];
const ended = (id: string): SequenceStep => ({ ended: id });
const said = (of: string, text: string): SequenceStep => ({ of, said: text });
/** Shell text of a process in the background that holds the output as long as its folder is there, until after the sequence. */
const HOLDER = '(while [ -d "$PWD" ]; do sleep 0.1; done) &';
/** Shell text of a process in the background that says `late` once its shell has ended, also when nobody has waited for that yet. */
const LATE = '(while [ -e /proc/$$/exe ]; do sleep 0.05; done; echo late) &';

type Named = Readonly<Record<string, readonly SequenceStep[] | { folder: Folder; steps: readonly SequenceStep[] }>>;

function sequences(protocol: Sequence['protocol'], named: Named): Sequence[] {
  return Object.entries(named).map(([name, given]) =>
    'steps' in given ? { name, protocol, ...given } : { name, protocol, steps: given },
  );
}

const appProcesses = sequences('app-server', {
  'spawn: output and exit code': [spawn('a', 'echo out; echo err >&2; exit 3'), ended('a')],
  'spawn: streamed output': [spawn('a', 'echo out; echo err >&2', { streamStdoutStderr: true }), ended('a')],
  'spawn: input': [
    spawn('a', 'cat', { streamStdin: true }),
    ['process/writeStdin', { processHandle: 'a', deltaBase64: base64('typed'), closeStdin: true }],
    ended('a'),
  ],
  'spawn: input in pieces': [
    spawn('a', 'cat', { streamStdin: true }),
    ['process/writeStdin', { processHandle: 'a', deltaBase64: base64('one ') }],
    ['process/writeStdin', { processHandle: 'a', deltaBase64: base64('two') }],
    ['process/writeStdin', { processHandle: 'a', closeStdin: true }],
    ended('a'),
  ],
  'spawn: environment': [
    spawn('a', 'echo "$ONE $(env | grep -c ^HOME=)"', { env: { ONE: '1', HOME: null } }),
    ended('a'),
  ],
  'spawn: directory': [spawn('a', 'pwd; ls'), ended('a')],
  'spawn: cap exactly reached': [spawn('a', 'printf 1234', { outputBytesCap: 4 }), ended('a')],
  'spawn: cap passed': [spawn('a', 'printf 1234567', { outputBytesCap: 4 }), ended('a')],
  'spawn: cap of nothing': [spawn('a', 'printf 12', { outputBytesCap: 0 }), ended('a')],
  'spawn: cap of nothing, nothing written': [spawn('a', 'true', { outputBytesCap: 0 }), ended('a')],
  'spawn: no cap': [spawn('a', 'head -c 1500000 /dev/zero | tr "\\0" x | wc -c', { outputBytesCap: null }), ended('a')],
  'spawn: time passed': [spawn('a', 'sleep 60', { timeoutMs: 1 }), ended('a')],
  'spawn: kill': [spawn('a', 'sleep 60'), ['process/kill', { processHandle: 'a' }], ended('a')],
  'spawn: signal on pipes': [spawn('a', 'kill -9 $$'), ended('a')],
  'spawn: signal in a terminal': [spawn('a', 'kill -9 $$', { tty: true }), ended('a')],
  'spawn: terminal and its size': [spawn('a', 'stty size', { tty: true, size: { rows: 5, cols: 6 } }), ended('a')],
  'spawn: holder of the output': [spawn('a', `${HOLDER} echo x`), ended('a')],
  'spawn: handle in use': [
    spawn('a', 'sleep 60'),
    spawn('a', 'true'),
    ['process/kill', { processHandle: 'a' }],
    ended('a'),
  ],
  'spawn: empty command': [['process/spawn', { processHandle: 'a', command: [], cwd: 'DIR' }]],
  'spawn: empty handle': [spawn('', 'true')],
  'spawn: relative directory': [spawn('a', 'true', { cwd: 'relative' })],
  'spawn: size without a terminal': [spawn('a', 'true', { size: { rows: 1, cols: 1 } })],
  'spawn: size of nothing': [spawn('a', 'true', { tty: true, size: { rows: 0, cols: 1 } })],
  'spawn: negative time': [spawn('a', 'true', { timeoutMs: -1 })],
  'spawn: program that is not there': [['process/spawn', { processHandle: 'a', command: ['/no/such'], cwd: 'DIR' }]],
  'spawn: directory that is not there': [spawn('a', 'true', { cwd: '/no/such' })],
  'write: nothing': [['process/writeStdin', { processHandle: 'z' }]],
  'write: wrong base64': [['process/writeStdin', { processHandle: 'z', deltaBase64: '?' }]],
  'write: unknown handle': [['process/writeStdin', { processHandle: 'z', deltaBase64: 'YQ==' }]],
  'write: no input': [
    spawn('a', 'sleep 60'),
    ['process/writeStdin', { processHandle: 'a', deltaBase64: 'YQ==' }],
    ['process/resizePty', { processHandle: 'a', size: { rows: 1, cols: 1 } }],
    ['process/kill', { processHandle: 'a' }],
    ended('a'),
  ],
  'kill: unknown handle': [['process/kill', { processHandle: 'z' }]],
  'resize: unknown handle': [['process/resizePty', { processHandle: 'z', size: { rows: 1, cols: 1 } }]],
});

const execProcesses = sequences('exec-server', {
  'start: output and exit code': [start('a', 'echo out; echo err >&2; exit 3'), ended('a')],
  'start: input once for each name': [
    start('a', 'head -n 2', { pipeStdin: true }),
    ['process/write', { processId: 'a', chunk: base64('one\n'), writeId: '1' }],
    ['process/write', { processId: 'a', chunk: base64('one\n'), writeId: '1' }],
    ['process/write', { processId: 'a', chunk: base64('two\n'), writeId: '2' }],
    ended('a'),
  ],
  'start: environment is env': [
    start('a', 'env | grep -v -e ^PWD -e ^_ -e EXECWIRE | sort', { env: { PATH: '/usr/bin:/bin', A: '1' } }),
    ended('a'),
  ],
  'start: environment without inheritance': [
    start('a', 'env | grep -v -e ^PWD -e ^_ -e EXECWIRE | sort', {
      env: { PATH: '/usr/bin:/bin', X_KEY: '1' },
      envPolicy: {
        inherit: 'none',
        ignoreDefaultExcludes: false,
        exclude: ['a*'],
        set: { abc: '1', keep: '2', MONKEY: '3' },
        includeOnly: ['k*'],
      },
    }),
    ended('a'),
  ],
  'start: core environment with excludes': [
    start('a', 'env | grep -c -e ^HOME= -e ^MY_TOKEN=', {
      env: {},
      envPolicy: { inherit: 'core', ignoreDefaultExcludes: false, exclude: [], set: {}, includeOnly: [] },
    }),
    ended('a'),
  ],
  'start: directory': [start('a', 'pwd; ls'), ended('a')],
  'start: name of the program': [
    start('a', '', { argv: sh('tr "\\0" " " < /proc/$$/cmdline'), arg0: 'zero' }),
    ended('a'),
  ],
  'start: terminal': [start('a', 'stty size; test -t 0 && echo terminal', { tty: true }), ended('a')],
  'start: signal on pipes': [start('a', 'kill -9 $$'), ended('a')],
  'start: signal in a terminal': [start('a', 'kill -9 $$', { tty: true }), ended('a')],
  'start: holder of the output': [start('a', `${LATE} echo early`), ended('a')],
  'start: name that was used': [start('a', 'true'), ended('a'), start('a', 'true')],
  'start: nothing to run': [start('a', '', { argv: [] })],
  'start: plain path': [start('a', 'true', { cwd: '/tmp' })],
  'start: other scheme': [start('a', 'true', { cwd: 'http://x/' })],
  'start: other host': [start('a', 'true', { cwd: 'file://host/tmp' })],
  'start: query': [start('a', 'true', { cwd: 'file:///tmp?q' })],
  'start: encoded path': [start('a', 'pwd', { cwd: 'file:///tm%70/../tmp' }), ended('a')],
  'start: variable that is null': [start('a', 'true', { env: { A: null } })],
  'start: policy with missing fields': [start('a', 'true', { envPolicy: { inherit: 'all' } })],
  'start: program that is not there, and its name again': [
    start('a', '', { argv: ['/no/such'] }),
    start('a', 'true'),
    ended('a'),
  ],
  'start: directory that is not there': [start('a', 'true', { cwd: 'file:///no/such' })],
  'read: all, from a number, and one chunk': [
    // Each line is a chunk of its own, because the next one comes after it was received.
    start('a', 'for i in 1 2 3; do echo $i; read -r go; done', { pipeStdin: true }),
    said('a', '1\n'),
    ['process/write', { processId: 'a', chunk: base64('\n'), writeId: '1' }],
    said('a', '2\n'),
    ['process/write', { processId: 'a', chunk: base64('\n'), writeId: '2' }],
    said('a', '3\n'),
    ['process/write', { processId: 'a', chunk: base64('\n'), writeId: '3' }],
    ended('a'),
    ['process/read', { processId: 'a' }],
    ['process/read', { processId: 'a', afterSeq: 2 }],
    ['process/read', { processId: 'a', maxBytes: 1 }],
    ['process/read', { processId: 'a', afterSeq: 99, waitMs: 50 }],
  ],
  'read: wait for the exit': [
    start('a', 'sleep 0.3; exit 7'),
    ['process/read', { processId: 'a', afterSeq: 1, waitMs: 60_000 }],
  ],
  'read: unknown process': [['process/read', { processId: 'z' }]],
  'write: unknown process': [['process/write', { processId: 'z', chunk: '', writeId: '1' }]],
  'write: no input': [
    start('a', 'sleep 60'),
    ['process/write', { processId: 'a', chunk: 'YQ==', writeId: '1' }],
    ['process/terminate', { processId: 'a' }],
    ended('a'),
  ],
  'write: wrong base64': [['process/write', { processId: 'z', chunk: '?', writeId: '1' }]],
  'write: after the end': [
    start('a', 'true', { pipeStdin: true }),
    ended('a'),
    ['process/write', { processId: 'a', chunk: 'YQ==', writeId: '1' }],
  ],
  'signal: interrupt': [
    start('a', 'sleep 60', { argv: ['sleep', '60'] }),
    ['process/signal', { processId: 'a', signal: 'interrupt' }],
    ended('a'),
  ],
  'signal: unknown process': [['process/signal', { processId: 'z', signal: 'interrupt' }]],
  'signal: another signal': [['process/signal', { processId: 'z', signal: 'SIGTERM' }]],
  'terminate: running': [start('a', 'sleep 60'), ['process/terminate', { processId: 'a' }], ended('a')],
  'terminate: ended and unknown': [
    start('a', 'true'),
    ended('a'),
    ['process/terminate', { processId: 'a' }],
    ['process/terminate', { processId: 'z' }],
  ],
  status: [['environment/status', {}]],
  'unknown method': [['fs/watch', {}]],
});

const FILES: Folder = {
  'a.txt': 'hello\n',
  'dir/b.txt': 'b',
  'dir/.hidden/c.txt': 'c',
  empty: null,
  link: '-> a.txt',
  dirlink: '-> dir',
  dangling: '-> nothing',
};

/** The same operations in both protocols. @param path makes a path of a name in the folder */
function fileSequences(protocol: Sequence['protocol'], path: (name: string) => string): Sequence[] {
  const on = (steps: readonly SequenceStep[]) => ({ folder: FILES, steps });
  return sequences(protocol, {
    'file: metadata of a file': on([['fs/getMetadata', { path: path('a.txt') }]]),
    'file: metadata of a folder': on([['fs/getMetadata', { path: path('dir') }]]),
    'file: metadata of a link': on([['fs/getMetadata', { path: path('link') }]]),
    'file: metadata of a dangling link': on([['fs/getMetadata', { path: path('dangling') }]]),
    'file: metadata of nothing': on([['fs/getMetadata', { path: path('none') }]]),
    'file: read': on([['fs/readFile', { path: path('a.txt') }]]),
    'file: read through a link': on([['fs/readFile', { path: path('link') }]]),
    'file: read nothing': on([['fs/readFile', { path: path('none') }]]),
    'file: read a folder': on([['fs/readFile', { path: path('dir') }]]),
    'file: write a new one and read it': on([
      ['fs/writeFile', { path: path('new.txt'), dataBase64: base64('new') }],
      ['fs/readFile', { path: path('new.txt') }],
    ]),
    'file: write over an old one': on([['fs/writeFile', { path: path('a.txt'), dataBase64: base64('x') }]]),
    'file: write through a link': on([['fs/writeFile', { path: path('link'), dataBase64: base64('x') }]]),
    'file: write without a folder': on([['fs/writeFile', { path: path('no/new.txt'), dataBase64: base64('x') }]]),
    'file: write over a folder': on([['fs/writeFile', { path: path('dir'), dataBase64: base64('x') }]]),
    'file: write wrong base64': on([['fs/writeFile', { path: path('a.txt'), dataBase64: '?' }]]),
    'file: make a folder with parents': on([['fs/createDirectory', { path: path('x/y/z') }]]),
    'file: make a folder that is there': on([['fs/createDirectory', { path: path('dir') }]]),
    'file: make a folder that is there, not recursive': on([
      ['fs/createDirectory', { path: path('dir'), recursive: false }],
    ]),
    'file: make a folder where a file is': on([['fs/createDirectory', { path: path('a.txt') }]]),
    'file: list a folder': on([['fs/readDirectory', { path: path('.') }]]),
    'file: list a file': on([['fs/readDirectory', { path: path('a.txt') }]]),
    'file: list nothing': on([['fs/readDirectory', { path: path('none') }]]),
    'file: remove a file': on([['fs/remove', { path: path('a.txt') }]]),
    'file: remove a link': on([['fs/remove', { path: path('link') }]]),
    'file: remove a folder': on([['fs/remove', { path: path('dir') }]]),
    'file: remove a full folder, not recursive': on([['fs/remove', { path: path('dir'), recursive: false }]]),
    'file: remove nothing': on([['fs/remove', { path: path('none') }]]),
    'file: remove nothing, not forced': on([['fs/remove', { path: path('none'), force: false }]]),
    'file: copy a file': on([
      ['fs/copy', { sourcePath: path('a.txt'), destinationPath: path('copy.txt'), recursive: false }],
    ]),
    'file: copy a folder': on([
      ['fs/copy', { sourcePath: path('dir'), destinationPath: path('copy'), recursive: true }],
    ]),
    'file: copy a folder, not recursive': on([
      ['fs/copy', { sourcePath: path('dir'), destinationPath: path('copy'), recursive: false }],
    ]),
    'file: copy a folder into itself': on([
      ['fs/copy', { sourcePath: path('dir'), destinationPath: path('dir/in'), recursive: true }],
    ]),
    'file: copy nothing': on([
      ['fs/copy', { sourcePath: path('none'), destinationPath: path('copy'), recursive: false }],
    ]),
  });
}

const WALK = {
  maxDepth: 6,
  maxDirectories: 100,
  maxEntries: 100,
  followDirectorySymlinks: true,
  pruneHiddenDirectories: true,
};
const uri = (name: string): string => `file://DIR/${name}`;
const onFiles = (steps: readonly SequenceStep[]) => ({ folder: FILES, steps });

const execFiles = sequences('exec-server', {
  'canonicalize: a link': onFiles([['fs/canonicalize', { path: uri('dirlink/b.txt') }]]),
  'canonicalize: nothing': onFiles([['fs/canonicalize', { path: uri('none') }]]),
  'walk: links followed, hidden ones pruned': onFiles([['fs/walk', { path: uri('dir'), options: WALK }]]),
  'walk: hidden ones entered': onFiles([
    ['fs/walk', { path: uri('dir'), options: { ...WALK, pruneHiddenDirectories: false } }],
  ]),
  'walk: too deep': onFiles([['fs/walk', { path: uri('dir'), options: { ...WALK, maxDepth: 65 } }]]),
  'walk: nothing': onFiles([['fs/walk', { path: uri('none'), options: WALK }]]),
  'blocks: read': onFiles([
    ['fs/open', { handleId: 'h', path: uri('a.txt') }],
    ['fs/readBlock', { handleId: 'h', offset: 1, len: 3 }],
    ['fs/readBlock', { handleId: 'h', offset: 3, len: 100 }],
    ['fs/close', { handleId: 'h' }],
  ]),
  'blocks: replace': onFiles([
    ['fs/open', { handleId: 'h', path: uri('a.txt'), mode: 'replace' }],
    ['fs/writeBlock', { handleId: 'h', offset: 0, chunk: base64('replaced') }],
    ['fs/close', { handleId: 'h' }],
  ]),
  'blocks: name in use, and unknown': onFiles([
    ['fs/open', { handleId: 'h', path: uri('a.txt') }],
    ['fs/open', { handleId: 'h', path: uri('a.txt') }],
    ['fs/readBlock', { handleId: 'z', offset: 0, len: 1 }],
    ['fs/close', { handleId: 'z' }],
  ]),
  'watchMissing: there already': onFiles([['fs/watchMissing', { watchId: 1, missing: [uri('a.txt')], present: null }]]),
});

export const SEQUENCES: readonly Sequence[] = [
  ...appProcesses,
  ...fileSequences('app-server', (name) => `DIR/${name}`),
  ...execProcesses,
  ...fileSequences('exec-server', (name) => uri(name)),
  ...execFiles,
];

/** A difference that is meant. */
export interface Difference {
  readonly why: string;
  /** Whether the real server answers now one way, now the other. */
  readonly isUnsteady?: boolean;
}

/** By protocol and name. */
export const MEANT: Readonly<Record<string, Difference>> = {
  'exec-server write: after the end': {
    why: 'refused once the process has ended; there a write right behind the end may be accepted and lost',
    isUnsteady: true,
  },
  'app-server spawn: signal in a terminal': {
    why: '128+n also in a terminal, so that a client learns of the signal; there it is 1',
  },
  'exec-server start: signal in a terminal': {
    why: '128+n also in a terminal, so that a client learns of the signal; there it is 1',
  },
};
