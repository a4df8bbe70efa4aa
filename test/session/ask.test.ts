// Shows that each question of the server to its client ends with an answer of the right shape, or with the reason why there is none. Knows no wire.
import t, { type Test } from 'tap';
import { z } from 'zod';
import { ANONYMOUS } from '../../src/auth/principal.js';
import { serverRequests } from '../../src/protocol/server-requests.js';
import { Asking, NoAnswerError } from '../../src/session/ask.js';
import { Session } from '../../src/session/session.js';
import { settled } from '../support/fake-process.js';
import type { MemoryTransport } from '../support/memory-transport.js';
import { standingTime } from '../support/standing-time.js';
import { openConnection } from '../support/test-connection.js';

const TABLE = {
  'test/approve': {
    params: z.object({ what: z.string() }),
    result: z.object({ yes: z.boolean() }),
    description: 'Asks whether something may be done.',
    timeoutMs: 60_000,
  },
};

function opened(): { asking: Asking<typeof TABLE>; transport: MemoryTransport } {
  let asking: Asking<typeof TABLE> | undefined;
  const { connection, transport } = openConnection({
    onResponse: (answer) => asking?.answered(answer),
    onClose: () => asking?.close(),
  });
  asking = new Asking(connection, TABLE);
  return { asking, transport };
}

/** The outcome of a question: its answer, the reason why there is none, or the client's error. */
async function outcome(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked;
  } catch (error) {
    return error instanceof NoAnswerError ? error.reason : (error as { code: number }).code;
  }
}

const ask = (asking: Asking<typeof TABLE>, signal?: AbortSignal): Promise<unknown> =>
  outcome(asking.ask('test/approve', { what: 'it' }, { signal }));

t.test('asking resolves to each answer under its own id when they come in any order', async (t) => {
  const { asking, transport } = opened();
  const asked = [ask(asking), ask(asking), ask(asking), ask(asking)];
  const ids = transport.messages.map(({ id }) => id);
  t.match(transport.messages[0], { method: 'test/approve', params: { what: 'it' } });
  t.equal(new Set(ids).size, 4);
  transport.say({ id: ids[2], result: { yes: true, more: 1 } });
  transport.say({ id: ids[1], error: { code: -32601, message: 'Method not found' } });
  transport.say({ id: ids[0], result: { yes: 'perhaps' } });
  transport.say({ id: String(ids[3]), result: { yes: true } });
  transport.say({ id: 999, result: { yes: true } });
  transport.say({ id: ids[3], result: { yes: false } });
  transport.say({ id: ids[3], result: { yes: true } });
  t.same(await Promise.all(asked), ['invalid', -32601, { yes: true }, { yes: false }]);
  t.equal(transport.texts.length, 4, 'the server replies to no answer');
});

t.test('asking ends after the timeout of the table, not counting a standstill of the server', async (t) => {
  const time = standingTime(t);
  const { asking, transport } = opened();
  const asked = ask(asking);
  time.pass(59_000);
  time.standStill(120_000);
  transport.say({ id: transport.messages[0]?.id, result: { yes: true } });
  t.same(await asked, { yes: true });
  const late = ask(asking);
  time.pass(63_000);
  t.equal(await late, 'timeout');
  t.equal(time.pending, 0, 'no timer is left');
});

t.test('asking ends when it is cancelled, and leaves no listener', async (t) => {
  const { asking, transport } = opened();
  const command = new AbortController();
  const [first, second] = [ask(asking, command.signal), ask(asking, command.signal)];
  transport.say({ id: transport.messages[0]?.id, result: { yes: true } });
  t.same(await first, { yes: true });
  command.abort();
  t.equal(await second, 'cancelled');
  t.equal(await ask(asking, command.signal), 'cancelled');
  const open = ask(asking);
  transport.leave();
  t.equal(await open, 'closed');
  t.equal(await ask(asking), 'closed');
  t.equal(transport.texts.length, 3, 'a question is not sent when it was cancelled before');
});

t.test('asking is bounded in number and has room again when one is answered', async (t) => {
  const { asking, transport } = opened();
  const asked = Array.from({ length: 32 }, () => ask(asking));
  t.equal(await ask(asking), 'tooMany');
  transport.say({ id: transport.messages[0]?.id, result: { yes: true } });
  await asked[0];
  const another = ask(asking);
  await settled();
  t.equal(transport.texts.length, 33);
  transport.leave();
  t.same(await Promise.all([...asked.slice(1), another]), Array(32).fill('closed'));
});

t.test('session hands answers to its own questions, and ends them with its connection', async (t: Test) => {
  t.same(serverRequests, {}, 'nothing is asked on the wire yet');
  const { connection } = openConnection();
  const session = new Session(connection, ANONYMOUS);
  session.answered({ kind: 'response', id: 1, result: {}, error: undefined });
  t.equal(session.asking, session.asking);
  await t.rejects(session.asking.ask('none' as never, {} as never), TypeError);
  session.close();
});
