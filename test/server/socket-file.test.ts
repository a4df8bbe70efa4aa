// Shows which server gets the name of a Unix socket, which socket file counts as stale, and which server removes it. Uses real sockets.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { listen } from '../../src/server/listener.js';
import { takeSocketFile } from '../../src/server/socket-file.js';

const STARTS = 8;
const ROUNDS = 10;

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-socket-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A server that sends its name to every client, and the function that binds it. */
function named(t: Test, name: string): { server: Server; bind: (path: string) => Promise<void> } {
  const server = createServer((socket) => {
    // A client that only checks whether there is a server hangs up at once.
    socket.on('error', () => {});
    socket.end(name);
  });
  t.teardown(() => server.close());
  const bind = async (path: string): Promise<void> => {
    server.listen(path);
    await once(server, 'listening');
  };
  return { server, bind };
}

async function nameAt(path: string): Promise<string> {
  const socket = connect(path);
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(socket, 'close');
  return text;
}

/** A socket file without a listener. */
async function leaveStale(path: string): Promise<void> {
  const script =
    'require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
  await once(spawn(process.execPath, ['-e', script, path]), 'exit');
}

t.test('socket file is given to one server when several start at once on a stale one', async (t) => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const folder = folderOf(t);
    const path = join(folder, 's');
    await leaveStale(path);
    t.ok(existsSync(path), 'a stale file is there');
    const servers = Array.from({ length: STARTS }, (_, index) => named(t, `${index}`));
    const results = await Promise.allSettled(servers.map(({ bind }) => takeSocketFile(path, bind)));
    const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [`${index}`] : []));
    t.equal(winners.length, 1, 'one server gets the name');
    t.same([await nameAt(path)], winners, 'clients reach that server');
    for (const result of results) {
      if (result.status === 'rejected') t.match(result.reason, { message: 'another server is listening there' });
    }
    t.same(readdirSync(folder), ['s'], 'nothing is left beside it');
    for (const { server } of servers) server.close();
  }
});

t.test('socket file of a server that takes no connection is left alone when its queue is full', async (t) => {
  const path = join(folderOf(t), 's');
  const script =
    'require("node:net").createServer().listen({ path: process.argv[1], backlog: 1 }, () => process.stdout.write("up"))';
  const full = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => full.kill('SIGKILL'));
  await once(full.stdout, 'data');
  full.kill('SIGSTOP');
  const sockets: Socket[] = [];
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let code = ''; code !== 'EAGAIN'; ) {
    const socket = connect(path);
    sockets.push(socket);
    code = await new Promise<string>((resolve) => {
      socket.once('connect', () => resolve(''));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    });
  }
  const { server, bind } = named(t, 'second');
  await t.rejects(takeSocketFile(path, bind), { message: /cannot be told \(EAGAIN\)/ });
  t.ok(statSync(path).isSocket(), 'the file is still there');
  server.close();
});

t.test('socket file is removed by its owner only, when another server has taken the name', async (t) => {
  const folder = folderOf(t);
  const path = join(folder, 's');
  const [first, second] = [createHttpServer(), createHttpServer()];
  t.equal(await listen(first, { kind: 'unix', path }, false), `unix://${path}`);
  t.equal(statSync(path).mode & 0o777, 0o600);
  rmSync(path);
  await listen(second, { kind: 'unix', path }, false);
  first.close();
  await once(first, 'close');
  t.ok(existsSync(path), 'the name of the second one stays');
  await t.rejects(listen(createHttpServer(), { kind: 'unix', path }, false), {
    message: `cannot listen on ${path}: another server is listening there`,
  });
  second.close();
  await once(second, 'close');
  t.same(readdirSync(folder), []);
});

t.test('socket file gets the longest name a socket can have, and a refusal leaves nothing behind', async (t) => {
  const folder = folderOf(t);
  const long = join(folder, 'x'.repeat(107 - folder.length - 1));
  const { server, bind } = named(t, 'long');
  const file = await takeSocketFile(long, bind);
  t.equal(await nameAt(long), 'long');
  file.remove();
  server.close();
  const short = join(folder, 'd'.repeat(107 - folder.length - 3));
  mkdirSync(short);
  const path = join(short, 'y');
  const other = named(t, 'short name in a long folder');
  const otherFile = await takeSocketFile(path, other.bind);
  t.equal(await nameAt(path), 'short name in a long folder');
  otherFile.remove();
  t.same(readdirSync(short), []);
  const taken = join(folder, 'file');
  writeFileSync(taken, 'precious');
  await t.rejects(takeSocketFile(taken, named(t, 'x').bind), { message: 'a file that is no socket is in the way' });
  t.same(readdirSync(folder).sort(), [short.slice(folder.length + 1), 'file'].sort());
  const missing = { kind: 'unix', path: join(folder, 'missing', 's') } as const;
  await t.rejects(listen(createHttpServer(), missing, false), {
    message: /^cannot listen on \S+\/missing\/s: .*ENOENT|EACCES/,
  });
});
