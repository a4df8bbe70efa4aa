// Shows that the client gives an error and no exit code when a server sends exit codes or notifications that are not valid. Uses a server in memory.
import t from 'tap';
import { UnknownOutcomeError } from '../../client/src/node.js';
import { failureOf, fakeSetup } from './fake-box.js';
import { settled } from './manual-clock.js';

t.test('exec rejects and gives no exit code when the exit code in the reply is not valid', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  for (const exitCode of [256, -1, 1.5, '0', null, undefined, true, [0]]) {
    for (const detachable of [false, true]) {
      const reply = { exitCode, stdout: '', stderr: '' };
      const shown = `${JSON.stringify(exitCode)}, ${detachable ? 'detachable' : 'ordinary'}`;
      server.answers.push({ method: 'command/exec', answer: { reply } }, { method: 'command/exec', answer: { reply } });
      const error = await failureOf(box.exec(['true'], { detachable }));
      t.ok(error instanceof UnknownOutcomeError, shown);
      t.match(
        error,
        {
          message: `The outcome is unknown: the reply is not valid: exitCode is ${JSON.stringify(exitCode)} (command: true)`,
          result: { exitCode: undefined },
        },
        shown,
      );
      t.match(
        await box.exec(['true'], { detachable, reject: false }),
        { exitCode: undefined, cause: 'unknown' },
        shown,
      );
    }
  }
  await box.close();
});

t.test('attach rejects when the exit code in the reply is not valid', async (t) => {
  const { server, connect } = fakeSetup();
  const box = await connect();
  server.answers.push({ method: 'command/exec/attach', answer: { reply: { exitCode: 999 } } });
  t.match(await failureOf(box.attach('some.key-of-a-command')), {
    message: /reply is not valid: exitCode is 999/,
  });
  await box.close();
});

t.test(
  'client closes the connection and throws nothing into the program when a notification is not valid',
  async (t) => {
    const wrong = [
      { stream: 'stdout', deltaBase64: 5 },
      { stream: 'other', deltaBase64: 'YQ==' },
      { stream: 'stdout', deltaBase64: '%' },
    ];
    for (const params of wrong) {
      const { server, connect } = fakeSetup();
      const box = await connect({ reconnect: false });
      const run = failureOf(box.exec(['cat']));
      await settled();
      const { processId } = server.commands[0]?.params ?? {};
      server.connection.notify('command/exec/outputDelta', { processId, ...params });
      t.match(await run, { name: 'LostError', message: /1002 \(/ }, JSON.stringify(params));
      await box.close();
    }
  },
);
