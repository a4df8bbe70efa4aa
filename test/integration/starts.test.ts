/** Shows how a whole server treats starts that the host or another client holds up. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, constants, copyFileSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import koffi from 'koffi';
import t, { type Test } from 'tap';
import { LineClient } from '../support/line-client.js';
import { processesWith } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import type { WireClient } from '../support/wire-client.js';

/** F_SETLEASE of linux/fcntl.h, F_WRLCK and F_UNLCK of asm-generic/fcntl.h. */
const F_SETLEASE = 1024;
const F_WRLCK = 1;
const F_UNLCK = 2;

/** The test runner's options load modules before the server; they would start the thread pool with Node's default size. */
const PLAIN = ['env', '-u', 'NODE_OPTIONS'];

const QUICK_DRAIN = ['--drain-timeout', '100ms', '--kill-grace', '100ms'];

const isRoot = process.getuid?.() === 0;

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-starts-'));
  chmodSync(folder, 0o755);
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Mounts a file system that never answers. @returns a function that ends it; processes that wait for it get ENOTCONN */
function mountSilence(t: Test, folder: string): () => void {
  const device = openSync('/dev/fuse', constants.O_RDWR);
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  const { status, stderr } = spawnSync('mount', ['-i', '-t', 'fuse', '-o', options, 'silence', folder], {
    stdio: ['ignore', 'ignore', 'pipe', device],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  let isOpen = true;
  const end = (): void => {
    if (isOpen) closeSync(device);
    isOpen = false;
  };
  t.teardown(() => {
    end();
    spawnSync('umount', ['-l', folder]);
  });
  return end;
}

const EXPERIMENTAL = { experimentalApi: true };

/** Running commands of a connection. When the list is answered, the server has begun all earlier requests. */
async function commandsOf(client: WireClient): Promise<unknown[]> {
  const { result } = await client.request('command/exec/list');
  if (!Array.isArray(result?.commands)) throw new Error('no list');
  return result.commands;
}

async function servesAsUsual(t: Test, client: WireClient): Promise<void> {
  for (const command of [['true'], ['/bin/true']]) t.equal((await client.exec(command)).result?.exitCode, 0);
  const onTerminal = { tty: true, processId: 'terminal' };
  t.equal((await client.exec(['true'], onTerminal)).result?.exitCode, 0);
}

const noFuse = !isRoot ? 'mounting needs root' : spawnSync('test', ['-c', '/dev/fuse']).status !== 0 && 'no /dev/fuse';

t.test('other clients are served when the file system of a start does not answer', { skip: noFuse }, async (t) => {
  const silent = folderOf(t);
  const end = mountSilence(t, silent);
  const server = await startServer(t, { through: PLAIN });
  const hung = await server.session(EXPERIMENTAL);
  const other = await server.session(EXPERIMENTAL);
  await servesAsUsual(t, other);
  const replies = ['pwd', `${silent}/program`].flatMap((program) => [
    hung.exec([program], { cwd: program === 'pwd' ? silent : '/' }),
    hung.exec([program], { cwd: program === 'pwd' ? silent : '/', tty: true, processId: program }),
    hung.exec(['program'], { env: { PATH: silent } }),
  ]);
  t.equal((await commandsOf(hung)).length, replies.length);
  t.equal((await server.get('/healthz')).status, 200);
  await servesAsUsual(t, other);
  end();
  for (const { error } of await Promise.all(replies)) t.match(error, { code: -32603, data: { errno: 'ENOTCONN' } });
  await servesAsUsual(t, hung);
});

t.test(
  'other clients are served when the file system of many fs requests does not answer',
  { skip: noFuse },
  async (t) => {
    const silent = folderOf(t);
    const end = mountSilence(t, silent);
    const server = await startServer(t, { through: PLAIN });
    const clients = await Promise.all(Array.from({ length: 20 }, () => server.session(EXPERIMENTAL)));
    const other = await server.session(EXPERIMENTAL);
    await servesAsUsual(t, other);
    const path = join(silent, 'x');
    const replies = clients.flatMap((client) => [
      client.request('fs/getMetadata', { path }),
      client.request('fs/readFile', { path }),
      client.request('fs/readDirectory', { path }),
      client.request('fs/copy', { sourcePath: path, destinationPath: '/nowhere/to/be/found' }),
    ]);
    for (const client of clients) await commandsOf(client);
    t.equal((await server.get('/healthz')).status, 200);
    await servesAsUsual(t, other);
    end();
    for (const { error } of await Promise.all(replies)) t.match(error, { code: -32603, data: { errno: 'ENOTCONN' } });
    t.match((await other.request('fs/getMetadata', { path: '/' })).result, { isDirectory: true });
  },
);

t.test(
  'other clients are served when the file system of a sandbox root does not answer',
  { skip: noFuse },
  async (t) => {
    const silent = folderOf(t);
    const end = mountSilence(t, silent);
    const server = await startServer(t, { through: PLAIN, warm: false });
    const hung = await server.session(EXPERIMENTAL);
    const other = await server.session(EXPERIMENTAL);
    const policy = { type: 'workspaceWrite', writableRoots: [join(silent, 'root')] };
    const replies = [
      hung.exec(['true'], { sandboxPolicy: policy }),
      hung.exec(['true'], { sandboxPolicy: { type: 'workspaceWrite' }, env: { TMPDIR: join(silent, 'tmp') } }),
    ];
    t.equal((await commandsOf(hung)).length, replies.length);
    t.equal((await server.get('/healthz')).status, 200);
    await servesAsUsual(t, other);
    t.match((await other.exec(['true'], { sandboxPolicy: { type: 'workspaceWrite' } })).result, { exitCode: 0 });
    end();
    for (const { result } of await Promise.all(replies))
      t.equal(result?.exitCode, 0, 'a root that cannot be looked up is left out');
  },
);

const USERS = [
  { who: 'of its own user', flags: [] },
  { who: 'of another user', flags: ['--run-as', 'nobody'] },
] as const;
for (const { who, flags } of USERS) {
  t.test(
    `starts are refused and the server ends in order when hung ones ${who} are under way`,
    { skip: noFuse },
    async (t) => {
      const silent = folderOf(t);
      mountSilence(t, silent);
      const word = `starts-test-${process.pid}`;
      const server = await startServer(t, { through: PLAIN, flags: [...QUICK_DRAIN, ...flags], env: { WORD: word } });
      const hung = await server.session(EXPERIMENTAL);
      const other = await server.session(EXPERIMENTAL);
      for (let i = 0; i < 20; i += 1) void hung.exec(['pwd'], { cwd: silent });
      t.equal((await commandsOf(hung)).length, 20);
      t.match((await other.exec(['true'])).error, { code: -32001, data: { bound: 'starts' } });
      t.equal((await server.get('/healthz')).status, 200);
      server.signal('SIGTERM');
      t.same(await server.exited, { code: 0, signal: null });
      await until('no start is left', () => processesWith(word).length === 0);
    },
  );
}

t.test('other clients are served when a process holds a lease on the program of a start', async (t) => {
  const program = join(folderOf(t), 'program');
  copyFileSync('/bin/true', program);
  const fcntl = koffi.load(null).func('int fcntl(int fd, int command, long argument)');
  const ignore = (): void => {};
  process.on('SIGIO', ignore);
  const fd = openSync(program, 'r');
  t.teardown(() => {
    closeSync(fd);
    process.off('SIGIO', ignore);
  });
  const server = await startServer(t, { through: PLAIN });
  const clients = await Promise.all([server.session(EXPERIMENTAL), server.session(EXPERIMENTAL)]);
  const [waiting, other] = clients;
  if (waiting === undefined || other === undefined) throw new Error('no clients');
  t.equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
  let isWaiting = true;
  const replies = [waiting.exec([program]), waiting.exec([program], { tty: true, processId: 'leased' })];
  const ended = Promise.race(replies).then(() => {
    isWaiting = false;
  });
  t.equal((await commandsOf(waiting)).length, 2);
  await servesAsUsual(t, other);
  t.equal((await server.get('/healthz')).status, 200);
  t.ok(isWaiting, 'the lease holds the start up');
  t.equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
  await ended;
  for (const { result } of await Promise.all(replies)) t.equal(result?.exitCode, 0);
});

t.test(
  'start alone is refused, and the server drains, when the limit of processes is reached',
  { skip: !isRoot && 'only root can start a server as a user who has no other process' },
  async (t) => {
    // The server's threads, some 25, count towards the limit. No other process has this user.
    const user = 1_000_000 + (process.pid % 1_000_000);
    const asUser = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', 'prlimit', '--nproc=50'];
    for (const options of [{}, { tty: true }]) {
      const server = await startServer(t, { through: [...PLAIN, ...asUser], flags: QUICK_DRAIN, env: { HOME: '/' } });
      const client = await server.session(EXPERIMENTAL);
      let refusal: unknown;
      let running = 0;
      for (let i = 0; refusal === undefined && i < 100; i += 1) {
        const processId = `p${i}`;
        const streams = { streamStdoutStderr: true, disableTimeout: true, processId, ...options };
        const reply = client.exec(['sh', '-c', 'echo up; exec sleep 600'], streams);
        const started = client.said(processId, 'up').then(() => undefined);
        refusal = (await Promise.race([reply, started]))?.error;
        if (refusal === undefined) running += 1;
      }
      t.match(refusal, { code: -32603, data: { errno: 'EAGAIN' } });
      t.ok(running > 5, `${running} run`);
      t.equal((await commandsOf(client)).length, running, 'the others run on');
      t.equal((await server.get('/healthz')).status, 200);
      server.signal('SIGTERM');
      t.same(await server.exited, { code: 0, signal: null });
    }
  },
);

t.test('commands of the installed program have the limit of descriptors that it was given', async (t) => {
  const link = join(folderOf(t), 'execwire');
  symlinkSync(process.env.EXECWIRE_BUILD ?? resolve('dist/execwire.cjs'), link);
  const limits = 'ulimit -Sn 700; ulimit -Hn 4096; exec "$@"';
  for (const [program, soft] of [
    [[link], 700],
    [[process.execPath, link], 4096],
  ] as const) {
    const server = spawn('sh', ['-c', limits, 'sh', ...program, 'serve', '--listen', 'stdio://'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const exited = once(server, 'exit');
    // The input ends after the answer, because its end kills what runs.
    const client = new LineClient(server);
    await client.ask('initialize', { clientInfo: { name: 'test', version: '1' } });
    const command = ['sh', '-c', 'ulimit -Sn; ulimit -Hn; env'];
    const { stdout: text } = await client.ask('command/exec', { command });
    client.stdin.end();
    await exited;
    t.match(text, `${soft}\n4096\n`);
    t.notMatch(text, 'EXECWIRE_DESCRIPTOR_LIMIT');
  }
});

t.test("flags of the installed program are not taken as Node's when Node knows the same name", async (t) => {
  const { status, stderr } = spawnSync('dist/execwire.cjs', ['serve', '--env-file', '/no/such/file'], {
    encoding: 'utf8',
  });
  t.equal(status, 2);
  t.match(stderr, /env-file/);
  t.notMatch(stderr, /not found/);
});
