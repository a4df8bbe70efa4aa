// Shows what control groups of commands do in a whole server, in groups of this host made for the test. TEST_LOADER holds words to put before Node, such as
// the loader of a newer C library, with which a command is born in its group.
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isAlive, processesWith } from '../support/process-table.js';
import { startServer, type TestServer } from '../support/server.js';
import { type Delegation, lacksCgroups, pidsIn, TestCgroup } from '../support/test-cgroup.js';
import { until } from '../support/until.js';
import type { WireClient } from '../support/wire-client.js';

const skip = lacksCgroups();
const LOADER = process.env.TEST_LOADER?.split(' ') ?? [];
const PARAMS = { streamStdin: true, streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true };
/** Outside of the command's group, session, parents and mark: only a control group finds it. */
const ESCAPES = '(setsid env -i setsid sleep 600 &)';
/** Leaves its parent again and again, without a pause, and holds no stream. */
const GENERATION = `'setsid /bin/sh -c "$0" "$0" & exit'`;
const COMET = `env -i setsid /bin/sh -c ${GENERATION} ${GENERATION} </dev/null >/dev/null 2>&1`;

let count = 0;

function serve(t: Test, group: TestCgroup, flags: readonly string[] = []): Promise<TestServer> {
  return startServer(t, { through: [...group.through, ...LOADER], flags });
}

/** Starts a shell, and lets it run the script once it stands in a group of its own. @returns its id, its group and the reply */
async function begin(client: WireClient, group: TestCgroup, script: string, params: object = {}) {
  count += 1;
  const id = `cgroup-test-${process.pid}-${count}`;
  const command = ['sh', '-c', `echo $$; read go; ${script}`];
  const reply = client.exec(command, { processId: id, ...PARAMS, ...params });
  await client.said(id, '\n');
  const pid = Number.parseInt(client.output(id), 10);
  await until('the command is in its group', () => group.commandOf(pid) !== undefined);
  const folder = group.commandOf(pid) ?? '';
  await type(client, id);
  return { id, pid, folder, reply };
}

/** Types a line. */
async function type(client: WireClient, processId: string): Promise<void> {
  const deltaBase64 = Buffer.from('go\n').toString('base64');
  await client.request('command/exec/write', { processId, deltaBase64 });
}

async function untilMembers(folder: string, atLeast: number): Promise<number[]> {
  await until('all processes of the command are there', () => pidsIn(folder).length >= atLeast);
  return pidsIn(folder);
}

async function untilGone(folder: string, pids: readonly number[]): Promise<void> {
  await until('no process is left', () => !pids.some(isAlive));
  await until('the group is removed', () => !existsSync(folder));
}

async function cgroupsOf(server: TestServer): Promise<unknown> {
  const client = await server.wire();
  const { result } = await client.request('initialize', { clientInfo: { name: 'test', version: '1' } });
  return (result as { limits: { cgroups: unknown } }).limits.cgroups;
}

/** Makes groups inside of one, many and deep, as its command could. */
function makeGroups(folder: string): void {
  const { uid, gid } = statSync(folder);
  const make = (path: string): void => {
    mkdirSync(path);
    chownSync(path, uid, gid);
  };
  for (let each = 0; each < 50; each += 1) make(join(folder, `beside-${each}`));
  for (let depth = 1; depth <= 20; depth += 1) make(join(folder, ...new Array<string>(depth).fill('inside')));
}

for (const delegation of ['owner', 'attribute'] satisfies Delegation[]) {
  t.test(`a command ends with everything in its group, which was delegated by ${delegation}`, { skip }, async (t) => {
    const group = new TestCgroup(t, delegation);
    const server = await serve(t, group);
    const facts = JSON.stringify(await cgroupsOf(server));
    t.comment(`initialize: ${facts}`);
    t.match(facts, /^\{"commands":"(start|soon)"\}$/);
    const client = await server.session();

    for (const tty of [false, true]) {
      const killed = await begin(client, group, `${ESCAPES}; ${ESCAPES}; sleep 600`, tty ? { tty } : {});
      const pids = await untilMembers(killed.folder, 4);
      const bystander = await begin(client, group, 'sleep 600');
      await client.request('command/exec/terminate', { processId: killed.id });
      t.equal((await killed.reply).result?.exitCode, 137);
      await untilGone(killed.folder, pids);
      t.ok(isAlive(bystander.pid), 'another command lives on');
      await client.request('command/exec/terminate', { processId: bystander.id });
      await untilGone(bystander.folder, [bystander.pid]);
    }

    const comet = await begin(client, group, `${COMET} & sleep 600`);
    await untilMembers(comet.folder, 2);
    await client.request('command/exec/terminate', { processId: comet.id });
    t.equal((await comet.reply).result?.exitCode, 137);
    await untilGone(comet.folder, [comet.pid]);

    const nested = await begin(client, group, 'sleep 600');
    makeGroups(nested.folder);
    await client.request('command/exec/terminate', { processId: nested.id });
    await nested.reply;
    await untilGone(nested.folder, [nested.pid]);

    const leaver = await server.session();
    const script = `(setsid env -i setsid /bin/sh -c 'echo up; exec sleep 600 >/dev/null 2>&1' &); read again; exit 3`;
    const left = await begin(leaver, group, script);
    await leaver.said(left.id, 'up');
    await type(leaver, left.id);
    t.equal((await left.reply).result?.exitCode, 3);
    t.ok(existsSync(left.folder), 'after its reply the group stays, as long as there is a process');
    leaver.ws.terminate();
    await untilGone(left.folder, []);
  });

  t.test(`SIGTERM reaches what has escaped, in a group delegated by ${delegation}`, { skip }, async (t) => {
    const group = new TestCgroup(t, delegation);
    const client = await (await serve(t, group)).session({ experimentalApi: true });
    const escaped = `trap "echo told; exit" TERM; echo ready; while :; do sleep 0.1; done`;
    const command = await begin(client, group, `(setsid env -i setsid /bin/sh -c '${escaped}' &); sleep 600`);
    await client.said(command.id, 'ready');
    await client.request('command/exec/terminate', { processId: command.id, graceMs: 60_000 });
    await command.reply;
    t.match(client.output(command.id), /told/);
    await untilGone(command.folder, []);
  });

  t.test(`nothing is left of a server that is killed, in a group delegated by ${delegation}`, { skip }, async (t) => {
    const group = new TestCgroup(t, delegation);
    const server = await serve(t, group);
    const client = await server.session();
    const command = await begin(client, group, `${ESCAPES}; ${ESCAPES}; sleep 600`);
    const pids = await untilMembers(command.folder, 4);
    await server.crash();
    await untilGone(command.folder, pids);
    await until('the guardian has removed the folder of the server', () => group.servers().length === 0);
  });
}

t.test('a server removes its folder, and what a dead server has left', { skip }, async (t) => {
  const group = new TestCgroup(t, 'attribute');
  const dead = join(group.folder, 'execwire-dead');
  mkdirSync(join(dead, '1.1/inner'), { recursive: true });
  mkdirSync(join(group.folder, 'others'));
  const first = await serve(t, group);
  const second = await serve(t, group);
  for (const server of [first, second]) {
    const client = await server.session();
    t.equal((await client.exec(['true'])).result?.exitCode, 0);
  }
  await until('the old folder is gone', () => !existsSync(dead));
  t.equal(group.servers().length, 2, 'that of a living server stays');
  const client = await second.session();
  // As a command that makes groups of its own does.
  const command = await begin(client, group, 'sleep 600');
  mkdirSync(join(command.folder, 'a/b'), { recursive: true });
  await client.request('command/exec/terminate', { processId: command.id });
  await untilGone(command.folder, [command.pid]);
  await Promise.all([first.stop(), second.stop()]);
  t.same(
    readdirSync(group.folder).filter((name) => name.startsWith('execwire-')),
    [],
  );
  t.ok(existsSync(join(group.folder, 'others')), 'what is not a server stays');
});

t.test('a server that may not make groups says why, and works as before', { skip }, async (t) => {
  for (const [delegation, reason] of [
    ['none', 'notWritable'],
    ['unmarked', 'notDelegated'],
  ] as const) {
    const group = new TestCgroup(t, delegation);
    const server = await serve(t, group);
    t.same(await cgroupsOf(server), { commands: 'none', reason });
    const client = await server.session();
    const word = `cgroup-test-${process.pid}-${delegation}`;
    const command = ['sh', '-c', 'setsid sleep 600 & echo ready; wait'];
    const reply = client.exec(command, { processId: word, env: { WORD: word }, ...PARAMS });
    await client.said(word, 'ready');
    await client.request('command/exec/terminate', { processId: word });
    t.equal((await reply).result?.exitCode, 137);
    await until('all are gone', () => processesWith(word).length === 0);
    t.same(group.servers(), []);
  }
});

t.test('a server outside of any delegated group says why', async (t) => {
  const server = await startServer(t);
  const facts = await cgroupsOf(server);
  t.comment(`here: ${JSON.stringify(facts)}; ${readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n').at(-1)}`);
  t.match(JSON.stringify(facts), /^\{"commands":/);
});
