/**
 * Coming back to commands over the whole server: each test shows one rule of "Coming back" in docs/protocol.md. Knows no misuse of it. Long because that
 * chapter is.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { signedToken } from '../auth/signed-token.js';
import { isAlive } from '../support/process-table.js';
import { startServer, type TestServer } from '../support/server.js';
import { withSomePatience } from '../support/some-patience.js';
import { until } from '../support/until.js';
import { newKey, View } from '../support/view.js';
import type { WireClient, WireMessage } from '../support/wire-client.js';

t.jobs = 3;

const EXPERIMENTAL = { experimentalApi: true };
const CAT = ['cat'];
const MINUTE_MS = 60_000;

function connect(server: TestServer): Promise<WireClient> {
  return server.session(EXPERIMENTAL);
}

/** Code and reason of a refusal. */
async function refusal(reply: Promise<WireMessage>): Promise<string> {
  const { error } = await reply;
  return error === undefined ? 'no error' : `${error.code} ${error.data?.reason}`;
}

async function messageOf(reply: Promise<WireMessage>): Promise<string> {
  return (await reply).error?.message ?? 'no error';
}

async function list(client: WireClient, params: object = {}): Promise<WireMessage['result']> {
  return (await client.request('command/exec/list', params)).result.commands;
}

/** The entry of one key in the reply to `list`. */
async function listed(client: WireClient, key: string): Promise<WireMessage['result']> {
  const rows = await list(client, { scope: 'principal' });
  return rows.find((row: { key: string }) => row.key === key);
}

function start(client: WireClient, detachable: object, params: object = {}): View {
  return View.start(client, { command: CAT, detachable, ...params });
}

/** Kills the remaining commands of this connection's principal, because they would live for another minute. */
async function endAll(client: WireClient): Promise<void> {
  for (const { pid } of await list(client, { scope: 'principal' })) if (pid !== null) process.kill(pid, 'SIGKILL');
}

/** Asserts that the views noted no problem. */
function allGood(t: Test, ...views: View[]): void {
  for (const view of views) t.same(view.problems, [], view.processId);
}

t.test('command outlives its connection, and the next one gets every byte from where it was', async (t) => {
  const server = await startServer(t);
  const first = await connect(server);
  const key = newKey();
  const begun = await start(first, { key }).begun();
  t.match(begun.attached, {
    key,
    pid: Number,
    startedAtMs: Number,
    role: 'writer',
    resumed: false,
    stdout: { oldest: 0, next: 0 },
    stderr: { oldest: 0, next: 0 },
    stdinAccepted: 0,
  });
  t.same((await begun.write('one')).result, { accepted: 3 });
  await begun.said('one');
  await begun.write('two');
  first.terminate();
  const second = await connect(server);
  await until('the command is detached', async () => (await listed(second, key))?.state === 'detached');
  t.match(await listed(second, key), { processId: null, role: null, attachments: 0, expiresAtMs: Number, tty: false });
  const back = await View.attach(second, key, { from: { stdout: 3, stderr: 0 } }).begun();
  t.match(back.attached, { resumed: true, pid: begun.attached.pid, startedAtMs: begun.attached.startedAtMs });
  t.equal(back.attached.stdinAccepted, 6);
  await back.said('two');
  t.equal(back.text(), 'two', 'nothing comes twice');
  t.match(await listed(second, key), { processId: back.processId, role: 'writer', attachments: 1, expiresAtMs: null });
  await back.write('three', { closeStdin: true });
  const { result } = await back.reply;
  t.match(result, { exitCode: 0, stdout: '', stderr: '', signal: null, timedOut: false, durationMs: Number });
  t.equal(back.text(), 'twothree');
  t.match(await listed(second, key), { state: 'ended', exitCode: 0, pid: null, stdout: { oldest: 0, next: 11 } });
  const late = View.attach(second, key, { role: 'observer' });
  t.same((await late.reply).result, result, 'a view after the end gets the same result');
  t.equal(late.text(), 'onetwothree');
  t.same((await second.request('command/exec/forget', { key })).result, {});
  t.equal(await refusal(View.attach(second, key).reply), '-32600 keyNotFound');
  t.equal(await messageOf(View.attach(second, key).reply), `no detachable command with key "${key}"`);
  t.equal(await refusal(second.request('command/exec/forget', { key })), '-32600 keyNotFound');
  allGood(t, begun, back, late);
});

t.test('start under a known key never runs twice', async (t) => {
  const server = await startServer(t);
  const folder = mkdtempSync(join(tmpdir(), 'execwire-once-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'ran');
  const command = ['sh', '-c', `echo ran >> ${file}; exec cat`];
  const env = { A: '1', B: null };
  const key = newKey();
  const clients = await Promise.all([1, 2, 3].map(() => connect(server)));
  const views = clients.map((client) => View.start(client, { command, env, detachable: { key } }));
  const last = views[2];
  if (last === undefined) throw new Error('no view');
  await until('two views have ended', () => views.filter(({ detached }) => detached === 'takeover').length === 2);
  const writer = views.find(({ detached }) => detached === undefined) ?? last;
  for (const view of views) {
    if (view !== writer) t.equal(await refusal(view.reply), '-32600 detached');
  }
  const [client] = clients;
  if (client === undefined) throw new Error('no client');
  const again = View.start(client, { command, env: { B: null, A: '1' }, detachable: { key, ttlMs: 1 } });
  await again.begun();
  t.equal(again.attached.resumed, true, 'neither the order of names in `env` nor other fields matter');
  t.equal(await messageOf(writer.reply), 'detached: takeover');
  t.equal(writer.detached, 'takeover');
  await again.write('x', { closeStdin: true });
  t.equal((await again.reply).result.exitCode, 0);
  const ended = View.start(client, { command, env, detachable: { key } });
  t.equal((await ended.reply).result.exitCode, 0, 'it does not run again after its end');
  t.equal(ended.text(), 'x');
  for (const [what, params] of [
    ['command', { command: ['cat'], env }],
    ['cwd', { command, env, cwd: '/' }],
    ['env', { command, env: { A: '1' } }],
    ['tty', { command, env, tty: true }],
  ] as const) {
    const other = View.start(client, { ...params, detachable: { key } });
    t.equal(await messageOf(other.reply), `detachable key "${key}" belongs to another command`, what);
    t.equal(await refusal(other.reply), '-32600 keyConflict', what);
  }
  t.equal(readFileSync(file, 'utf8'), 'ran\n');
  allGood(t, ...views, again, ended);
});

t.test('start under a known key announces a gap from 0 when the log has lost its beginning', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const command = ['sh', '-c', 'head -c 300000 /dev/zero; exec cat'];
  const params = { command, detachable: { key, replayBytes: 65_536 } };
  const first = View.start(client, params);
  await first.until('all is there', () => first.next.stdout === 300_000);
  t.same(first.gaps, []);
  const second = View.start(client, params);
  await second.until('all is there', () => second.next.stdout === 300_000);
  const { oldest } = second.attached.stdout;
  t.same(second.gaps, [{ stream: 'stdout', from: 0, to: oldest }]);
  t.ok(oldest > 0 && 300_000 - oldest >= 65_536, 'at least as much is kept as was asked for');
  t.ok(300_000 - oldest <= 65_536 + 65_536, 'at most a chunk more is kept');
  const third = View.attach(await connect(server), key, { from: { stdout: 10 }, role: 'observer' });
  await third.until('all is there', () => third.next.stdout === 300_000);
  t.same(third.gaps, [{ stream: 'stdout', from: 10, to: oldest }]);
  await second.write('', { closeStdin: true });
  await second.reply;
  allGood(t, first, second, third);
});

t.test('start that fails leaves the key free', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  t.equal(
    await refusal(View.start(client, { command: ['/no/such'], detachable: { key } }).reply),
    '-32603 spawnFailed',
  );
  const good = View.start(client, { command: ['true'], detachable: { key } });
  t.equal((await good.reply).result.exitCode, 0);
  allGood(t, good);
});

t.test('wrong params of starts and views are refused with their reason', async (t) => {
  const server = await startServer(t, { flags: ['--max-replay-bytes', '64k', '--max-detached', '10s'] });
  const client = await connect(server);
  const key = newKey();
  const streams = { processId: 'p', streamStdoutStderr: true };
  const startOf = (detachable: object, params: object = streams): Promise<string> =>
    refusal(client.exec(['true'], { ...params, detachable }));
  t.equal(await startOf({ key }, { processId: 'p' }), '-32602 streamingRequired');
  t.equal(await startOf({ key }, { streamStdoutStderr: true }), '-32600 processIdRequired');
  t.equal(await refusal(client.exec(['true'], { processId: 'p', window: { bytes: 1 } })), '-32602 streamingRequired');
  for (const bad of ['short', 'a'.repeat(129), 'has spaces in it here', `${'ä'.repeat(20)}`, '0123456789abcde/']) {
    t.equal(await startOf({ key: bad }), '-32602 invalidParams', bad);
  }
  t.equal(await startOf({ key, ttlMs: 10_001 }), '-32602 beyondCeiling');
  t.match(await messageOf(client.exec(['true'], { ...streams, detachable: { key, ttlMs: 10_001 } })), /--max-detached/);
  t.equal(await startOf({ key, replayBytes: 65_537 }), '-32602 beyondCeiling');
  t.equal(await startOf({ key, replayBytes: 0, whenFull: 'pause' }), '-32602 pauseKeepsNothing');
  t.equal(await startOf({ key, replayBytes: 0.5 }), '-32602 invalidParams');
  for (const bytes of [0, 1.5, -1]) {
    t.equal(
      await refusal(client.exec(['true'], { ...streams, window: { bytes } })),
      '-32602 invalidParams',
      `${bytes}`,
    );
  }
  const plain = await server.session();
  t.equal(await refusal(plain.exec(['true'], { ...streams, detachable: { key } })), '-32600 experimentalRequired');
  t.equal(await refusal(plain.request('command/exec/attach', { processId: 'p', key })), '-32600 experimentalRequired');
  const pipes = await start(client, { key }).begun();
  const attach = (params: object): Promise<string> => refusal(View.attach(client, key, params).reply);
  t.equal(await attach({}), '-32600 writerPresent');
  t.equal(await attach({ from: { stdout: 1 }, role: 'observer' }), '-32602 offsetAhead');
  t.equal(await attach({ screen: true, role: 'observer' }), '-32602 screenWithoutTty');
  t.equal(await attach({ size: { rows: 2, cols: 2 }, takeover: true }), '-32602 sizeOfObserver', 'on pipes');
  t.equal(await attach({ screen: true, from: { stdout: 0 } }), '-32602 screenWithFrom');
  t.equal(await attach({ window: { bytes: 0 } }), '-32602 invalidParams');
  t.equal(await attach({ processId: pipes.processId, role: 'observer' }), '-32600 duplicateProcessId');
  t.equal(await refusal(client.request('command/exec/forget', { key })), '-32600 stillRunning');
  const terminal = newKey();
  const tty = await start(client, { key: terminal }, { tty: true }).begun();
  const size = { rows: 10, cols: 20 };
  t.equal(await refusal(View.attach(client, terminal, { role: 'observer', size }).reply), '-32602 sizeOfObserver');
  t.equal(pipes.detached ?? tty.detached, undefined, 'no view was ended');
  allGood(t, pipes, tty);
  await endAll(client);
});

t.test('observer watches, terminates and signals, and neither writes nor resizes', async (t) => {
  const server = await startServer(t);
  const [one, two] = [await connect(server), await connect(server)];
  const key = newKey();
  const script = 'trap "echo got" USR1; echo ready; while :; do read line; done';
  const writer = View.start(one, { command: ['bash', '-c', script], detachable: { key } });
  await writer.said('ready');
  const observer = View.attach(two, key, { role: 'observer' });
  await observer.said('ready');
  t.equal(await refusal(observer.write('x')), '-32600 notWriter');
  t.equal(await refusal(observer.write('', { closeStdin: true })), '-32600 notWriter');
  t.equal(await refusal(observer.ask('resize', { size: { rows: 2, cols: 2 } })), '-32600 notWriter');
  t.same((await observer.ask('signal', { signal: 'SIGUSR1' })).result, {});
  await writer.write('\n');
  await observer.said('got');
  t.same((await observer.ask('terminate')).result, {});
  t.equal((await observer.reply).result.exitCode, 137);
  t.equal((await writer.reply).result.exitCode, 137);
  allGood(t, writer, observer);
});

t.test('size of a terminal follows its writer when a view takes over or resizes', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const command = ['sh', '-c', 'while stty size; do sleep 0.05; done'];
  const first = View.start(client, { command, tty: true, size: { rows: 11, cols: 22 }, detachable: { key } });
  await first.said('11 22');
  const second = View.attach(client, key, { takeover: true, size: { rows: 33, cols: 44 } });
  await second.said('33 44');
  t.equal(first.detached, 'takeover', 'a view of the same connection takes over, too');
  await second.ask('resize', { size: { rows: 5, cols: 6 } });
  await second.said('5 6');
  await second.ask('terminate');
  await second.reply;
  allGood(t, first, second);
});

t.test('input with an offset takes effect once, and a hole in it is refused', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const view = await start(client, { key }).begun();
  t.same((await view.write('abc', { offset: 0 })).result, { accepted: 3 });
  t.same((await view.write('abc', { offset: 0 })).result, { accepted: 3 }, 'sent again, as after a lost answer');
  t.same((await view.write('bcdef', { offset: 1 })).result, { accepted: 6 }, 'only the new part counts');
  t.equal(await refusal(view.write('x', { offset: 7 })), '-32600 stdinGap');
  t.equal(await messageOf(view.write('x', { offset: 7 })), 'stdin offset 7 is ahead of 6');
  t.equal(
    await refusal(view.write('', { offset: 9, closeStdin: true })),
    '-32600 stdinGap',
    'an end after a hole is refused, too',
  );
  t.same((await view.write('g')).result, { accepted: 7 }, 'stdin is still open');
  const observer = View.attach(client, key, { role: 'observer' });
  t.same((await view.write('h', { offset: 7, closeStdin: true })).result, { accepted: 8 });
  await view.reply;
  t.equal(view.text(), 'abcdefgh');
  await observer.reply;
  const ordinary = client.exec(CAT, { processId: 'plain', streamStdin: true, streamStdoutStderr: true });
  const write = { processId: 'plain', deltaBase64: 'eA==', offset: 0 };
  t.equal(await refusal(client.request('command/exec/write', write)), '-32600 notDetachable');
  t.equal(await refusal(client.request('command/exec/detach', { processId: 'plain' })), '-32600 notDetachable');
  await client.request('command/exec/terminate', { processId: 'plain' });
  await ordinary;
  allGood(t, view, observer);
});

t.test('closed input refuses a write only when it holds bytes that are new', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  // The command runs on after the end of its input.
  const command = ['sh', '-c', 'cat; echo end; exec sleep 1000'];
  const view = View.start(client, { command, detachable: { key: newKey() } });
  await view.begun();
  t.same((await view.write('abc', { closeStdin: true })).result, { accepted: 3 });
  await view.said('end');
  t.same((await view.write('', { closeStdin: true })).result, { accepted: 3 });
  t.same((await view.write('bc', { offset: 1 })).result, { accepted: 3 });
  t.equal(await refusal(view.write('cd', { offset: 2 })), '-32600 stdinClosed');
  t.equal(await refusal(view.write('d')), '-32600 stdinClosed');
  await view.ask('terminate');
  await view.reply;
  allGood(t, view);
});

t.test('detach ends the view and not the command', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const view = await start(client, { key }).begun();
  t.same((await view.ask('detach')).result, {});
  t.equal(await messageOf(view.reply), 'detached: requested');
  t.equal(view.detached, 'requested');
  t.equal(await refusal(view.ask('detach')), '-32600 processNotFound');
  t.equal((await listed(client, key)).state, 'detached');
  t.same(await list(client), [], 'this connection views nothing');
  const back = await View.attach(client, key).begun();
  await back.write('x', { closeStdin: true });
  t.equal((await back.reply).result.exitCode, 0);
  allGood(t, view, back);
});

t.test(
  'command is killed and unknown when no client comes back within its ttl, and a result is kept for the same time',
  async (t) => {
    const server = await startServer(t);
    const client = await connect(server);
    const [short, none, long] = [newKey(), newKey(), newKey()];
    const killed = await start(client, { key: short, ttlMs: 50 }).begun();
    await killed.ask('detach');
    await until('the command is unknown', async () => (await listed(client, short)) === undefined);
    await until('the command is dead', () => !isAlive(killed.attached.pid));
    t.equal(await refusal(View.attach(client, short).reply), '-32600 keyNotFound');
    const dies = await start(client, { key: none, ttlMs: 0 }).begun();
    await dies.ask('detach');
    t.equal(await refusal(View.attach(client, none).reply), '-32600 keyNotFound', 'at once');
    await until('the command is dead', () => !isAlive(dies.attached.pid));
    const kept = await start(client, { key: long, ttlMs: MINUTE_MS }).begun();
    t.equal((await listed(client, long)).expiresAtMs, null);
    await kept.write('', { closeStdin: true });
    await kept.reply;
    const { expiresAtMs } = await listed(client, long);
    t.ok(expiresAtMs > Date.now());
    await View.attach(client, long).reply;
    t.ok((await listed(client, long)).expiresAtMs <= expiresAtMs + 1, 'coming back does not extend it');
    t.match(server.stderr, /nobody came back in time/);
  },
);

t.test('log keeps no byte when the start asked for none', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const view = await start(client, { key, replayBytes: 0 }).begun();
  await view.write('lost');
  await view.said('lost');
  const observer = View.attach(client, key, { role: 'observer' });
  await observer.begun();
  t.same(observer.attached.stdout, { oldest: 4, next: 4 });
  await view.write('seen');
  await observer.said('seen');
  t.equal(observer.text(), 'seen');
  await view.write('', { closeStdin: true });
  await Promise.all([view.reply, observer.reply]);
  allGood(t, view, observer);
});

t.test('cap counts over the life of the command, and each view is told of it once', async (t) => {
  const server = await startServer(t);
  const client = await connect(server);
  const key = newKey();
  const view = View.start(client, { command: CAT, disableOutputCap: false, outputBytesCap: 5, detachable: { key } });
  await view.begun();
  await view.write('abc');
  await view.said('abc');
  await view.ask('detach');
  const back = await View.attach(client, key, { from: { stdout: 3 } }).begun();
  await back.write('defgh', { closeStdin: true });
  t.match((await back.reply).result, { exitCode: 0, truncated: { stdout: true, stderr: false } });
  t.equal(back.text(), 'de');
  t.same(back.gaps, [], 'what is beyond the cap is no gap');
  const capped = client.messages
    .filter(({ params }) => params?.capReached === true)
    .map(({ params }) => params.processId);
  t.same(capped, [back.processId]);
  const late = View.attach(client, key, { from: { stdout: 5 } });
  await late.reply;
  t.equal(client.messages.filter(({ params }) => params?.capReached === true).at(-1)?.params.processId, late.processId);
  allGood(t, view, back, late);
});

t.test(
  'window bounds the output that is not acknowledged, and the reply waits until the last byte is sent',
  async (t) => {
    const server = await startServer(t);
    const client = await connect(server);
    const size = 100_000;
    const command = ['head', '-c', String(size), '/dev/zero'];
    for (const detachable of [undefined, { key: newKey(), replayBytes: 20_000 }]) {
      const view = View.start(client, { command, window: { bytes: 10_000 }, ...(detachable && { detachable }) });
      // An ordinary command announces no view.
      if (detachable === undefined) view.attached = {};
      let ended = false;
      void view.reply.then(() => {
        ended = true;
      });
      for (let processed = 0; processed < size - 10_000; processed += 10_000) {
        await view.until('the window is full', () => view.next.stdout === processed + 10_000);
        // Further output would come before the answer to this.
        await list(client);
        t.equal(view.next.stdout, processed + 10_000);
        t.notOk(ended);
        // An acknowledgement beyond what was sent counts as what was sent.
        view.acknowledge(processed === 0 ? size * 2 : processed + 10_000);
      }
      t.equal((await view.reply).result.exitCode, 0);
      t.equal(view.next.stdout, size);
      t.same(view.gaps, []);
      allGood(t, view);
    }
  },
);

t.test('view ends as fallen behind when it acknowledges nothing while output waits', (t) =>
  withSomePatience(t, async (patienceS) => {
    const server = await startServer(t, { flags: ['--stall-timeout', `${patienceS}s`] });
    const client = await connect(server);
    const key = newKey();
    const writer = await start(client, { key }).begun();
    const observer = await View.attach(client, key, { role: 'observer', window: { bytes: 4 } }).begun();
    const idle = await View.attach(client, key, { role: 'observer', window: { bytes: 100 } }).begun();
    await writer.write('123456789');
    assert.equal(await messageOf(observer.reply), 'detached: fellBehind');
    assert.equal(observer.detached, 'fellBehind');
    assert.equal(observer.text(), '1234');
    assert.equal(idle.detached ?? writer.detached, undefined, 'no output waits for the others');
    await writer.write('', { closeStdin: true });
    await Promise.all([writer.reply, idle.reply]);
    allGood(t, writer, observer, idle);
  }),
);

t.test('command that may pause waits for its writer when only observers acknowledge', async (t) => {
  const server = await startServer(t);
  const [one, two] = [await connect(server), await connect(server)];
  const key = newKey();
  const detachable = { key, replayBytes: 65_536, whenFull: 'pause' };
  const total = 3_000_000;
  const command = ['sh', '-c', `head -c ${total} /dev/zero`];
  const view = View.start(one, { command, detachable, window: { bytes: 16_384 } });
  await view.until('the window is full', () => view.next.stdout === 16_384);
  const has = 10_000;
  view.acknowledge(has);
  await view.until('more came', () => view.next.stdout === has + 16_384);
  one.terminate();
  await until('the command is detached', async () => (await listed(two, key))?.state === 'detached');
  const observer = View.attach(two, key, { role: 'observer' });
  let stoodStillAt = -1;
  await until('the command has stopped', async () => {
    const { next } = (await listed(two, key)).stdout;
    const isStill = next === stoodStillAt;
    stoodStillAt = next;
    return isStill;
  });
  observer.acknowledge(stoodStillAt);
  t.ok(stoodStillAt < 300_000, `${stoodStillAt} of ${total} bytes were read`);
  const back = View.attach(two, key, { from: { stdout: has }, window: { bytes: 16_384 } });
  back.onEvent = () => back.acknowledge(back.next.stdout ?? 0);
  t.equal((await back.reply).result.exitCode, 0);
  t.equal(back.next.stdout, total);
  t.same(back.gaps, []);
  await observer.reply;
  allGood(t, view, back, observer);
});

t.test(
  'only commands that pause reserve room, and a reservation forgets ended commands before it is refused',
  async (t) => {
    const server = await startServer(t, { flags: ['--replay-budget', '256k'] });
    const client = await connect(server);
    const waiting = { replayBytes: 65_536, whenFull: 'pause' };
    const keys = [newKey(), newKey(), newKey()];
    const [first, second] = [start(client, { key: keys[0], ...waiting }), start(client, { key: keys[1], ...waiting })];
    await Promise.all([first.begun(), second.begun()]);
    const dropping = await start(client, { key: newKey(), replayBytes: 1_000_000 }).begun();
    const third = start(client, { key: keys[2], ...waiting });
    const { error } = await third.reply;
    t.match(error, { code: -32001, data: { reason: 'serverOverloaded', bound: 'replayBudget' } });
    await first.write('', { closeStdin: true });
    await first.reply;
    await start(client, { key: keys[2], ...waiting }).begun();
    t.equal(
      await refusal(View.attach(client, keys[0] ?? '').reply),
      '-32600 keyNotFound',
      'the oldest ended one made room',
    );
    allGood(t, first, second, dropping);
    await endAll(client);
  },
);

t.test('key of one principal is unknown to others', async (t) => {
  const secret = 'a secret of 32 bytes or more, as HS256 wants it';
  const folder = mkdtempSync(join(tmpdir(), 'execwire-principals-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'secret'), secret);
  const auth = ['--ws-auth', 'signed-bearer-token', '--ws-shared-secret-file', join(folder, 'secret')];
  const server = await startServer(t, { flags: auth });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const as = (claims: object): Promise<WireClient> =>
    server.session(EXPERIMENTAL, { token: signedToken({ exp, ...claims }, secret) });
  const key = newKey();
  const [mine, alsoMine, other, noSubject] = [
    await as({ sub: 'me' }),
    await as({ sub: 'me', jti: 'x' }),
    await as({ sub: 'you' }),
    await as({}),
  ];
  const view = await start(mine, { key }).begun();
  t.equal(await refusal(View.attach(other, key).reply), '-32600 keyNotFound');
  t.equal(await refusal(View.attach(noSubject, key).reply), '-32600 keyNotFound');
  t.equal(await refusal(other.request('command/exec/forget', { key })), '-32600 keyNotFound');
  t.same(await list(other, { scope: 'principal' }), []);
  const theirs = await start(other, { key }).begun();
  t.equal(theirs.attached.resumed, false, 'the same key names another command');
  t.not(theirs.attached.pid, view.attached.pid);
  const observer = await View.attach(alsoMine, key, { role: 'observer' }).begun();
  t.equal(observer.attached.pid, view.attached.pid, 'another token of the same subject is the same principal');
  allGood(t, view, theirs, observer);
  await endAll(mine);
  await endAll(other);
});

t.test('list says what a connection and a principal have, with details when they are wanted', async (t) => {
  const server = await startServer(t);
  const [one, two] = [await connect(server), await connect(server)];
  const key = newKey();
  const detachable = await start(one, { key }).begun();
  const ordinary = one.exec(CAT, {
    processId: 'plain',
    streamStdin: true,
    streamStdoutStderr: true,
    disableTimeout: true,
  });
  await detachable.write('12345');
  await detachable.said('12345');
  const own = await list(one);
  t.match(own, [
    {
      processId: detachable.processId,
      key,
      role: 'writer',
      attachments: 1,
      state: 'running',
      stdout: { oldest: 0, next: 5 },
    },
    { processId: 'plain', key: null, role: null, attachments: 1, expiresAtMs: null },
  ]);
  t.notOk('command' in own[0]);
  t.same(await list(two), []);
  const all = await list(two, { scope: 'principal', details: true });
  t.match(new Set(all.map((row: { key: string | null }) => row.key)), new Set([key, null]));
  for (const row of all)
    t.same([row.processId, row.role], [null, null], 'processIds of other connections are not shown');
  const row = all.find((each: { key: string | null }) => each.key === key);
  t.match(row, { command: CAT, cwd: process.cwd(), bytesIn: 5, bytesOut: 5, dialect: 'command/exec', metadata: null });
  t.ok(row.rssBytes > 0 && row.cpuMs >= 0);
  await one.request('command/exec/terminate', { processId: 'plain' });
  await ordinary;
  allGood(t, detachable);
  await endAll(one);
});

t.test('drain counts detachable commands as work, attached or not, and serves clients that come back', async (t) => {
  const server = await startServer(t, { flags: ['--drain-timeout', '10m'] });
  const [busy, idle] = [await connect(server), await connect(server)];
  const [attached, left] = [newKey(), newKey()];
  const view = await start(busy, { key: attached }).begun();
  await (await start(busy, { key: left }).begun()).ask('detach');
  server.signal('SIGTERM');
  t.equal(await idle.closed, 1001, 'a connection without a view is idle');
  await busy.notified('server/draining');
  const known = await View.start(busy, { command: CAT, detachable: { key: left } }).begun();
  t.equal(known.attached.resumed, true, 'a known key attaches');
  t.equal(await refusal(start(busy, { key: newKey() }).reply), '-32004 serverDraining');
  await known.write('still served');
  await known.said('still served');
  await known.write('', { closeStdin: true });
  t.equal((await known.reply).result.exitCode, 0);
  await view.write('goes on');
  await view.said('goes on');
  await view.write('', { closeStdin: true });
  t.equal((await view.reply).result.exitCode, 0);
  t.equal(await busy.closed, 1001, 'after its last command');
  t.same(await server.exited, { code: 0, signal: null });
  allGood(t, view, known);
});

t.test('drain ends detachable commands at its deadline, attached or not', async (t) => {
  const server = await startServer(t, { flags: ['--drain-timeout', '1ms', '--kill-grace', '10m'] });
  const client = await connect(server);
  const view = await start(client, { key: newKey() }).begun();
  const left = await start(client, { key: newKey() }).begun();
  await left.ask('detach');
  server.signal('SIGTERM');
  t.equal((await view.reply).result.signal, 'SIGTERM');
  t.equal(await client.closed, 1012);
  t.same(await server.exited, { code: 0, signal: null });
  t.notOk(isAlive(left.attached.pid));
  allGood(t, view, left);
});
