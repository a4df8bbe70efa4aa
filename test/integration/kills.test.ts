/** Kills by a whole server in every view of the host's processes: all of /proc, one that hides others, one of strangers, none. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { processesWith } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';
import type { WireClient } from '../support/wire-client.js';

t.jobs = 2;

const STREAMED = { streamStdoutStderr: true, disableOutputCap: true };
const AS_NOBODY = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
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
  { name: 'everybody is seen', through: [], sees: true },
  {
    name: 'other users are hidden (hidepid=2)',
    through: inNamespaces(['--mount'], `mount -t proc -o hidepid=2 proc /proc && exec ${AS_NOBODY} "$@"`),
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

/** Starts a command that has said `ready`. */
async function begin(client: WireClient, script: string, params: object = {}) {
  const word = newWord();
  const reply = client.exec(['sh', '-c', script], { processId: word, env: { WORD: word }, ...STREAMED, ...params });
  await client.said(word, 'ready');
  t.ok(processesWith(word).length > 0);
  return { word, reply };
}

for (const { name, through, sees } of VIEWS) {
  const skip = through.length > 0 && NAMESPACES;
  // What is in the group; what left it and the session; what also lost its parent; what also has no mark.
  const group = "trap '' TERM HUP; sleep 600 & echo ready; while :; do sleep 600; done";
  const far = `setsid sleep 600 & (setsid sleep 600 &) ; env -u EXECWIRE_COMMAND_ID setsid sleep 600 & ${group}`;
  const script = sees ? far : group;

  t.test(`a command is ended with all its processes when ${name}`, { skip }, async (t) => {
    const server = await startServer(t, { through });
    if (!sees) await server.logged(WARNING);
    const client = await server.session();
    for (const tty of [false, true]) {
      const terminated = await begin(client, script, { tty, disableTimeout: true });
      await client.request('command/exec/terminate', { processId: terminated.word });
      t.equal((await terminated.reply).result?.exitCode, 137, 'terminate');
      await until('all are gone', () => processesWith(terminated.word).length === 0);

      const late = await begin(client, script, { tty, timeoutMs: 3000 });
      t.equal((await late.reply).result?.exitCode, 124, 'timeout');
      await until('all are gone', () => processesWith(late.word).length === 0);

      const leaver = await server.session();
      const left = await begin(leaver, script, { tty, disableTimeout: true });
      leaver.ws.terminate();
      await until('all are gone', () => processesWith(left.word).length === 0);
    }
    t.equal((await client.exec(['true'])).result?.exitCode, 0);
    t.equal(server.lines.filter((line) => line.includes(WARNING)).length, sees ? 0 : 1, 'warned once, or not at all');
    // `unshare` stays in front of the server and passes no SIGTERM on.
    if (through.includes('--pid')) await server.crash();
  });

  // With the first process of a PID namespace the kernel ends all the others.
  if (through.includes('--pid')) continue;

  t.test(`nobody outlives a crash of the server when ${name}`, { skip }, async (t) => {
    const server = await startServer(t, { through });
    const client = await server.session();
    const marked = sees ? far.replace('env -u EXECWIRE_COMMAND_ID ', '') : group;
    const { word } = await begin(client, marked, { disableTimeout: true });
    // The guardian is told of a command after 20 ms of the server's time: they are over when a command of more has been answered.
    await client.exec(['sleep', '0.1']);
    await server.crash();
    await until('all are gone', () => processesWith(word).length === 0);
  });
}
