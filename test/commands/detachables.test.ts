// Shows commands that outlive their viewers over a fake operating system: keys, takeover, time. Starts no process. Long because each rule has its races.
import t from 'tap';
import type { Attachment, AttachmentPort } from '../../src/commands/attachment.js';
import type { AttachOptions, DetachableCommand } from '../../src/commands/detachable.js';
import { affinityOf, Detachables } from '../../src/commands/detachables.js';
import { CommandTable } from '../../src/commands/table.js';
import { SpawnError } from '../../src/process/os-process.js';
import { FakeSystem, settled } from '../support/fake-process.js';

const KEY = 'affinity.0123456789';

interface Setup {
  readonly system: FakeSystem;
  readonly table: CommandTable;
  readonly detachables: Detachables;
  readonly expired: string[];
  readonly killed: string[];
}

function setUp({ startsAtOnce = true, maxEnded = 1000 } = {}): Setup {
  const system = new FakeSystem({ startsAtOnce });
  const expired: string[] = [];
  const killed: string[] = [];
  const table = new CommandTable({
    system,
    killTrees: async (pids, prefix) => killed.push(`${pids.join()} ${prefix}`),
    serverMarker: 'm',
    maxProcesses: 10,
    maxStdinBytes: 1024,
    shortage: () => undefined,
  });
  const detachables = new Detachables({
    table,
    clock: system.clock,
    replayBudgetBytes: 64 * 1024,
    stallTimeoutMs: 500,
    maxEnded,
    keepsScreens: false,
    makeTerminal: () => Promise.reject(new Error('no terminal here')),
    onExpired: ({ key }) => expired.push(key),
  });
  return { system, table, detachables, expired, killed };
}

function start(
  { detachables }: Setup,
  more: {
    ttlMs?: number;
    replayBytes?: number;
    waits?: boolean;
    key?: string;
    principal?: string;
    hasTty?: boolean;
  } = {},
): DetachableCommand {
  return detachables.start({
    key: more.key ?? KEY,
    principal: more.principal ?? 'me',
    identity: 'a',
    ttlMs: more.ttlMs ?? 1000,
    replayBytes: more.replayBytes ?? 1000,
    waitsForWriter: more.waits ?? false,
    tty: more.hasTty === true ? { rows: 24, cols: 80 } : undefined,
    capBytes: Number.POSITIVE_INFINITY,
    start: {
      prepare: () => ({ argv: ['a'], cwd: '/', env: {}, stdin: true }),
      timeoutMs: undefined,
      readsInput: true,
      observation: undefined,
    },
  });
}

interface View {
  readonly attachment: Attachment;
  readonly said: string[];
  /** `exit N`, or the reason of the refusal. */
  outcome: string | undefined;
}

function attach(command: DetachableCommand, options: Partial<AttachOptions> = {}): View {
  const said: string[] = [];
  const output = {
    isFull: false,
    takenOffset: 0,
    send: (bytes: Buffer, offset: number) => said.push(`${offset}:${bytes.toString()}`),
    gap: (from: number, to: number) => said.push(`gap ${from}-${to}`),
    whenWritable: () => {},
    forget: () => {},
  };
  const port: AttachmentPort = {
    outputs: { stdout: output, stderr: output },
    attached: ({ role, isResumed }) => said.push(`attached ${role}${isResumed ? ' again' : ''}`),
    screen: () => said.push('screen'),
    detached: (why) => said.push(`detached ${why}`),
  };
  const attachment = command.attach({
    port,
    role: 'writer',
    isResumed: true,
    from: {},
    windowBytes: Number.POSITIVE_INFINITY,
    wantsScreen: false,
    size: undefined,
    takesOver: false,
    ...options,
  });
  const view: View = { attachment, said, outcome: undefined };
  attachment.done.then(
    ({ exitCode }) => {
      view.outcome = `exit ${exitCode}`;
    },
    (error: { reason?: string; errno?: string }) => {
      view.outcome = error.reason ?? error.errno ?? 'unknown';
    },
  );
  command.begin(attachment);
  return view;
}

t.test('affinity of a key is the part before its first dot, or the whole key', (t) => {
  t.same(['a.b.c', 'abc', '.a'].map(affinityOf), ['a', 'abc', '']);
  t.end();
});

t.test('detachable command lives on when its viewer leaves, and the next viewer gets the missed output', async (t) => {
  const setup = setUp();
  const command = start(setup);
  const first = attach(command, { isResumed: false });
  await settled();
  setup.system.process.say('one');
  first.attachment.leave('left');
  setup.system.process.say('two');
  t.equal(setup.detachables.detachedCount, 1);
  const second = attach(command, { from: { stdout: 3 } });
  setup.system.process.say('three');
  setup.system.process.exit(5);
  setup.system.process.endOutput();
  await settled();
  t.same(first.said, ['attached writer', '0:one', 'detached left']);
  t.equal(first.outcome, 'detached');
  t.same(second.said, ['attached writer again', '3:two', '6:three']);
  t.equal(second.outcome, 'exit 5');
  const late = attach(command, { role: 'observer' });
  await settled();
  t.same(late.said, ['attached observer again', '0:onetwothree'], 'the replay comes after the end, too');
  t.equal(late.outcome, 'exit 5');
  t.equal(setup.table.running, 0);
});

t.test('detachable command is killed and forgotten when no viewer comes back in time, and only then', async (t) => {
  const setup = setUp();
  const command = start(setup, { ttlMs: 1000 });
  const first = attach(command);
  await settled();
  setup.system.clock.advance(10_000);
  first.attachment.leave('left');
  t.equal(command.leftMs, 1000);
  setup.system.clock.advance(999);
  const observer = attach(command, { role: 'observer' });
  setup.system.clock.advance(10_000);
  t.ok(setup.detachables.find('me', KEY), 'an observer counts, too');
  observer.attachment.leave('left');
  setup.system.clock.advance(1000);
  t.equal(setup.detachables.find('me', KEY), undefined);
  t.same(setup.expired, [KEY]);
  t.same(setup.killed, ['101 m.1.']);
  setup.system.process.exit('SIGKILL');
  setup.system.process.endOutput();
  await settled();
  t.equal(setup.detachables.budget.usedBytes, 0);
  t.equal(setup.system.clock.pending, 0);
});

t.test('result of a detachable command is kept for its ttl from the end on, even if viewers come', async (t) => {
  const setup = setUp();
  const command = start(setup, { ttlMs: 1000 });
  attach(command);
  await settled();
  setup.system.process.say('out');
  setup.system.process.exit(0);
  setup.system.process.endOutput();
  await settled();
  setup.system.clock.advance(900);
  const late = attach(command);
  await settled();
  t.equal(late.outcome, 'exit 0');
  setup.system.clock.advance(100);
  t.equal(setup.detachables.find('me', KEY), undefined, 'coming back does not extend it');
  t.same(setup.expired, [], 'no running command was ended');
  t.equal(setup.detachables.budget.usedBytes, 0);
});

t.test('detachable command is killed when its last viewer leaves and its ttl is 0', async (t) => {
  const setup = setUp();
  const command = start(setup, { ttlMs: 0 });
  attach(command);
  await settled();
  const { attachment } = attach(command, { takesOver: true });
  t.ok(setup.detachables.find('me', KEY), 'there was a viewer at every moment');
  attachment.leave('left');
  t.equal(setup.detachables.find('me', KEY), undefined);
  t.equal(setup.killed.length, 1);
});

t.test('writer is replaced only by a viewer that takes over', async (t) => {
  const setup = setUp();
  const command = start(setup);
  const first = attach(command);
  await settled();
  t.throws(() => attach(command), { reason: 'writerPresent' } as object as Error);
  const second = attach(command, { takesOver: true });
  await settled();
  t.equal(first.outcome, 'detached');
  t.same(first.said, ['attached writer again', 'detached takeover']);
  t.equal(command.writer, second.attachment);
  t.throws(() => attach(command, { role: 'observer', from: { stdout: 1 } }), {
    reason: 'offsetAhead',
  } as object as Error);
});

t.test('failed start leaves the key free and tells all viewers', async (t) => {
  const setup = setUp({ startsAtOnce: false });
  const command = start(setup);
  const first = attach(command);
  const second = attach(command, { role: 'observer' });
  t.same(first.said, [], 'nothing before the process has started');
  await setup.system.failStart(new SpawnError('no such program', 'ENOENT'));
  await settled();
  t.same([first.outcome, second.outcome], ['ENOENT', 'ENOENT']);
  t.equal(setup.detachables.find('me', KEY), undefined);
  t.same(setup.expired, []);
});

t.test('lost beginning is announced as a gap when a viewer asks for it', async (t) => {
  const setup = setUp();
  const command = start(setup, { replayBytes: 0 });
  await settled();
  setup.system.process.say('lost');
  const view = attach(command, { from: { stdout: 0 } });
  setup.system.process.say('seen');
  t.same(view.said, ['attached writer again', 'gap 0-4', '4:seen']);
});

t.test('viewer with a window is ended when it acknowledges nothing while output waits', async (t) => {
  const setup = setUp();
  const command = start(setup);
  const view = attach(command, { role: 'observer', windowBytes: 4 });
  await settled();
  setup.system.process.say('123456');
  t.same(view.said.slice(1), ['0:1234']);
  setup.system.clock.advance(499);
  view.attachment.acknowledge('stdout', 4);
  t.same(view.said.slice(2), ['4:56']);
  setup.system.process.say('789');
  setup.system.clock.advance(500);
  await settled();
  t.equal(view.outcome, 'detached');
  t.equal(view.said.at(-1), 'detached fellBehind');
});

t.test('reservation is refused for lack of room only when no ended command can be forgotten', async (t) => {
  const setup = setUp();
  const waiting = { waits: true, replayBytes: 16 * 1024 };
  start(setup, { ...waiting, key: 'first.0123456789ab' });
  start(setup, { ...waiting, key: 'second.0123456789a' });
  await settled();
  t.throws(() => start(setup, { ...waiting, key: 'third.0123456789ab' }), { reason: 'noRoom' } as object as Error);
  setup.system.processes[0]?.exit(0);
  setup.system.processes[0]?.endOutput();
  await settled();
  start(setup, { ...waiting, key: 'third.0123456789ab' });
  t.equal(setup.detachables.find('me', 'first.0123456789ab'), undefined);
  t.equal(setup.detachables.of('me').length, 2);
});

t.test('writer with a window is ended when it acknowledges nothing while its command waits', async (t) => {
  const setup = setUp();
  const command = start(setup, { waits: true, replayBytes: 8 });
  const view = attach(command, { windowBytes: 8 });
  await settled();
  setup.system.process.say('12345678');
  t.equal(setup.system.process.calls.at(-1), 'pause stdout', 'as much as may be kept is sent and not acknowledged');
  setup.system.clock.advance(500);
  await settled();
  t.equal(view.said.at(-1), 'detached fellBehind');
  t.equal(view.outcome, 'detached');
});

t.test('acknowledged output makes room when the command waits for its writer', async (t) => {
  const setup = setUp();
  const command = start(setup, { waits: true, replayBytes: 8 });
  await settled();
  setup.system.process.say('12345678');
  t.equal(setup.system.process.calls.at(-1), 'pause stdout');
  attach(command, { from: { stdout: 8 } }).attachment.leave('left');
  t.equal(setup.system.process.calls.at(-1), 'resume stdout', 'there is room for new output');
  setup.system.process.say('9');
  t.notMatch(setup.system.process.calls.at(-1), 'pause');
});

t.test('viewer with a window is ended when it repeats old acknowledgements while output waits', async (t) => {
  const setup = setUp();
  const command = start(setup);
  const view = attach(command, { role: 'observer', windowBytes: 4 });
  await settled();
  setup.system.process.say('123456789');
  view.attachment.acknowledge('stdout', 4);
  t.same(view.said.slice(1), ['0:1234', '4:5678']);
  setup.system.clock.advance(499);
  for (const offset of [0, 3, 4]) view.attachment.acknowledge('stdout', offset);
  view.attachment.acknowledge('stderr', 100);
  setup.system.clock.advance(1);
  t.equal(view.said.at(-1), 'detached fellBehind');
  view.attachment.acknowledge('stdout', 8);
  await settled();
  t.equal(view.outcome, 'detached');
});

t.test('forgotten command gives back all its shares of the budget when it had pipes or a terminal', async (t) => {
  const setup = setUp();
  const taken = t.capture(setup.detachables.budget, 'add', setup.detachables.budget.add.bind(setup.detachables.budget));
  const given = t.capture(
    setup.detachables.budget,
    'remove',
    setup.detachables.budget.remove.bind(setup.detachables.budget),
  );
  for (const [at, hasTty] of [true, false].entries()) {
    const command = start(setup, { hasTty });
    await settled();
    setup.system.processes[at]?.exit(0);
    setup.system.processes[at]?.endOutput();
    await settled();
    t.ok(command.end);
    setup.detachables.forget('me', KEY);
  }
  const shares = (calls: { args: unknown[] }[]): Set<unknown> => new Set(calls.map(({ args }) => args[0]));
  t.same(shares(given()).size, shares(taken()).size);
});

t.test('ended commands are forgotten, the oldest first, when a principal has more than are kept', async (t) => {
  const setup = setUp({ maxEnded: 2 });
  const principals = ['me', 'you', 'me', 'me'];
  for (const [at, principal] of principals.entries()) {
    start(setup, { principal, key: `key-${at}.0123456789` });
    await settled();
    setup.system.processes[at]?.exit(0);
    setup.system.processes[at]?.endOutput();
    await settled();
  }
  const kept = (principal: string): string[] => setup.detachables.of(principal).map(({ key }) => key.slice(0, 5));
  t.same([kept('me'), kept('you')], [['key-2', 'key-3'], ['key-1']]);
  t.same(setup.expired, [], 'no running command was ended');
});
