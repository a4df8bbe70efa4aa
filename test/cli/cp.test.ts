// Shows `execwire cp` as a program: what goes where, as with docker's, streams, modes and times, and every refusal.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import t, { type Test } from 'tap';
import { CuttingProxy } from '../support/cutting-proxy.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import { type CliOptions, CliProcess, cliSetup, type Ended } from './cli-process.js';

const OLD = new Date('2001-02-03T04:05:06Z');
const server = await startServer(t, { flags: ['--files'] });

function folder(t: Test): string {
  const path = mkdtempSync(`${tmpdir()}/execwire-cp-`);
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function cp(args: readonly string[], options: CliOptions & { url?: string } = {}): Promise<Ended> {
  const { url = server.url } = options;
  const started = new CliProcess(['cp', ...args], { ...options, env: { EXECWIRE_URL: url, ...options.env } });
  started.child.stdin?.end(options.input);
  return started.ended;
}

/** A file of a mode and a time of its own, and a folder with one and a link. */
function sources(d: string): void {
  mkdirSync(`${d}/src/sub`, { recursive: true });
  writeFileSync(`${d}/file`, 'file');
  writeFileSync(`${d}/src/sub/f`, 'deep');
  symlinkSync('sub/f', `${d}/src/link`);
  chmodSync(`${d}/file`, 0o751);
  chmodSync(`${d}/src`, 0o700);
  for (const name of ['file', 'src/sub/f', 'src/sub', 'src']) utimesSync(`${d}/${name}`, OLD, OLD);
}

/** Names of everything in a folder. */
const namesIn = (path: string): string[] => (readdirSync(path, { recursive: true }) as string[]).sort();

const TREE = ['link', 'sub', 'sub/f'];
const below = (prefix: string): string[] => [prefix, ...TREE.map((name) => `${prefix}/${name}`)].sort();

/** What is copied to what, and the names that are in the target's folder then; the same in both directions. */
const ROWS: readonly (readonly [what: string, source: string, target: string, before: string[], names: string[]])[] = [
  ['file to a new name', 'file', 'new', [], ['new']],
  ['file over a file', 'file', 'there', ['there'], ['there']],
  ['file into a folder', 'file', 'dir', ['dir/'], ['dir', 'dir/file']],
  ['file into a folder with a slash', 'file', 'dir/', ['dir/'], ['dir', 'dir/file']],
  ['folder to a new name', 'src', 'new', [], below('new')],
  ['folder into a folder', 'src', 'dir', ['dir/'], ['dir', ...below('dir/src')].sort()],
  ['folder with a slash into a folder', 'src/', 'dir', ['dir/'], ['dir', ...below('dir/src')].sort()],
  ['what is in a folder into a folder', 'src/.', 'dir', ['dir/'], below('dir')],
  ['what is in a folder to a new name', 'src/.', 'new', [], below('new')],
];

for (const direction of ['up', 'down'] as const) {
  t.test(`cp ${direction} puts files and folders where docker's does when the target can be made`, async (t) => {
    for (const [what, source, target, before, names] of ROWS) {
      const d = folder(t);
      sources(d);
      mkdirSync(`${d}/to`);
      for (const name of before) {
        if (name.endsWith('/')) mkdirSync(`${d}/to/${name}`);
        else writeFileSync(`${d}/to/${name}`, 'before');
      }
      const [from, to] = [`${d}/${source}`, `${d}/to/${target}`];
      const ended = await cp(direction === 'up' ? [from, `:${to}`] : [`:${from}`, to]);
      t.same([ended.code, ended.stdout, ended.stderr], [0, '', ''], what);
      t.same(namesIn(`${d}/to`), names, what);
    }
  });

  t.test(`cp ${direction} keeps contents, modes, times and links when it copies a file or a folder`, async (t) => {
    const d = folder(t);
    sources(d);
    mkdirSync(`${d}/to`);
    const sides = (from: string, to: string): string[] => (direction === 'up' ? [from, `:${to}`] : [`:${from}`, to]);
    t.equal((await cp(sides(`${d}/file`, `${d}/to/f`))).code, 0);
    t.equal((await cp(sides(`${d}/src`, `${d}/to/src`))).code, 0);
    t.equal(readFileSync(`${d}/to/f`, 'utf8'), 'file');
    t.equal(statSync(`${d}/to/f`).mode & 0o777, 0o751);
    t.equal(readlinkSync(`${d}/to/src/link`), 'sub/f');
    t.equal(statSync(`${d}/to/src`).mode & 0o777, 0o700);
    t.equal((await cp(sides(`${d}/src`, `${d}/to/src`))).code, 0, 'into a folder that is there');
    t.equal((await cp(sides(`${d}/src/.`, `${d}/to/content`))).code, 0, 'what is in it, to a new name');
    for (const name of ['src/src', 'content']) {
      t.equal(statSync(`${d}/to/${name}`).mode & 0o777, 0o700, name);
      t.equal(statSync(`${d}/to/${name}`).mtimeMs, OLD.getTime(), name);
    }
    for (const name of ['f', 'src/sub/f', 'src/sub']) t.equal(statSync(`${d}/to/${name}`).mtimeMs, OLD.getTime(), name);
  });

  t.test(`cp ${direction} says what is wrong and copies nothing when source or target cannot be`, async (t) => {
    const d = folder(t);
    sources(d);
    const rows: readonly (readonly [source: string, target: string, said: RegExp])[] = [
      ['src', 'file', /is a file: a folder cannot be copied there/],
      ['file', 'none/', /is no folder: make it first/],
      ['file', 'none/f', /is no folder/],
      ['src', 'none/x/y', /none\/x is no folder: make it first/],
      ['src', 'none/x', /none is no folder: make it first/],
      ['none', 'x', /[Nn]o such file or directory/],
    ];
    for (const [source, target, said] of rows) {
      const [from, to] = [`${d}/${source}`, `${d}/${target}`];
      const ended = await cp(direction === 'up' ? [from, `:${to}`] : [`:${from}`, to]);
      t.equal(ended.code, 125, `${source} ${target}`);
      t.match(ended.stderr, said);
    }
    t.same(namesIn(d), ['file', 'src', ...TREE.map((name) => `src/${name}`)].sort());
  });
}

t.test('cp takes a tar from standard input, and gives one to standard output, when a side is -', async (t) => {
  const d = folder(t);
  sources(d);
  mkdirSync(`${d}/to`);
  writeFileSync(`${d}/t.tar`, execFileSync('tar', ['c', '-C', d, 'src', 'file']));
  const put = new CliProcess(['cp', '-', `:${d}/to`], { env: { EXECWIRE_URL: server.url } });
  put.child.stdin?.end(readFileSync(`${d}/t.tar`));
  t.equal((await put.ended).code, 0);
  t.same(namesIn(`${d}/to`), ['file', ...below('src')].sort());
  t.match(await cp(['-', `:${d}/none`], { input: '' }), { code: 125, stderr: /is no folder/ });
  t.match(await cp(['-', `:${d}/to`], { input: 'no tar' }), { code: 125, stderr: /this is no complete tar/ });
  const out = execFileSync('tar', ['t'], {
    input: execFileSync('sh', ['-c', `exec "$CLI" cp :${d}/src -`], {
      env: { ...process.env, NODE_OPTIONS: '', CLI: 'dist/execwire.cjs', EXECWIRE_URL: server.url },
    }),
    encoding: 'utf8',
  });
  t.same(out.trim().split('\n').sort(), ['src/', 'src/link', 'src/sub/', 'src/sub/f']);
});

t.test(
  'cp writes nothing outside of its target when the server sends a hostile tar or a link is in the way',
  async (t) => {
    const d = folder(t);
    mkdirSync(`${d}/src/sub`, { recursive: true });
    mkdirSync(`${d}/to`);
    mkdirSync(`${d}/out`);
    writeFileSync(`${d}/src/sub/f`, 'x');
    symlinkSync(`${d}/out`, `${d}/src/abs`);
    symlinkSync(`${d}/out`, `${d}/to/sub`);
    const ended = await cp([`:${d}/src/.`, `${d}/to`]);
    t.match(ended, { code: 125, stderr: /nothing was unpacked/ }, 'a link is where a folder would be');
    t.same(readdirSync(`${d}/out`), []);
    rmSync(`${d}/to/sub`);
    t.equal((await cp([`:${d}/src/.`, `${d}/to`])).code, 0);
    t.equal(readlinkSync(`${d}/to/abs`), `${d}/out`, 'a link that leads out is a link here');
    const up = await cp([`${d}/src`, `:${d}/up`]);
    t.match(up, { code: 125, stderr: /leads out/ });
    t.notOk(existsSync(`${d}/up`));
  },
);

t.test('cp says what is wrong with its command line, and what to do when the server has no files', async (t) => {
  const d = folder(t);
  writeFileSync(`${d}/f`, '');
  const rows: readonly (readonly [args: string[], said: RegExp])[] = [
    [[], /cp needs SRC and DST/],
    [['a'], /cp needs SRC and DST/],
    [['a', 'b'], /neither side is on the server/],
    [[':/a', ':/b'], /both sides are on the server/],
    [['a', ':b'], /a path of the server is absolute/],
    [['a', ':/b', 'c'], /unexpected word `c`/],
    [['--quite', 'a', ':/b'], /did you mean `--quiet`/],
  ];
  for (const [args, said] of rows) t.match(await cp(args), { code: 125, stderr: said }, args.join(' '));
  const off = await startServer(t);
  t.match(await cp([`${d}/f`, `:${d}/g`], { url: off.url }), {
    code: 125,
    stderr: /start it with `execwire serve --files`/,
  });
  t.match(await cp([`${d}/f`, ':/x'], { url: 'ws://127.0.0.1:1' }), { code: 125, stderr: /is a server there\?/ });
  const done = await cp(['--json', `${d}/f`, `:${d}/g`]);
  t.match(JSON.parse(done.stdout), { source: `${d}/f`, target: `:${d}/g` });
  const refused = await cp(['--json', `:${d}/none`, `${d}/h`]);
  t.match(JSON.parse(refused.stdout), { error: { exitCode: 125, reason: 'notFound' } });
});

/** Bytes of a file that no copy is through with before a test ends it. It is sparse. */
const LONG_BYTES = 4_000_000_000;

/** Nothing is left of what a copy had begun. */
const isEmpty = (path: string): boolean => readdirSync(path).length === 0;

for (const direction of ['up', 'down'] as const) {
  t.test(`cp ${direction} leaves nothing half and ends by the signal when it gets Ctrl-C`, async (t) => {
    const d = folder(t);
    mkdirSync(`${d}/to`);
    writeFileSync(`${d}/long`, '');
    truncateSync(`${d}/long`, LONG_BYTES);
    const sides = direction === 'up' ? [`${d}/long`, `:${d}/to/f`] : [`:${d}/long`, `${d}/to/f`];
    const copying = new CliProcess(['cp', ...sides], { env: { EXECWIRE_URL: server.url } });
    await until('the copy has begun', () => !isEmpty(`${d}/to`));
    copying.child.kill('SIGINT');
    t.match(await copying.ended, { code: 130, signal: null, stdout: '', stderr: '' });
    await until('nothing is left', () => isEmpty(`${d}/to`));
  });

  t.test(`cp ${direction} ends with 255 and leaves nothing half when the connection is lost`, async (t) => {
    const d = folder(t);
    mkdirSync(`${d}/to`);
    writeFileSync(`${d}/long`, '');
    truncateSync(`${d}/long`, LONG_BYTES);
    const proxy = await CuttingProxy.start(server.port);
    t.teardown(() => proxy.close());
    const sides = direction === 'up' ? [`${d}/long`, `:${d}/to/f`] : [`:${d}/long`, `${d}/to/f`];
    const copying = new CliProcess(['cp', ...sides], { env: { EXECWIRE_URL: proxy.url } });
    await until('the copy has begun', () => !isEmpty(`${d}/to`));
    proxy.cut();
    const ended = await copying.ended;
    t.match(ended, {
      code: 255,
      stdout: '',
      stderr: /^execwire: the connection to ws:\S+ broke \(.*\): look at the target\n$/,
    });
    await until('nothing is left', () => isEmpty(`${d}/to`));
  });
}

t.test('cp names the proxy when that takes no file of this size', async (t) => {
  const proxy = createServer((asked, answer) => {
    asked.resume().once('end', () => answer.writeHead(413).end('too large'));
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => proxy.close());
  const d = folder(t);
  writeFileSync(`${d}/file`, 'file');
  const url = `ws://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { code, stderr } = await cp([`${d}/file`, `:${d}/copy`], { url });
  t.equal(code, 125);
  t.match(stderr, /takes no body of this size \(413\): a proxy before it says so/);
});

t.test('cp shows its progress in a terminal, and none when it is told to be quiet', async (t) => {
  const { box } = await cliSetup(t);
  const d = folder(t);
  mkdirSync(`${d}/to`);
  execFileSync('mkfifo', [`${d}/pipe`]);
  writeFileSync(`${d}/f`, Buffer.alloc(60_000, 'x'));
  const tar = execFileSync('tar', ['c', '-C', d, 'f']);
  for (const flag of ['', '--quiet']) {
    const env = { EXECWIRE_URL: server.url, CLI: 'dist/execwire.cjs', D: d, FLAG: flag };
    const terminal = box.terminal(['sh', '-c', 'exec "$CLI" cp $FLAG - ":$D/to" < "$D/pipe"'], {
      detachable: false,
      env,
    });
    let text = '';
    terminal.onOutput(({ bytes }) => {
      text += Buffer.from(bytes).toString('latin1');
    });
    const pipe = await open(`${d}/pipe`, 'w');
    let sent = tar.length / 2;
    await pipe.write(tar.subarray(0, sent));
    const sendOne = async (): Promise<void> => {
      await pipe.write(tar.subarray(sent, sent + 1));
      sent += 1;
    };
    // Progress is shown when more bytes come a while after the last line of it.
    if (flag === '') {
      await until('progress is shown', async () => {
        await sendOne();
        return text.includes('B');
      });
    } else {
      for (let count = 0; count < 40; count += 1) {
        await sendOne();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    await pipe.write(tar.subarray(sent));
    await pipe.close();
    t.equal((await terminal.result).exitCode, 0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it erases the rest of an earlier line.
    const progress = /^(?:\r[\d.]+ k?B\u001b\[K)+\r[\d.]+ kB\u001b\[K\r\n$/;
    if (flag === '') t.match(text, progress);
    else t.equal(text, '');
    t.equal(statSync(`${d}/to/f`).size, 60_000);
  }
});
