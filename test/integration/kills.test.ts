/** Shows what a whole server kills with each kind of /proc: complete, hiding other users' processes, of another PID namespace, missing. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { processesWith } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import type { WireClient } from '../support/wire-client.js';

t.jobs = 2;

const STREAMED = { streamStdoutStderr: true, disableOutputCap: true };
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
const canNest =
  spawnSync('unshare', ['--mount', 'true']).status === 0 && spawnSync('setpriv', ['--version']).status === 0;
const NAMESPACES = canNest ? false : 'needs root, unshare and setpriv';

interface View {
  readonly name: string;
  readonly through: readonly string[];
  /** Whether the server sees its commands and what they start. */
  readonly sees: boolean;
}

const inNamespaces = (flags: string[], script: string): string[] => ['unshare', ...flags, 'sh', '-c', script, 'sh'];
const VIEWS: readonly View[] = [
  { name: 'all processes are seen', through: [], sees: true },
  {
    name: 'other users are hidden (hidepid=2)',
    through: inNamespaces(['--mount'], `mount -t proc -o hidepid=2 proc /proc && exec ${NOBODY.join(' ')} "$@"`),
    sees: true,
  },
  {
    name: '/proc is missing',
    through: inNamespaces(['--mount'], 'mount -t tmpfs none /proc && exec "$@"'),
    sees: false,
  },
  {
    name: '/proc is of another PID namespace',
    through: inNamespaces(['--pid', '--fork', '--kill-child'], 'exec "$@"'),
    sees: false,
  },
];

const WARNING = '/proc is missing or of another PID namespace';

let words = 0;
/** A word that only the processes of one command carry. */
function newWord(): string {
  words += 1;
  return `kill-test-${process.pid}-${words}`;
}

/** Starts a command, and resolves when it has printed `ready` or has ended. */
async function tryToBegin(client: WireClient, command: readonly string[], params: object) {
  const word = newWord();
  const reply = client.exec(command, { processId: word, env: { WORD: word }, ...STREAMED, ...params });
  await Promise.race([client.said(word, 'ready'), reply]);
  return { word, reply, isReady: client.output(word).includes('ready') };
}

/** Starts a command without a timeout, and resolves when it has printed `ready`. */
async function begin(client: WireClient, command: readonly string[], params: object = {}) {
  const begun = await tryToBegin(client, command, { disableTimeout: true, ...params });
  if (!begun.isReady) throw new Error(`the command ended before it was ready: ${JSON.stringify(await begun.reply)}`);
  return begun;
}

/** Starts a command with a timeout, and resolves when it has printed `ready`. A busy machine may reach the first timeout before, so each further try has four times as long. */
async function beginWithTimeout(client: WireClient, command: readonly string[], params: object = {}) {
  for (let timeoutMs = 1000; ; timeoutMs *= 4) {
    const begun = await tryToBegin(client, command, { timeoutMs, ...params });
    if (begun.isReady) return begun;
    killAll(begun.word);
  }
}

/** Ends processes that a server could not end, if they are still there. */
function killAll(word: string): void {
  for (const pid of processesWith(word)) spawnSync('kill', ['-KILL', String(pid)]);
}

for (const { name, through, sees } of VIEWS) {
  const skip = through.length > 0 && NAMESPACES;
  // Processes in another session; in another session and without their parent; in another session and without the mark; in the group.
  const group = "trap '' TERM HUP; sleep 600 & echo ready; while :; do sleep 600; done";
  const far = `setsid sleep 600 & (setsid sleep 600 &) ; env -u EXECWIRE_COMMAND_ID setsid sleep 600 & ${group}`;
  const command = ['sh', '-c', sees ? far : group];

  t.test(`command is ended with all its processes when ${name}`, { skip }, async (t) => {
    const server = await startServer(t, { through });
    if (!sees) await server.logged(WARNING);
    const client = await server.session();
    for (const tty of [false, true]) {
      const terminated = await begin(client, command, { tty });
      await client.request('command/exec/terminate', { processId: terminated.word });
      t.equal((await terminated.reply).result?.exitCode, 137, 'terminate');
      await until('all are gone', () => processesWith(terminated.word).length === 0);

      const late = await beginWithTimeout(client, command, { tty });
      t.equal((await late.reply).result?.exitCode, 124, 'timeout');
      await until('all are gone', () => processesWith(late.word).length === 0);

      const leaver = await server.session();
      const left = await begin(leaver, command, { tty });
      leaver.ws.terminate();
      await until('all are gone', () => processesWith(left.word).length === 0);
    }
    t.equal((await client.exec(['true'])).result?.exitCode, 0);
    t.equal(server.lines.filter((line) => line.includes(WARNING)).length, sees ? 0 : 1, 'warned once, or not at all');
    // `unshare` stays in front of the server and passes no SIGTERM on.
    if (through.includes('--pid')) await server.crash();
  });

  // The kernel ends all other processes together with the first process of a PID namespace.
  if (through.includes('--pid')) continue;

  // A process without the mark, without its parent and outside of the command's session. No kill of the command finds it; the end of the server kills it.
  const lost = `env -u EXECWIRE_COMMAND_ID setsid sh -c "sleep 600 & exit" ; ${group}`;
  t.test(`no process outlives a server that ends in good order when ${name}`, { skip }, async (t) => {
    const server = await startServer(t, { through });
    const client = await server.session();
    const { word } = await begin(client, ['sh', '-c', sees ? lost : group]);
    server.signal('SIGTERM');
    await server.logged('leaving');
    server.signal('SIGTERM');
    await server.exited;
    await until('all are gone', () => processesWith(word).length === 0);
  });

  t.test(`no process outlives a crash of the server when ${name}`, { skip }, async (t) => {
    const server = await startServer(t, { through });
    const client = await server.session();
    const marked = sees ? far.replace('env -u EXECWIRE_COMMAND_ID ', '') : group;
    const { word } = await begin(client, ['sh', '-c', marked]);
    // The server tells the guardian of a command after 20 ms. When this longer command is answered, the guardian knows the one before it.
    await client.exec(['sleep', '0.1']);
    await server.crash();
    await until('all are gone', () => processesWith(word).length === 0);
  });
}

const hiding = VIEWS.find(({ name }) => name.includes('hidepid'))?.through ?? [];
const NO_DUMP_CALL =
  process.arch !== 'x64' || spawnSync('perl', ['-v']).status !== 0 ? 'needs perl on x86-64' : NAMESPACES;

t.test(
  'command is ended with its processes when /proc hides it from its own server',
  { skip: NO_DUMP_CALL },
  async (t) => {
    const server = await startServer(t, { through: hiding });
    const client = await server.session();
    // prctl(PR_SET_DUMPABLE, 0), as ssh-agent does: from then on only root sees it.
    const hide = 'syscall(157, 4, 0, 0, 0, 0);';
    // The leader, its child in another session, and one in its group.
    const hidden = `$| = 1; use POSIX; ${hide} if (!fork) { POSIX::setsid(); } elsif (fork) { print "ready\\n"; } sleep 600 while 1;`;
    for (const tty of [false, true]) {
      const { word, reply } = await begin(client, ['sh', '-c', `exec perl -e '${hidden}'`], { tty });
      await until('all have come', () => processesWith(word).length === 3);
      await client.request('command/exec/terminate', { processId: word });
      t.equal((await reply).result?.exitCode, 137);
      // The server cannot tell the other session from a stranger's. It kills it when it ends itself.
      await until('its session is gone', () => processesWith(word).length <= 1);
      killAll(word);
    }
  },
);

t.test('terminate ends a terminal when it comes right after its start', async (t) => {
  const server = await startServer(t);
  const client = await server.session();
  const word = newWord();
  const replies = Array.from({ length: 40 }, (_, round) => {
    const processId = `${word}-${round}`;
    const params = { processId, tty: true, env: { WORD: word }, disableTimeout: true, ...STREAMED };
    const reply = client.exec(['sleep', '600'], params);
    void client.request('command/exec/terminate', { processId });
    return reply;
  });
  for (const reply of await Promise.all(replies)) t.equal(reply.result?.exitCode, 137);
  t.same(processesWith(word), []);
});

/** A copy of `setpriv` that becomes root for every user; undefined if there can be none. */
function rootProgram(): string | undefined {
  if (!canNest) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'execwire-kills-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o755);
  const program = join(folder, 'setpriv');
  copyFileSync(spawnSync('sh', ['-c', 'command -v setpriv'], { encoding: 'utf8' }).stdout.trim(), program);
  chmodSync(program, 0o4755);
  const args = [...NOBODY.slice(1), program, '--reuid=0', 'id', '-ru'];
  return spawnSync('setpriv', args, { encoding: 'utf8' }).stdout === '0\n' ? program : undefined;
}

const program = rootProgram();
const NO_ROOT_PROGRAM =
  program === undefined && 'needs root, setpriv, and a folder for temporary files whose programs may become root';

t.test(
  'command is answered and named in the log when the server may not kill it',
  { skip: NO_ROOT_PROGRAM },
  async (t) => {
    const server = await startServer(t, { through: NOBODY, expectedErrors: /processes survived SIGKILL/ });
    const client = await server.session();
    const script = 'echo ready; while :; do sleep 600; done';
    const command = [program ?? '', '--reuid=0', '--regid=0', '--clear-groups', 'sh', '-c', script];
    for (const [way, tty, expected] of [
      ['terminate', false, 137],
      ['timeout', false, 124],
      ['terminate', true, 137],
    ] as const) {
      const { word, reply } = await (way === 'timeout' ? beginWithTimeout : begin)(client, command, { tty });
      const survivors = processesWith(word);
      if (way === 'terminate') await client.request('command/exec/terminate', { processId: word });
      t.match((await reply).result, { exitCode: expected }, `${way}, terminal: ${tty}`);
      // Closing the terminal hangs up its shell, even as another user.
      if (tty) await until('the terminal has gone', () => processesWith(word).length < survivors.length);
      else t.ok(processesWith(word).length > 0, 'the command lives on');
      await server.logged('processes survived SIGKILL');
      killAll(word);
    }
    t.equal((await client.exec(['true'])).result?.exitCode, 0);
  },
);
