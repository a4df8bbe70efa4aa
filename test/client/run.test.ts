// Shows what a run reports when it is killed early, when its input is not valid or fails, when nobody awaits it, and when listeners fail. Uses a server in memory and no
// real process. Long because a run can end badly in many ways, and each is seen in its result, its error and its handle.
import t, { type Test } from 'tap';
import { ExecError, type Input, LostError, UnknownOutcomeError } from '../../client/src/node.js';
import { breakingSource } from './breaking-source.js';
import { failureOf, fakeSetup } from './fake-box.js';
import { settled } from './manual-clock.js';

/** Collects the rejections that nothing handles while a test runs. */
function unhandled(t: Test): unknown[] {
  const errors: unknown[] = [];
  const listener = (error: unknown): number => errors.push(error);
  process.on('unhandledRejection', listener);
  t.teardown(() => process.off('unhandledRejection', listener));
  return errors;
}

t.test(
  'result has the cause terminated and the error of the input when the input throws and the program exits with 0',
  async (t) => {
    for (const reject of [true, false]) {
      const { server, connect } = fakeSetup();
      const box = await connect();
      const { input, breakNow } = breakingSource();
      const run = box.exec(['cat'], { input, reject });
      await settled();
      const [command] = server.commands;
      breakNow();
      await settled();
      t.same(command?.signals, ['SIGTERM']);
      command?.write('stdout', 'partial');
      command?.end(0);
      if (reject) {
        const error = await failureOf(run);
        t.ok(error instanceof ExecError);
        t.match(error, {
          cause: { message: 'broken source' },
          inputError: { message: 'broken source' },
          message: 'Command failed: its input failed (broken source): cat',
          result: { cause: 'terminated', exitCode: 0, stdout: 'partial' },
        });
      } else {
        t.match(await run, {
          cause: 'terminated',
          exitCode: 0,
          inputError: { message: 'broken source' },
          stdout: 'partial',
        });
      }
      await box.close();
    }
  },
);

t.test('result has no inputError when the input ends well', async (t) => {
  const { server, connect } = fakeSetup();
  server.onStart = (command) => command.end(0);
  const box = await connect();
  t.notOk('inputError' in (await box.exec(['true'], { input: 'x' })));
  await box.close();
});

t.test('exec throws at the call and sends nothing when its input is not valid', async (t) => {
  const errors = unhandled(t);
  const { server, connect } = fakeSetup();
  const box = await connect();
  const locked = new Blob(['x']).stream();
  locked.getReader();
  const wrong: [input: unknown, message: RegExp][] = [
    [null, /Input has to be text, bytes, a Blob, a stream or an iterable of those, not null/],
    [5, /not 5$/],
    [true, /not true$/],
    [{}, /not \[object Object\]$/],
    [() => 'x', /Input has to be/],
    [locked, /locked/],
  ];
  for (const [input, message] of wrong) {
    t.throws(() => box.exec(['cat'], { input: input as Input }), { name: 'TypeError', message }, String(input));
  }
  await settled();
  t.equal(server.commands.length, 0);
  t.same(errors, []);
  await box.close();
});

t.test('exec throws that an input is none when it is a symbol', async (t) => {
  const { connect } = fakeSetup();
  const box = await connect();
  t.throws(() => box.exec(['cat'], { input: Symbol('s') as never }), {
    name: 'TypeError',
    message: /not Symbol\(s\)$/,
  });
  await box.close();
});

t.test('input arrives whole when it is a Blob, a buffer or a view of numbers', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const numbers = new Uint16Array([0x6261, 0x6463]);
  for (const input of [new Blob(['abcd']), numbers.buffer, numbers, new DataView(numbers.buffer)]) {
    const run = box.exec(['cat'], { input: input as Input });
    await settled();
    await settled();
    const command = server.commands.at(-1);
    t.match(command, { stdin: 'abcd', isStdinClosed: true }, input.constructor.name);
    command?.end(0);
    await run;
  }
  await box.close();
});

t.test('input that fails at once terminates the command with its error as cause', async (t) => {
  const failing: [name: string, input: () => unknown, message: RegExp][] = [
    [
      'iterator',
      () => ({
        [Symbol.iterator]: () => ({
          next: () => {
            throw new Error('at once');
          },
        }),
      }),
      /at once/,
    ],
    [
      'iterable',
      () => ({
        [Symbol.asyncIterator]() {
          throw new Error('at once');
        },
      }),
      /at once/,
    ],
    ['elements', () => [1, 2], /Input has to be/],
    ['stream', () => new ReadableStream({ start: (controller) => controller.error(new Error('at once')) }), /at once/],
  ];
  for (const [name, input, message] of failing) {
    const { server, connect } = fakeSetup();
    server.onStart = (command) => {
      void settled().then(() => command.end(0));
    };
    const box = await connect();
    const error = await failureOf(box.exec(['cat'], { input: input() as Input }));
    t.ok(error instanceof ExecError, name);
    t.match(error, { cause: { message }, result: { cause: 'terminated' } }, name);
    t.match(
      await box.exec(['cat'], { input: input() as Input, reject: false }),
      { cause: 'terminated', inputError: { message } },
      name,
    );
    await box.close();
  }
});

t.test('input stream is cancelled when the command ends while a read of the stream is pending', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  let cancelled = false;
  const input = new ReadableStream({
    cancel() {
      cancelled = true;
    },
  });
  const run = box.exec(['true'], { input });
  await settled();
  server.commands[0]?.end(0);
  await run;
  await settled();
  t.ok(cancelled);
  await box.close();
});

t.test(
  'run sends nothing and has the cause terminated when it gets SIGTERM or SIGKILL in the tick of its start',
  async (t) => {
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      const { server, connect } = fakeSetup();
      const box = await connect();
      const run = box.exec(['sleep', '60'], { reject: false });
      await run.kill(signal);
      t.match(await run, { cause: 'terminated', exitCode: undefined }, signal);
      const failing = box.exec(['sleep', '60']);
      const { started } = failing;
      await failing.kill(signal);
      const error = await failureOf(failing);
      t.ok(error instanceof ExecError);
      t.match(error, { aborted: false, cause: 'terminated', message: 'Command failed: terminated: sleep 60' });
      t.ok((await failureOf(started)) instanceof ExecError);
      t.equal(server.commands.length, 0);
      await box.close();
    }
  },
);

t.test(
  'run sends another signal of the tick of its start once the command runs, and kill names a signal that does not exist',
  async (t) => {
    const { server, connect } = fakeSetup();
    server.onStart = (command) => {
      void settled().then(() => command.end(0));
    };
    const box = await connect();
    for (const signal of ['SIGCONT', 'SIGUSR1', 'SIGHUP']) {
      const run = box.exec(['true']);
      await run.kill(signal);
      t.match(await run, { cause: 'exited', exitCode: 0 }, signal);
      t.same(server.commands.at(-1)?.signals, [signal]);
    }
    const data = { reason: 'invalidSignal', signal: 'SIGBOGUS' };
    server.answers.push({
      method: 'command/exec/signal',
      answer: { code: -32602, message: 'unknown signal "SIGBOGUS"', data },
    });
    const run = box.exec(['true']);
    t.match(await failureOf(run.kill('SIGBOGUS')), { name: 'RpcError', message: /SIGBOGUS/ });
    t.match(await run, { cause: 'exited', exitCode: 0 });
    await box.close();
  },
);

t.test('cause is terminated only when the signal that ended the command is one that this client sent', async (t) => {
  const cases: [sent: string, ended: string | null, exitCode: number, cause: string][] = [
    ['SIGCONT', 'SIGSEGV', 139, 'signal'],
    ['SIGINT', 'SIGINT', 130, 'terminated'],
    ['SIGTERM', 'SIGKILL', 137, 'terminated'],
    ['SIGTERM', null, 0, 'exited'],
  ];
  for (const [sent, signal, exitCode, cause] of cases) {
    const { server, connect } = fakeSetup();
    const box = await connect();
    const run = box.exec(['sleep', '60'], { reject: false });
    await settled();
    await run.kill(sent);
    server.commands[0]?.end(exitCode, { signal });
    t.match(await run, { cause, exitCode }, `${sent}, ended by ${signal}`);
    await box.close();
  }
});

t.test('kill sends whole milliseconds when forceKillAfter is a fraction', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const run = box.exec(['sleep', '60'], { forceKillAfter: 1.5, reject: false });
  await settled();
  await run.kill();
  const sent = server.connection.received.find(({ method }) => method === 'command/exec/terminate');
  t.equal(sent?.params?.graceMs, 2);
  server.commands[0]?.end(143, { signal: 'SIGTERM' });
  await run;
  await box.close();
});

t.test('started rejects with LostError or UnknownOutcomeError when the command does not start', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect({ reconnect: false });
  const lost = box.exec(['cat']);
  const { started } = lost;
  await settled();
  server.answers.push({ method: 'command/exec/list', answer: 'silence' });
  const other = box.exec(['cat']);
  const otherStarted = other.started;
  await settled();
  const ended = failureOf(lost);
  const otherEnded = failureOf(other);
  server.connection.cut();
  t.ok((await ended) instanceof LostError);
  t.ok((await otherEnded) instanceof LostError);
  t.match(await started, { pid: 4242 });
  t.ok((await failureOf(otherStarted)) instanceof LostError);
  await box.close();
  for (const reject of [true, false]) {
    const late = box.exec(['true'], { reject });
    const error = await failureOf(late.started);
    t.ok(error instanceof UnknownOutcomeError);
    t.match(error, { wasSent: false, message: /^The command was not started: .* \(command: true\)$/ });
    await failureOf(late);
  }
  t.ok((await failureOf(box.kill('some.key-of-a-command'))) instanceof UnknownOutcomeError);
});

t.test('requests about a command reject with UnknownOutcomeError when the server does not answer', async (t) => {
  const { server, clock, connect } = fakeSetup();
  const box = await connect({ requestTimeout: 50 });
  const run = box.exec(['cat'], { stdin: 'pipe' });
  await settled();
  for (const [method, call] of [
    ['command/exec/resize', () => run.resize({ cols: 1, rows: 1 })],
    ['command/exec/terminate', () => run.kill()],
  ] as const) {
    server.answers.push({ method, answer: 'silence' });
    const failure = failureOf(call());
    await clock.pass(50);
    t.ok((await failure) instanceof UnknownOutcomeError, method);
  }
  server.commands[0]?.end(0);
  await run;
  await box.close();
});

t.test('commands and the connection go on when listeners and onError throw or reject', async (t) => {
  const errors = unhandled(t);
  const said: unknown[] = [];
  const intercepted = t.intercept(console, 'error', { value: (error: unknown) => said.push(error) });
  const reported: unknown[] = [];
  for (const onError of [
    (error: unknown): void => {
      reported.push(error);
      throw new Error('onError itself');
    },
    async (error: unknown): Promise<void> => {
      reported.push(error);
      throw new Error('onError itself');
    },
  ]) {
    const { server, connect } = fakeSetup();
    const failing = async (): Promise<never> => {
      throw new Error('async listener');
    };
    const throwing = (): never => {
      throw new Error('listener');
    };
    const box = await connect({ onError, onStatus: failing, notifications: { 'server/authExpiring': throwing } });
    box.on('server/authExpiring', failing);
    box.onStatus(throwing);
    server.onStart = (command) => {
      void settled().then(() => {
        server.connection.notify('server/authExpiring', { expiresInMs: 1 });
        command.write('stdout', 'hi');
        command.end(0);
      });
    };
    const run = box.exec(['echo', 'hi']);
    run.onOutput(failing);
    run.onOutput(throwing);
    run.onGap(failing);
    t.equal((await run).stdout, 'hi');
    t.equal(server.connections.length, 1, 'the connection lives');
    await box.close();
    await settled();
  }
  intercepted.restore();
  t.ok(reported.length >= 10, `${reported.length} were reported`);
  t.equal(said.length, reported.length, 'what onError throws goes to console.error');
  t.same(errors, []);
});

t.test('waitFor says why the command ended, and no rejection is unhandled, when nobody awaits the run', async (t) => {
  const errors = unhandled(t);
  const { server, connect } = fakeSetup();
  server.onStart = (command) => {
    command.write('stdout', 'some text');
    command.end(3);
  };
  const box = await connect({ reconnect: false });
  t.match(await failureOf(box.exec(['x']).waitFor('never')), {
    message: 'waitFor never: the command has ended: Command failed: exit code 3: x; the output ends with:\nsome text',
  });
  t.match(await failureOf(box.exec(['x'], { reject: false }).waitFor(/never/)), {
    message: /^waitFor \/never\/: the command has ended: exit code 3; /,
  });
  server.answers.push({ method: 'command/exec', answer: { code: -32603, message: 'failed to spawn command: x' } });
  const refused = await failureOf(box.exec(['x']).waitFor({ idle: 5 }));
  t.match(refused, { message: /^waitFor 5 ms of silence: the command has ended: failed to spawn command: x/ });
  server.onStart = () => {};
  const lost = failureOf(box.exec(['x']).waitFor('never'));
  await settled();
  server.connection.cut();
  t.match(await lost, {
    message: /the command has ended: The command is lost: .* \(command: x\);/,
  });
  await settled();
  t.same(errors, []);
  await box.close();
});

t.test(
  'no rejection is unhandled when the caller has caught that of started, write, end, kill, resize or detach',
  async (t) => {
    const errors = unhandled(t);
    const { server, connect } = fakeSetup();
    const box = await connect();
    const refusal = { code: -32603, message: 'failed to spawn command: x' };
    const asks: [name: string, ask: (run: ReturnType<typeof box.exec>) => Promise<unknown>][] = [
      ['started', (run) => run.started],
      ['write', (run) => run.write('x')],
      ['end', (run) => run.end()],
      ['kill', (run) => run.kill('SIGHUP')],
      ['resize', (run) => run.resize({ rows: 1, cols: 1 })],
      ['detach', (run) => run.detach()],
    ];
    for (const [name, ask] of asks) {
      server.answers.push({ method: 'command/exec', answer: refusal });
      await failureOf(ask(box.exec(['x'], { detachable: true, stdin: 'pipe' })));
      await settled();
      t.same(errors, [], name);
    }
    const left = box.exec(['x']);
    await left.started;
    await box.close();
    await settled();
    t.same(errors, [], 'a run that started before its box was closed');
    const again = await connect();
    server.answers.push({ method: 'command/exec', answer: refusal });
    again.exec(['x']);
    await settled();
    t.match(errors, [{ message: refusal.message }], 'a run at which nobody looked');
    await again.close();
  },
);

t.test('error of a detached command says who detached it, and names the command', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const run = box.exec(['sh', '-c', 'sleep 60'], { detachable: true });
  await run.started;
  await run.detach();
  t.match(await failureOf(run), {
    message: "This client has detached; the command goes on (command: sh -c 'sleep 60')",
  });
  const taken = box.exec(['true', 'x'.repeat(500)], { detachable: true });
  const { key = '' } = await taken.started;
  const other = box.attach(key, { reject: false });
  const error = (await failureOf(taken)) as Error;
  t.match(error.message, /^Another client has taken over; the command goes on \(command: true x{195}…\)$/);
  server.commands.at(-1)?.end(0);
  await other;
  await box.close();
});

t.test('Node warns of no leak when one signal is given to many commands', async (t) => {
  const { server, connect } = fakeSetup();
  const warnings: unknown[] = [];
  const listener = (warning: unknown): number => warnings.push(warning);
  process.on('warning', listener);
  t.teardown(() => process.off('warning', listener));
  const box = await connect();
  const { signal } = new AbortController();
  const runs = Array.from({ length: 12 }, () => box.exec(['true'], { signal }));
  await settled();
  for (const command of server.commands) command.end(0);
  await Promise.all(runs);
  t.same(warnings, []);
  t.doesNotThrow(() => {
    const own = { aborted: false, addEventListener() {}, removeEventListener() {} };
    void box.exec(['true'], { signal: own }).catch(() => {});
  }, 'a signal that is no EventTarget');
  await box.close();
});

t.test('sandboxPolicy is sent with the start of a command, a terminal and a shell', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  const sandboxPolicy = { type: 'workspaceWrite', writableRoots: ['/data'], networkAccess: false } as const;
  const run = box.exec(['true'], { sandboxPolicy });
  const term = box.terminal(['sh'], { sandboxPolicy });
  const line = failureOf(box.shell({ sandboxPolicy }).run('true'));
  await settled();
  t.same(
    server.commands.map(({ params }) => params.sandboxPolicy),
    [sandboxPolicy, sandboxPolicy, sandboxPolicy],
  );
  for (const command of server.commands) command.end(0);
  await Promise.all([run, term.result, line]);
  await box.close();
});
