/** Shows what the log never holds, how its level changes at run time, and that a full disk or a stopped reader costs lines of it but no time. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { createLog } from '../../src/log.js';
import { spawnServer, startServer } from '../support/server.js';
import { type ServerProcess, withStderr } from '../support/server-process.js';

/** Debug lines of about a hundred bytes: more than a pipe and the log's own buffer hold together. */
const MANY_LINES = 20_000;
const INITIALIZE = { id: 1, method: 'initialize', params: { clientInfo: { name: 'a', version: '1' } } };

/** Resolves to the lines of a file once there are so many. */
async function linesOf(file: string, count: number): Promise<Array<Record<string, unknown>>> {
  for (;;) {
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    if (lines.length >= count) return lines.map((line) => JSON.parse(line));
    await turn();
  }
}

/** A plain GET over a Unix socket, once there is one. */
async function get(socketPath: string, path: string): Promise<{ status: number; text: string }> {
  const asked = request({ socketPath, path, agent: false }).end();
  const [response] = await once(asked, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, text };
}

async function untilReady(socketPath: string, server: ServerProcess): Promise<void> {
  while (server.exit === undefined) {
    const ready = await get(socketPath, '/readyz').catch(() => undefined);
    if (ready?.status === 200) return;
    await turn();
  }
}

t.test('log holds no argument, environment, output or token when they are logged', async (t) => {
  const file = join(t.testdir({ log: '' }), 'log');
  const log = createLog({ level: 'info', fd: openSync(file, 'a'), pretty: false });
  const spawnError = Object.assign(new Error('spawn failed'), { spawnargs: ['SECRET'], code: 'ENOENT' });
  const secrets = {
    argv: ['SECRET'],
    env: { A: 'SECRET' },
    command: ['SECRET'],
    token: 'SECRET',
    params: { a: 'SECRET' },
  };
  log.logger.info(secrets, 'first level');
  log.logger.info({ request: { ...secrets, headers: { authorization: 'SECRET' } } }, 'second level');
  log.logger.error({ err: spawnError }, 'an error');
  log.logger.child({ connectionId: 'c' }).warn({ stdin: 'SECRET', deltaBase64: 'SECRET' }, 'of a child');
  t.equal(readFileSync(file, 'utf8'), '', 'nothing is written before the release');
  await log.release();
  const lines = await linesOf(file, 4);
  t.notOk(JSON.stringify(lines).includes('SECRET'));
  t.match(lines[2], { err: { message: 'spawn failed', code: 'ENOENT' } });
  t.match(lines[3], { connectionId: 'c', msg: 'of a child' });
});

t.test('log drops lines, counts them and throws nothing when the disk is full', async (t) => {
  const log = createLog({ level: 'info', fd: openSync('/dev/full', 'w'), pretty: false });
  await log.release();
  for (let line = 0; line < MANY_LINES && log.droppedLines === 0; line += 1) {
    log.logger.info({ filler: 'x'.repeat(500) }, 'line');
    if (line % 100 === 0) await turn();
  }
  t.ok(log.droppedLines > 0);
});

t.test(
  'server answers and ends in time when its standard error is not read',
  { skip: process.platform !== 'linux' && 'needs Linux' },
  async (t) => {
    // A socket's path must be short.
    const folder = mkdtempSync(join(tmpdir(), 'log-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const fifo = join(folder, 'stderr');
    spawnSync('mkfifo', [fifo]);
    // Both ends are open, and nothing is ever read.
    openSync(fifo, 'r+');
    const path = join(folder, 'socket');
    const through = withStderr(fifo);
    const server = spawnServer(t, { listen: `unix://${path}`, through, flags: ['--log-level', 'debug'] });
    await untilReady(path, server);
    const socket = new WebSocket(`ws+unix://${path}:/`);
    await once(socket, 'open');
    const answers: string[] = [];
    // BEFORE anything is asked: both answers may come at once.
    const answered = new Promise<void>((resolve) => {
      socket.on('message', (text) => answers.push(String(text)) === 2 && resolve());
    });
    socket.send(JSON.stringify(INITIALIZE));
    for (let line = 0; line < MANY_LINES; line += 1) socket.send('{"method":"initialized"}');
    socket.send(JSON.stringify({ id: 2, method: 'command/exec', params: { command: ['true'] } }));
    await answered;
    t.match(answers[1], /"exitCode":0/);
    const { text } = await get(path, '/metrics');
    t.ok(Number(/^execwire_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]) > 0, 'lost lines are counted');
    t.same(await server.stop(), { code: 0, signal: null });
  },
);

/** A log, and the function that it runs when the process exits. */
function exitOf(
  t: Test,
  make: () => ReturnType<typeof createLog>,
): { log: ReturnType<typeof createLog>; exit: () => void } {
  const log = make();
  // The log puts its listener in front of all others.
  const [onExit] = process.listeners('exit');
  if (onExit === undefined) throw new Error('the log does not listen for the exit');
  t.teardown(() => process.off('exit', onExit));
  return { log, exit: () => onExit(0) };
}

t.test('log writes what it holds when the process exits', async (t) => {
  const file = join(t.testdir({ log: '' }), 'log');
  const { log, exit } = exitOf(t, () => createLog({ level: 'info', fd: openSync(file, 'a'), pretty: false }));
  await log.release();
  // The first one is on its way, and the others wait for it.
  for (const line of ['first', 'second', 'third']) log.logger.info(line);
  exit();
  t.match(readFileSync(file, 'utf8'), /"second".*\n.*"third".*\n/);
});

t.test('log gives up when the process exits and the reader of its full pipe has gone', async (t) => {
  const fifo = join(t.testdir(), 'fifo');
  spawnSync('mkfifo', [fifo]);
  const reader = openSync(fifo, 'r+');
  const writer = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  t.throws(
    () => {
      for (;;) writeSync(writer, Buffer.alloc(4096));
    },
    { code: 'EAGAIN' },
  );
  const { log, exit } = exitOf(t, () => createLog({ level: 'info', fd: writer, pretty: false }));
  await log.release();
  for (const line of ['first', 'second', 'third']) log.logger.info(line);
  closeSync(reader);
  exit();
  t.pass('the exit goes on');
});

t.test('SIGUSR1 toggles debug, and starts no debugger', async (t) => {
  const server = await startServer(t);
  const client = await server.session();
  server.signal('SIGUSR1');
  await server.logged('"logLevel":"debug"');
  client.send('{"method":"initialized"}');
  await server.logged('"msg":"notification"');
  server.signal('SIGUSR1');
  await server.logged('"logLevel":"info"');
  t.notOk(server.lines.some((line) => line.includes('Debugger')));
  t.match(
    server.lines.slice(0, 4).join('\n'),
    /^execwire \(WebSocket\)\n.*\n.*\n {2}healthz: /,
    'the banner comes first',
  );
});

t.test(
  'log is written for people to read when standard error is a terminal and pino-pretty is there',
  async (t: Test) => {
    const file = join(t.testdir({ log: '' }), 'log');
    const log = createLog({ level: 'info', fd: openSync(file, 'a'), pretty: true });
    log.logger.info({ connectionId: 'c' }, 'opened');
    await log.release();
    while (readFileSync(file, 'utf8') === '') await turn();
    t.match(readFileSync(file, 'utf8'), /INFO.*opened/);
  },
);
