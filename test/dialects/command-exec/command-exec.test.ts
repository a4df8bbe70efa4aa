// Shows `command/exec` over a fake operating system: ids, bounds, ends, reports. Starts no process. Long because all tests share one fake.
import t from 'tap';
import { Detachables } from '../../../src/commands/detachables.js';
import { CaptureBudget } from '../../../src/commands/output/capture-budget.js';
import {
  type CommandObservation,
  type CommandReport,
  CommandTable,
  type CommandTableOptions,
} from '../../../src/commands/table.js';
import { CommandExec } from '../../../src/dialects/command-exec/command-exec.js';
import type { CommandExecOptions } from '../../../src/dialects/command-exec/command-exec-options.js';
import { decideExecRequest, type ExecRequest } from '../../../src/dialects/command-exec/exec-request.js';
import { asRpcError } from '../../../src/dialects/command-exec/refusals.js';
import { SpawnError } from '../../../src/process/os-process.js';
import type { MethodParams } from '../../../src/protocol/methods.js';
import type { Call } from '../../../src/rpc/connection.js';
import { FakeSystem, settled } from '../../support/fake-process.js';
import { openSession } from '../../support/test-connection.js';

type ExecParams = MethodParams<'command/exec'>;

const CALL: Call = {
  request: { kind: 'request', id: 1, method: 'command/exec', params: {}, trace: undefined, jsonrpc: true },
  observation: undefined,
};

interface Setup {
  readonly system: FakeSystem;
  readonly table: CommandTable;
  readonly exec: CommandExec;
  /** Pids and marker prefix of each owner's commands that were to be killed. */
  readonly killed: [number[], string][];
  readonly markers: string[];
}

function setUp(
  options: Partial<CommandTableOptions> & Partial<CommandExecOptions> & { startsAtOnce?: boolean } = {},
): Setup {
  const system = new FakeSystem(options);
  const killed: [number[], string][] = [];
  const markers: string[] = [];
  const table = new CommandTable({
    system,
    killTrees: async (pids, prefix) => killed.push([[...pids], prefix]),
    serverMarker: 'server',
    maxProcesses: 100,
    maxStdinBytes: 1024,
    shortage: () => undefined,
    ...options,
  });
  const detachables = new Detachables({
    table,
    clock: system.clock,
    replayBudgetBytes: 1024 * 1024,
    stallTimeoutMs: 0,
    keepsScreens: false,
    makeTerminal: () => Promise.reject(new Error('no terminal here')),
    onExpired: () => {},
  });
  const exec = new CommandExec({
    table,
    detachables,
    captures: new CaptureBudget(1024 * 1024),
    prepare: (request, { marker, traceEnv }) => {
      markers.push(marker);
      return {
        argv: request.argv,
        cwd: '/',
        env: Object.fromEntries(Object.entries(traceEnv).map(([name, value]) => [name, value ?? ''])),
        stdin: request.streamStdin,
      };
    },
    cwdOf: () => '/',
    maxProcessesPerConnection: 100,
    maxBufferedBytes: 1024,
    isDraining: () => false,
    events: { attached: () => {}, detached: () => {}, gap: () => {} },
    ...options,
  });
  return { system, table, exec, killed, markers };
}

function request(processId?: string, more: Partial<ExecParams> = {}): ExecRequest {
  const ceilings = { maxDetachedMs: 1000, maxReplayBytes: 1000 };
  return decideExecRequest({ command: ['a'], ...(processId === undefined ? {} : { processId }), ...more }, ceilings);
}

/** Runs a command; a refusal is returned, not thrown. */
async function run(
  { exec }: Setup,
  session: ReturnType<typeof openSession>['session'],
  what: ExecRequest,
): Promise<{ exitCode: number } | { code: number; reason: string; data: unknown }> {
  try {
    return (await exec.run(what, session, CALL)).end;
  } catch (error) {
    return asRpcError(error) as { code: number; reason: string; data: unknown };
  }
}

t.test('command exec refuses a process id when this session runs one, and frees it with the end', async (t) => {
  const setup = setUp();
  const { session } = openSession();
  const other = openSession().session;
  for (const id of ['p', '__proto__', 'constructor', '']) {
    const first = run(setup, session, request(id));
    t.match(await run(setup, session, request(id)), { code: -32600, reason: 'duplicateProcessId' }, JSON.stringify(id));
    void run(setup, other, request(id));
    await settled();
    t.equal(setup.exec.find(session, id)?.request.processId, id);
    const process = setup.system.processes.at(-2);
    process?.exit(0);
    process?.endOutput();
    t.match(await first, { exitCode: 0 });
    t.equal(setup.exec.find(session, id), undefined);
    t.ok(setup.exec.find(other, id), 'another session’s command of that name lives on');
    void run(setup, session, request(id));
    await settled();
    t.ok(setup.exec.find(session, id), 'the id is free again');
  }
  t.equal(setup.exec.find(openSession().session, 'p'), undefined);
});

t.test('command exec finds a command at once, while it is still being started', (t) => {
  const setup = setUp({ startsAtOnce: false });
  const { session } = openSession();
  void run(setup, session, request('p'));
  t.equal(setup.exec.find(session, 'p')?.running.command.state, 'starting');
  t.equal(setup.exec.of(session).length, 1);
  t.end();
});

t.test(
  'command exec refuses a command with a reply of output when all replies together have no room, and no other',
  async (t) => {
    const captures = new CaptureBudget(128 * 1024);
    const setup = setUp({ captures });
    const { session } = openSession();
    captures.take(65 * 1024);
    t.match(await run(setup, session, request()), { code: -32001, data: { bound: 'maxBufferedTotalBytes' } });
    t.equal(setup.system.specs.length, 0, 'nothing was started');
    void run(setup, session, request('stream', { streamStdoutStderr: true }));
    t.equal(setup.system.specs.length, 1, 'a streamed command keeps nothing for its reply');
    captures.give(65 * 1024);
    void run(setup, session, request());
    t.equal(setup.system.specs.length, 2, 'there is room again');
  },
);

t.test('command exec refuses with -32001 and starts nothing when a bound is reached', async (t) => {
  let shortage: string | undefined;
  const setup = setUp({ maxProcesses: 3, maxProcessesPerConnection: 2, shortage: () => shortage });
  const { session } = openSession();
  const other = openSession().session;
  const overloaded = (bound: string): object => ({
    code: -32001,
    message: 'Server overloaded; retry later.',
    data: { bound },
  });
  const first = run(setup, session, request());
  void run(setup, session, request());
  t.match(await run(setup, session, request()), overloaded('maxProcessesPerConnection'));
  t.notOk(setup.table.isFull);
  void run(setup, other, request());
  t.ok(setup.table.isFull);
  t.match(await run(setup, other, request('x')), overloaded('maxProcesses'));
  t.equal(setup.exec.find(other, 'x'), undefined);
  await settled();
  setup.system.processes[0]?.exit(0);
  setup.system.processes[0]?.endOutput();
  await first;
  shortage = 'descriptors';
  t.match(await run(setup, other, request()), overloaded('descriptors'));
  t.equal(setup.system.specs.length, 3);
  t.equal(setup.table.running, 2);
});

t.test('command exec turns errors of the operating system into spawnFailed and leaves others alone', async (t) => {
  const setup = setUp({ startsAtOnce: false });
  const { session } = openSession();
  const failing = run(setup, session, request('p'));
  await setup.system.failStart(new SpawnError('no program "a"', 'ENOENT'));
  t.match(await failing, {
    code: -32603,
    message: 'failed to spawn command: no program "a"',
    data: { reason: 'spawnFailed', errno: 'ENOENT' },
  });
  t.equal(setup.table.running, 0);
  const other = run(setup, session, request('p'));
  const bug = new Error('a bug');
  await setup.system.failStart(bug);
  t.equal(await other, bug);

  const unprepared = setUp({
    prepare: () => {
      throw new SpawnError('a NUL in the name', 'EINVAL');
    },
  });
  t.match(await run(unprepared, session, request('p')), { code: -32603, data: { errno: 'EINVAL' } });
  t.equal(unprepared.table.running, 0, 'the command is forgotten');
  t.same(unprepared.exec.of(session), []);
});

t.test('command exec ends the commands of a session, and no others, when it closes', async (t) => {
  const setup = setUp();
  const { session } = openSession();
  const other = openSession().session;
  const ended = run(setup, session, request('p'));
  void run(setup, other, request('p'));
  void run(setup, session, request());
  await settled();
  setup.exec.closeSession(session);
  setup.exec.closeSession(session);
  t.same(setup.killed, [[[101, 103], 'server.1.']], 'killed once, by the pids and markers of the session');
  t.same(
    setup.markers.map((marker) => marker.startsWith('server.1.')),
    [true, false, true],
  );
  t.equal(new Set(setup.markers).size, 3);
  setup.system.processes[0]?.exit('SIGKILL');
  setup.system.clock.advance(0);
  t.match(await ended, { exitCode: 137 }, 'the end does not wait for output that another process holds');
  t.equal(setup.exec.of(other).length, 1);
});

t.test('command exec kills a command of a session that closed while it was being started', async (t) => {
  const setup = setUp({ startsAtOnce: false });
  const { session } = openSession();
  void run(setup, session, request('p'));
  setup.exec.closeSession(session);
  t.same(setup.killed, [[[], 'server.1.']]);
  await setup.system.finishStart();
  t.same(setup.system.signals, ['tree 101 SIGKILL']);
});

t.test('command exec kills the commands of every session when all commands are to end', async (t) => {
  const setup = setUp();
  for (const at of [0, 1]) void run(setup, openSession().session, request(`p${at}`));
  await settled();
  setup.table.killAll();
  t.same(
    setup.killed.map(([pids]) => pids),
    [[101], [102]],
  );
  t.same([...setup.table.all()].length, 2, 'commands are listed until they have ended');
});

t.test('command exec gives every command its grace and calls back when none runs', async (t) => {
  const setup = setUp();
  const { session } = openSession();
  let idle = 0;
  setup.table.whenIdle(() => idle++);
  t.equal(idle, 1);
  const runs = [run(setup, session, request()), run(setup, openSession().session, request())];
  await settled();
  setup.table.whenIdle(() => idle++);
  setup.table.terminateAll(50);
  t.same(setup.system.signals, ['tree 101 SIGTERM', 'tree 102 SIGTERM']);
  setup.system.clock.advance(50);
  t.equal(setup.system.signals.length, 4);
  for (const process of setup.system.processes) {
    t.equal(idle, 1);
    process.exit('SIGKILL');
    process.endOutput();
    await settled();
  }
  t.equal(idle, 2);
  await Promise.all(runs);
});

t.test('command exec sends output before the reply, capped, and not to sessions that opted out', async (t) => {
  const setup = setUp({ maxBufferedBytes: 4 });
  const { session, transport } = openSession();
  const streamed = run(setup, session, request('p', { streamStdoutStderr: true, outputBytesCap: 3 }));
  await settled();
  setup.system.process.say('abcd');
  setup.system.process.say('x', 'stderr');
  setup.system.process.exit(0);
  setup.system.process.endOutput();
  await streamed;
  t.match(transport.messages, [
    {
      method: 'command/exec/outputDelta',
      params: { processId: 'p', stream: 'stdout', deltaBase64: 'YWJj', capReached: true },
    },
    { params: { stream: 'stderr', deltaBase64: 'eA==', capReached: false } },
  ]);

  const deaf = openSession({ optOut: ['command/exec/outputDelta'] });
  void run(setup, deaf.session, request('p', { streamStdoutStderr: true }));
  await settled();
  setup.system.process.say('abcd');
  t.same(deaf.transport.texts, []);

  const captured = setup.exec.run(request(undefined, { disableOutputCap: true }), session, CALL);
  await settled();
  setup.system.process.say('abcdef');
  setup.system.process.exit(0);
  setup.system.process.endOutput();
  t.match(
    (await captured).named.running.outputs.stdout,
    { truncated: true, receivedBytes: 6 },
    'the server’s own bound stands',
  );
});

t.test('command exec slows one command and no other when a client does not read', async (t) => {
  const setup = setUp();
  const slow = openSession();
  const fast = openSession();
  for (const { session } of [slow, fast]) {
    void run(setup, session, request('p', { streamStdoutStderr: true, disableOutputCap: true }));
  }
  await settled();
  const [stalled, flowing] = setup.system.processes;
  slow.transport.stopReading();
  const chunk = Buffer.alloc(64 * 1024);
  for (let at = 0; at < 40; at += 1) {
    if (stalled?.calls.length === 0) stalled.say(chunk);
    flowing?.say(chunk);
  }
  t.same([stalled?.calls, flowing?.calls], [['pause stdout'], []]);
  slow.transport.readOn();
  t.same(stalled?.calls, ['pause stdout', 'resume stdout']);
});

t.test('command exec reports each command to its observer once', async (t) => {
  const reports: CommandReport[] = [];
  const events: string[] = [];
  const observe = (): CommandObservation => ({
    env: { TRACEPARENT: 'tp' },
    event: (event) => events.push(event),
    ended: (report) => reports.push(report),
  });
  const setup = setUp({ startsAtOnce: false, observe });
  const { session } = openSession();
  const well = run(setup, session, request('p', { streamStdin: true }));
  void setup.exec.find(session, 'p')?.running.input?.write(Buffer.from('abc'));
  await setup.system.finishStart();
  t.match(setup.system.specs[0], { env: { TRACEPARENT: 'tp' } });
  setup.system.process.stdin?.readAll();
  setup.system.process.say('12345');
  setup.system.process.exit(0);
  setup.system.process.endOutput();
  await well;
  const badly = run(setup, session, request('q'));
  await setup.system.failStart(new SpawnError('x', 'EACCES'));
  await badly;
  t.match(reports, [
    { pid: 101, end: { exitCode: 0 }, error: undefined, outputBytes: 5, stdinBytes: 3 },
    { pid: undefined, end: undefined, error: { errno: 'EACCES' } },
  ]);
  t.same(events, ['started', 'exited']);
});
