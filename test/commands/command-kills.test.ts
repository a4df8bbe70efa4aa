// Shows kills, input and size of one command in each race, with a fake process and a fake clock. Starts no process.
import t from 'tap';
import { CommandError } from '../../src/commands/command-error.js';
import { CommandInput } from '../../src/commands/input.js';
import { setUp, started } from '../support/command-setup.js';
import { settled } from '../support/fake-process.js';

t.test('command is killed with its descendants each time it is terminated', async (t) => {
  const run = await started();
  run.command.terminate();
  run.command.terminate();
  t.same(run.system.signals, ['tree 101 SIGKILL', 'tree 101 SIGKILL']);
  run.process.exit('SIGKILL');
  run.process.endOutput();
  await settled();
  t.match(run.end, { exitCode: 137, signal: 'SIGKILL', timedOut: false });
  run.command.terminate();
  run.command.signal('SIGTERM');
  t.equal(run.system.signals.length, 3, 'a closed command is not signalled, because another process may have its pid');
});

t.test('command kills the processes that hold its output when it is terminated after its exit', async (t) => {
  const run = await started();
  run.process.exit(0);
  run.command.terminate();
  t.same(run.system.signals, ['tree 101 SIGKILL']);
  run.process.endOutput();
  await settled();
  t.match(run.end, { exitCode: 0, signal: null });
});

t.test('command gets SIGKILL at once when it is terminated with a signal and no grace', async (t) => {
  const run = await started();
  run.command.terminate({ signal: 'SIGTERM' });
  t.same(run.system.signals, ['tree 101 SIGKILL'], '`signal` comes before SIGKILL only when `graceMs` is given');
});

t.test('command gets its grace between two signals when it is terminated with one', async (t) => {
  const run = await started();
  run.command.terminate({ signal: 'SIGINT', graceMs: 300 });
  run.system.clock.advance(299);
  t.same(run.system.signals, ['tree 101 SIGINT']);
  run.system.clock.advance(1);
  t.same(run.system.signals, ['tree 101 SIGINT', 'tree 101 SIGKILL']);

  const polite = await started();
  polite.command.terminate({ graceMs: 300 });
  polite.process.exit('SIGTERM');
  polite.process.endOutput();
  await settled();
  polite.system.clock.advance(1000);
  t.same(polite.system.signals, ['tree 101 SIGTERM', 'group 101 SIGKILL'], 'no kill after the end');
  polite.command.terminate({ graceMs: 300 });
  t.equal(polite.system.clock.pending, 0, 'a closed command sets no timer');
});

t.test('command is killed at the earliest of its deadlines when it is terminated with several', async (t) => {
  const run = await started();
  run.command.terminate({ graceMs: 100 });
  run.command.terminate({ graceMs: 60_000 });
  run.system.clock.advance(100);
  t.same(
    run.system.signals,
    ['tree 101 SIGTERM', 'tree 101 SIGTERM', 'tree 101 SIGKILL'],
    'a later deadline does not postpone it',
  );

  const hurried = await started();
  hurried.command.terminate({ graceMs: 60_000 });
  hurried.command.terminate({ graceMs: 100 });
  hurried.system.clock.advance(100);
  t.equal(hurried.system.signals.at(-1), 'tree 101 SIGKILL');
  t.equal(hurried.system.clock.pending, 0, 'one timer, the earliest');
});

t.test('command is not timed out when it ended earlier and the timer is reported first', async (t) => {
  const run = await started({ timeoutMs: 2000 });
  run.system.ended.add(101);
  run.system.clock.advance(4000);
  t.same(run.system.signals, []);
  run.process.exit(0);
  run.process.endOutput();
  await settled();
  t.match(run.end, { exitCode: 0, timedOut: false });
});

t.test('command is answered and its descriptors are closed when SIGKILL does not end it', async (t) => {
  for (const [way, expected] of [
    ['terminate', { exitCode: 137, signal: 'SIGKILL', timedOut: false }],
    ['timeout', { exitCode: 124, timedOut: true }],
  ] as const) {
    const run = await started({ timeoutMs: 100 });
    run.system.survivors = [101];
    if (way === 'terminate') run.command.terminate();
    else run.system.clock.advance(100);
    t.equal(run.end, undefined, 'not before SIGKILL is known to have failed');
    await settled();
    t.match(run.end, expected, way);
    t.equal(run.process.calls.at(-1), 'dispose');
    run.process.exit(0);
    await settled();
    t.match(run.end, expected, 'its later end changes nothing');
  }
  const other = await started();
  other.system.survivors = [102];
  other.command.terminate();
  await settled();
  t.equal(other.end, undefined, 'survivors of other commands do not matter');
});

t.test('command kills the rest of its group before it releases its number when it has ended', async (t) => {
  const run = await started();
  let isReleased: boolean | undefined;
  run.system.onGroupSignal = () => {
    isReleased = run.process.calls.includes('dispose');
  };
  run.process.exit(0);
  run.process.endOutput();
  await settled();
  t.equal(isReleased, false);
  t.equal(run.process.calls.at(-1), 'dispose');
});

t.test('command is killed as soon as it has started when that was asked for earlier', async (t) => {
  const run = setUp({ startsAtOnce: false });
  run.command.terminate();
  t.same(run.system.signals, []);
  await run.system.finishStart();
  t.same(run.system.signals, ['tree 101 SIGKILL']);

  const signalled = setUp({ startsAtOnce: false });
  signalled.command.signal('SIGUSR1');
  await signalled.system.finishStart();
  t.same(signalled.system.signals, ['group 101 SIGUSR1']);
});

t.test('command prefers SIGKILL when terminate and signal both come before its start', async (t) => {
  const run = setUp({ startsAtOnce: false });
  run.command.signal('SIGUSR1');
  run.command.terminate();
  await run.system.finishStart();
  t.ok(run.system.signals.includes('tree 101 SIGKILL'), run.system.signals.join());
});

t.test('command is killed as soon as it has started when its client left before', async (t) => {
  const run = setUp({ startsAtOnce: false, timeoutMs: 1000 });
  run.command.abandon();
  await run.system.finishStart();
  t.same(run.system.signals, ['tree 101 SIGKILL']);
  run.system.process.exit('SIGKILL');
  run.system.clock.advance(0);
  await settled();
  t.match(run.end, { exitCode: 137 }, 'the end does not wait for output that another process holds');
  t.equal(run.system.clock.pending, 0);
});

t.test(
  'command drops output, resumes paused streams and does not wait for held output when its client has left',
  async (t) => {
    const run = await started();
    run.stdout.isSlow = true;
    run.process.say('a');
    run.command.abandon();
    t.same(run.process.calls, ['pause stdout', 'resume stdout'], 'a paused stream would block its writer for ever');
    run.process.exit('SIGKILL');
    run.system.clock.advance(0);
    await settled();
    t.match(run.end, { exitCode: 137 });

    const exiting = await started();
    exiting.process.exit(0);
    exiting.command.abandon();
    t.same(exiting.process.calls.slice(0, 2), ['cut stdout', 'cut stderr']);
    await settled();
    t.equal(exiting.command.state, 'closed');
  },
);

// Input and size.

t.test('command refuses waiting writes to stdin when it exits, and later writes too', async (t) => {
  const stdin = new CommandInput(4);
  const run = await started({ input: stdin });
  t.equal(stdin.write(Buffer.from('1234')), undefined);
  const waiting = t.rejects(Promise.resolve(stdin.write(Buffer.from('5'))), new CommandError('inputClosed', {}));
  run.process.exit(0);
  await waiting;
  t.throws(() => stdin.write(Buffer.from('6')), new CommandError('inputClosed', {}));
  t.ok(run.process.stdin?.destroyed, 'its descriptor is free BEFORE the end of output');
});

t.test('command is terminated and timed out as usual when it does not read its stdin', async (t) => {
  const stdin = new CommandInput(4);
  const run = await started({ input: stdin, timeoutMs: 100 });
  t.equal(stdin.write(Buffer.from('1234')), undefined);
  void Promise.resolve(stdin.write(Buffer.from('5'))).catch(() => {});
  run.command.terminate();
  t.same(run.system.signals, ['tree 101 SIGKILL']);
  run.system.clock.advance(100);
  t.equal(run.system.signals.length, 2);
});

t.test('command sets the size at once, or at its start when it has not started', async (t) => {
  const run = setUp({ startsAtOnce: false, tty: true });
  run.command.resize({ rows: 1, cols: 2 });
  run.command.resize({ rows: 3, cols: 4 });
  await run.system.finishStart();
  run.command.resize({ rows: 5, cols: 6 });
  t.same(run.system.process.calls, ['resize 3x4', 'resize 5x6']);
  run.system.process.exit(0);
  run.system.process.endOutput();
  await settled();
  t.match(run.end, { exitCode: 0 }, 'the end waits for one output, because a terminal has no other');
});
