// Shows how one command ends in each race of exit, output, timeout and a failed start, with a fake process and a fake clock. Starts no process.
import t from 'tap';
import { CommandError } from '../../src/commands/command-error.js';
import { CommandInput } from '../../src/commands/input.js';
import { LINGER_BYTES, LINGER_MS, LONGEST_LINGER_MS } from '../../src/commands/output/flow.js';
import { SpawnError } from '../../src/process/os-process.js';
import { setUp, started } from '../support/command-setup.js';
import { settled } from '../support/fake-process.js';

t.test('command ends with the exit code when it exits before the end of its output', async (t) => {
  const run = await started();
  t.equal(run.command.state, 'running');
  run.system.clock.advance(30);
  run.process.say('out');
  run.process.exit(3);
  t.equal(run.command.state, 'exiting');
  run.process.say('late');
  run.process.endOutput('stdout');
  await settled();
  t.equal(run.end, undefined, 'one output is still open');
  run.process.say('err', 'stderr');
  run.process.endOutput('stderr');
  await settled();
  t.same(run.end, { exitCode: 3, signal: null, timedOut: false, outputCut: false, durationMs: 30 });
  t.same(run.stdout.events, ['out', 'late', 'end']);
  t.equal(run.stderr.bytes().toString(), 'err');
  t.equal(run.command.state, 'closed');
  t.same(run.events, ['started', 'exited']);
  t.same(run.system.signals, ['group 101 SIGKILL'], 'the rest of its group is killed');
  t.same(run.process.calls, ['dispose']);
  t.equal(run.system.clock.pending, 0);
});

t.test('command ends with the exit of its process when output ended long before', async (t) => {
  const run = await started();
  run.process.endOutput();
  run.system.clock.advance(60_000);
  await settled();
  t.equal(run.end, undefined);
  run.process.exit(0);
  await settled();
  t.match(run.end, { exitCode: 0, durationMs: 60_000 });
  t.equal(run.system.clock.pending, 0);
});

t.test('command answers 128+n when a signal ended it', async (t) => {
  for (const [signal, code] of [
    ['SIGKILL', 137],
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGSEGV', 139],
  ] as const) {
    const run = await started();
    run.process.endOutput();
    run.process.exit(signal);
    await settled();
    t.match(run.end, { exitCode: code, signal, timedOut: false });
  }
  const run = await started();
  run.process.endOutput();
  run.process.exit({ exitCode: null, signal: 'SIGRTMIN+2', signalNumber: 36 });
  await settled();
  t.match(run.end, { exitCode: 164, signal: 'SIGRTMIN+2' }, 'also for a signal that has no name in Node');
});

t.test('command fails once when it cannot be started', async (t) => {
  const stdin = new CommandInput(100);
  const run = setUp({ startsAtOnce: false, input: stdin, timeoutMs: 5 });
  const write = t.rejects(Promise.resolve(stdin.write(Buffer.from('x'))), new CommandError('inputClosed', {}));
  await run.system.failStart(new SpawnError('no such program', 'ENOENT'));
  t.match(run.failure, { errno: 'ENOENT' });
  t.equal(run.command.state, 'closed');
  await write;
  run.command.terminate();
  run.command.abandon();
  t.same(run.system.signals, []);
  t.equal(run.system.clock.pending, 0);
});

// Time.

t.test('command is killed and answers 124 with what was captured when its timeout passes', async (t) => {
  const run = await started({ timeoutMs: 500 });
  run.process.say('partial', 'stderr');
  run.system.clock.advance(499);
  t.same(run.system.signals, []);
  run.system.clock.advance(1);
  t.same(run.system.signals, ['tree 101 SIGKILL']);
  run.process.exit('SIGKILL');
  run.process.endOutput();
  await settled();
  t.same(run.end, { exitCode: 124, signal: 'SIGKILL', timedOut: true, outputCut: false, durationMs: 500 });
  t.equal(run.stderr.bytes().toString(), 'partial');
  t.same(run.events, ['started', 'timeout', 'exited']);
});

t.test('command is killed at once when its timeout is 0', async (t) => {
  const run = await started({ timeoutMs: 0 });
  run.system.clock.advance(0);
  t.same(run.system.signals, ['tree 101 SIGKILL']);
});

t.test('command counts its timeout from the start of the process', async (t) => {
  const run = setUp({ startsAtOnce: false, timeoutMs: 500 });
  run.system.clock.advance(10_000);
  await run.system.finishStart();
  t.same(run.system.signals, []);
  run.system.clock.advance(500);
  t.same(run.system.signals, ['tree 101 SIGKILL']);
});

t.test('command keeps its own exit code when the timeout passes while its output drains', async (t) => {
  const run = await started({ timeoutMs: 500 });
  run.stdout.isSlow = true;
  run.process.say('much');
  run.process.exit(0);
  run.system.clock.advance(5000);
  run.process.endOutput();
  await settled();
  t.match(run.end, { exitCode: 0, timedOut: false });
  t.notOk(run.events.includes('timeout'));
});

t.test('command answers 124 when it exits with 0 after its timeout has passed', async (t) => {
  const run = await started({ timeoutMs: 500 });
  run.system.clock.advance(500);
  run.process.exit(0);
  run.process.endOutput();
  await settled();
  t.match(run.end, { exitCode: 124, timedOut: true });
});

// Output that another process holds open.

t.test('command cuts its output 2 s after its exit when another process holds it', async (t) => {
  const run = await started();
  run.process.exit(0);
  run.process.endOutput('stderr');
  run.system.clock.advance(LINGER_MS - 1);
  await settled();
  t.equal(run.end, undefined);
  run.system.clock.advance(1);
  t.same(run.process.calls.slice(0, 1), ['cut stdout'], 'only the open stream');
  await settled();
  t.match(run.end, { exitCode: 0, durationMs: 0 });
  t.equal(run.system.clock.pending, 0);
});

t.test('command does not count the 2 s while a stream is paused for a slow client', async (t) => {
  const run = await started();
  run.process.exit(0);
  run.process.endOutput('stderr');
  run.system.clock.advance(1500);
  run.stdout.isSlow = true;
  run.process.say('a');
  t.same(run.process.calls, ['pause stdout']);
  run.system.clock.advance(7000);
  await settled();
  t.equal(run.end, undefined, 'the time of a slow reader does not count');
  run.stdout.isSlow = false;
  run.command.resumeOutput('stdout');
  t.same(run.process.calls, ['pause stdout', 'resume stdout']);
  run.system.clock.advance(499);
  t.notOk(run.process.calls.includes('cut stdout'));
  run.system.clock.advance(1);
  t.ok(run.process.calls.includes('cut stdout'), 'the rest of the 2 s counts');
  t.equal(run.command.pausedMs, 7000);
});

t.test('command counts the 2 s from the resume on when its output was paused at the exit', async (t) => {
  const run = await started();
  run.stdout.isSlow = true;
  run.process.say('a');
  run.process.say('one more chunk may still come');
  t.same(run.process.calls, ['pause stdout'], 'paused once');
  run.process.exit(0);
  run.system.clock.advance(5000);
  run.command.resumeOutput('stdout');
  run.command.resumeOutput('stdout');
  run.system.clock.advance(LINGER_MS - 1);
  t.notOk(run.process.calls.includes('cut stderr'));
  run.system.clock.advance(1);
  t.ok(run.process.calls.includes('cut stderr'));
});

t.test(
  'command cuts its output 10 s after its exit, and delivers the rest, when its reader is paused again and again',
  async (t) => {
    const run = await started();
    run.process.exit(0);
    run.process.endOutput('stderr');
    for (let atMs = 0; atMs < LONGEST_LINGER_MS; atMs += 100) {
      t.equal(run.command.state, 'exiting', `${atMs} ms after the exit`);
      run.stdout.isSlow = true;
      run.process.say('y');
      run.system.clock.advance(99);
      run.stdout.isSlow = false;
      run.command.resumeOutput('stdout');
      run.system.clock.advance(1);
    }
    await settled();
    t.match(run.end, { exitCode: 0 });
    t.equal(run.process.calls.filter((call) => call === 'cut stdout').length, 1);
    t.equal(run.events.filter((event) => event === 'cut').length, 1);
    t.equal(run.system.clock.pending, 0);
  },
);

t.test('command cuts only the output whose holder wrote more than 1 MiB after the exit', async (t) => {
  const run = await started();
  run.process.say(Buffer.alloc(2 * LINGER_BYTES));
  run.process.exit(0);
  run.process.say(Buffer.alloc(LINGER_BYTES - 1));
  t.notOk(run.process.calls.includes('cut stdout'), 'bytes from before the exit do not count');
  run.process.say('y');
  t.same(run.process.calls, ['cut stdout']);
  run.process.say('the other stream goes on', 'stderr');
  run.process.endOutput('stderr');
  await settled();
  t.match(run.end, { exitCode: 0 });
  t.match(run.stderr.bytes().toString(), /goes on/);
});

t.test('command ends when its output ends while it is paused', async (t) => {
  const run = await started();
  run.stdout.isSlow = true;
  run.process.say('a');
  run.process.endOutput();
  run.process.exit(0);
  await settled();
  t.match(run.end, { exitCode: 0 });
  run.command.resumeOutput('stdout');
  t.equal(run.system.clock.pending, 0);
});
