// Shows that a connection sends one reply for each request, asks its client, and ends in order. Knows no wire, no session and no process. Long because
// every end of a request is a case.
import t from 'tap';
import { rpcError } from '../../src/protocol/errors.js';
import { ResultParts } from '../../src/rpc/connection.js';
import { RequestBudget, TotalRequests } from '../../src/rpc/request-budget.js';
import { settled } from '../support/fake-process.js';
import { standingTime } from '../support/standing-time.js';
import { openConnection } from '../support/test-connection.js';

t.test('connection sends one reply for each request when it ends at once or later, well or badly', async (t) => {
  const { transport, reports } = openConnection({
    serve: ({ request: { method } }) => {
      if (method === 'now') return { now: true };
      if (method === 'later') return settled().then(() => ({ later: true }));
      if (method === 'refuse') throw rpcError('processNotFound', { processId: 'p' });
      if (method === 'refuseLater') return Promise.reject(rpcError('stdinClosed'));
      if (method === 'nothing') return undefined;
      return new ResultParts([Buffer.from('{"par'), Buffer.from('ts":"ü"}')]);
    },
  });
  for (const [at, method] of ['later', 'now', 'refuse', 'refuseLater', 'nothing', 'parts'].entries()) {
    transport.say({ id: at, method });
  }
  await transport.replyTo(0);
  await transport.served();
  t.same(transport.messages.map(({ id }) => id).sort(), [0, 1, 2, 3, 4, 5], 'one reply for each request');
  const replies = new Map(transport.messages.map((message) => [message.id, message]));
  t.same(replies.get(0), { id: 0, result: { later: true } });
  t.same(replies.get(1), { id: 1, result: { now: true } });
  t.match(replies.get(2), { error: { code: -32600, data: { reason: 'processNotFound', processId: 'p' } } });
  t.match(replies.get(3), { error: { message: 'stdin is already closed' } });
  t.same(replies.get(4), { id: 4, result: {} });
  t.same(replies.get(5), { id: 5, result: { parts: 'ü' } });
  t.same(reports.internal, []);
});

t.test('connection puts jsonrpc into a reply exactly when its request has it', async (t) => {
  const { transport, connection } = openConnection({ serve: () => Promise.resolve({}) });
  transport.say('{"jsonrpc":"2.0","id":1,"method":"m"}');
  transport.say('{"id":2,"method":"m"}');
  transport.say('{"jsonrpc":"2.0","id":1.5,"method":"m"}');
  transport.say('{"id":1.5,"method":"m"}');
  transport.say('nonsense');
  t.same(await transport.replyTo(1), { jsonrpc: '2.0', id: 1, result: {} });
  t.same(await transport.replyTo(2), { id: 2, result: {} });
  await transport.served();
  t.same(
    transport.messages.filter(({ id }) => id === null).map(({ jsonrpc }) => jsonrpc),
    ['2.0', undefined, '2.0'],
  );
  connection.notify('n', {});
  connection.mirrorsVersion = true;
  connection.notify('n', {});
  t.same(
    transport.messages.slice(-2).map(({ jsonrpc }) => jsonrpc),
    [undefined, '2.0'],
  );
});

t.test('connection answers no notification and executes no request method sent as one', async (t) => {
  let served = 0;
  const { transport, reports } = openConnection({ serve: () => ++served });
  transport.say({ method: 'initialized' });
  transport.say({ method: 'command/exec', params: { command: ['true'] } });
  await transport.served();
  t.same(reports.notifications, ['initialized', 'command/exec']);
  t.same(transport.texts, []);
  t.equal(served, 0);
});

t.test('connection hides inner text and carries a trace id when a handler throws an unexpected error', async (t) => {
  const secret = new Error('secret path /etc/shadow');
  const ended: unknown[] = [];
  const { transport, reports } = openConnection({
    serve: ({ request }) => {
      if (request.method === 'now') throw secret;
      return Promise.reject(secret);
    },
    observe: (request) => ({
      trace: request.id === 2 ? { traceId: 'trace-of-span', spanId: '', flags: 1, tracestate: undefined } : undefined,
      ended: (error) => ended.push(error?.reason),
    }),
  });
  transport.say({ id: 1, method: 'now' });
  transport.say({ id: 2, method: 'later' });
  const replies = [await transport.replyTo(1), await transport.replyTo(2)] as {
    error: { code: number; message: string; data: { traceId: string; reason: string } };
  }[];
  for (const { error } of replies) {
    t.match(error, { code: -32603, message: 'Internal error', data: { reason: 'internalError' } });
  }
  t.notMatch(transport.texts.join(''), 'secret');
  t.match(replies[0]?.error.data.traceId, /^[0-9a-f]{32}$/);
  t.equal(replies[1]?.error.data.traceId, 'trace-of-span');
  t.same(
    reports.internal.map(({ error, traceId }) => [error, traceId]),
    replies.map(({ error }) => [secret, error.data.traceId]),
    'the log gets the whole error under the same id',
  );
  t.same(ended, ['internalError', 'internalError']);
});

t.test('connection executes no message and sends no reply when it has closed', async (t) => {
  const served: string[] = [];
  let finish: (value: unknown) => void = () => {};
  const { transport, connection, reports } = openConnection({
    serve: ({ request }) => {
      served.push(request.method);
      return new Promise((resolve) => {
        finish = resolve;
      });
    },
  });
  transport.say({ id: 1, method: 'before' });
  connection.close(1001, 'going away');
  connection.close(1011, 'twice');
  transport.say({ id: 2, method: 'after' });
  transport.say({ method: 'notification after' });
  connection.notify('late', {});
  finish({});
  await settled();
  t.same(served, ['before']);
  t.same(reports.notifications, []);
  t.same(transport.texts, [], 'a Close is the last thing sent');
  t.same(transport.calls, ['close 1001 going away']);
  t.equal(connection.inFlight, 0, 'an ended request is no longer in flight');
  t.same(reports.closed, []);
  transport.leave(1001);
  transport.leave(1001);
  t.same(reports.closed, [1001], 'the end is reported once');
});

t.test('connection sends requests of the server and passes on their answers', async (t) => {
  const answers: unknown[] = [];
  const { transport, connection } = openConnection({
    onResponse: ({ id, result, error }) => answers.push([id, result, error?.code]),
  });
  connection.request(1, 'ask', { n: 1 });
  transport.say({ id: 1, result: 42 });
  transport.say({ id: 1, error: { code: 7, message: 'no' } });
  while (answers.length < 2) await settled();
  t.match(transport.messages, [{ id: 1, method: 'ask', params: { n: 1 } }]);
  t.same(answers, [
    [1, 42, undefined],
    [1, undefined, 7],
  ]);
  connection.close(1001, '');
  connection.request(2, 'ask', {});
  t.equal(transport.texts.length, 1, 'no reply to an answer, and no request after a Close');
});

t.test('connection counts requests in flight and calls back when the last one has ended', async (t) => {
  const total = new TotalRequests(3);
  const budget = new RequestBudget(2, total);
  const other = new RequestBudget(2, total);
  const finishers: ((value: unknown) => void)[] = [];
  const { transport, connection } = openConnection({
    budget,
    serve: () => new Promise((resolve) => finishers.push(resolve)),
  });
  let idle = 0;
  connection.whenIdle(() => idle++);
  t.equal(idle, 1, 'at once when nothing is in flight');
  transport.say({ id: 1, method: 'm' });
  t.equal(budget.exceeded, undefined);
  transport.say({ id: 2, method: 'm' });
  await transport.served();
  t.equal(budget.exceeded, 'maxRequestsPerConnection');
  t.equal(other.exceeded, undefined);
  other.take();
  t.equal(other.exceeded, 'maxRequests');
  connection.whenIdle(() => idle++);
  finishers[0]?.({});
  await settled();
  t.same([idle, connection.inFlight], [1, 1]);
  finishers[1]?.({});
  await settled();
  t.same([idle, connection.inFlight, total.inFlight], [2, 0, 1]);
});

t.test('connection answers unreadable input with id null', async (t) => {
  const { transport } = openConnection();
  transport.sayUnreadable('a line is longer than 5 bytes');
  t.match(transport.messages, [
    { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'Invalid request: a line is longer than 5 bytes' } },
  ]);
});

t.test('connection closes with 1008 when more replies than the bound are unread', async (t) => {
  const { transport } = openConnection({ maxOwedReplyBytes: 1000, serve: () => ({ text: 'x'.repeat(600) }) });
  transport.stopReading();
  for (let id = 0; id < 5; id += 1) transport.say({ id, method: 'm' });
  await transport.served();
  const calls = transport.calls.filter((call) => call !== 'pause' && call !== 'resume');
  t.same(calls, ['close 1008 replies are not being read']);
});

t.test('connection answers -32603 and goes on when a result cannot be written', async (t) => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const results: Record<string, unknown> = {
    bigint: { n: 1n },
    circular,
    throws: {
      toJSON() {
        throw new Error('secret');
      },
    },
    // More than a string can hold, as 40 ids of 15 MiB were.
    endless: Array(40).fill('x'.repeat(15 * 1024 * 1024)),
    later: Promise.resolve({ n: 1n }),
  };
  const ended: unknown[] = [];
  const { transport, connection, reports } = openConnection({
    serve: ({ request }) => results[request.method] ?? {},
    observe: () => ({ trace: undefined, ended: (error) => ended.push(error?.reason) }),
  });
  for (const method of Object.keys(results)) {
    transport.say({ id: method, method });
    const { error } = (await transport.replyTo(method)) as { error: { code: number; data: { traceId: string } } };
    t.equal(error.code, -32603, method);
    t.equal(reports.internal.at(-1)?.traceId, error.data.traceId, 'the log has the whole error');
  }
  t.same(ended, Array(5).fill('internalError'), 'each error is reported once');
  transport.say({ id: 1, method: 'good' });
  t.same((await transport.replyTo(1)).result, {});
  t.ok(connection.isOpen);
});

t.test('connection closes with 1011 when a notification cannot be written', (t) => {
  const { transport, connection, reports } = openConnection();
  connection.notify('n', { n: 1n });
  t.same(transport.calls, ['close 1011 a message could not be written']);
  t.equal(reports.internal.length, 1);
  t.end();
});

t.test('connection serves everything and sends every reply when its client ends its input', async (t) => {
  const finishers: ((value: unknown) => void)[] = [];
  let ended = 0;
  const { transport } = openConnection({
    serve: ({ request }) => (request.method === 'now' ? {} : new Promise((resolve) => finishers.push(resolve))),
    onEnd: () => {
      ended += 1;
      for (const finish of finishers) finish({ ended });
    },
  });
  for (let id = 0; id < 400; id += 1) transport.say({ id, method: id % 2 === 0 ? 'now' : 'later' });
  transport.sayEnd();
  await transport.replyTo(399);
  await transport.served();
  t.equal(transport.texts.length, 400);
  t.same(
    transport.messages.find(({ id }) => id === 399)?.result,
    { ended: 1 },
    'commands were ended after the last message',
  );
  t.equal(transport.calls.at(-1), 'close 1000 end of input');
});

t.test('connection ends 4 to 7 s after the end of its input when a command does not end', (t) => {
  const time = standingTime(t);
  const { transport } = openConnection({ serve: () => new Promise(() => {}) });
  transport.say({ id: 1, method: 'm' });
  transport.sayEnd();
  time.pass(4000);
  t.same(transport.calls, []);
  time.pass(3000);
  t.same(transport.calls, ['close 1000 end of input']);
  transport.leave(1000);
  t.equal(time.pending, 0);
  t.end();
});

t.test(
  'connection lets its peer close after all earlier messages were served, but not when it closes itself',
  async (t) => {
    const clock = { ms: 1000 };
    t.intercept(performance, 'now', { value: () => clock.ms });
    const { transport, connection } = openConnection({
      serve: () => {
        clock.ms += 2;
        return {};
      },
    });
    let repliesBeforeClose: number | undefined;
    for (let id = 0; id < 5; id += 1) transport.say({ id, method: 'm' });
    transport.askToClose(() => {
      repliesBeforeClose = transport.texts.length;
    });
    t.equal(repliesBeforeClose, undefined, 'requests wait for their turn');
    await transport.served();
    t.equal(repliesBeforeClose, 5);
    for (let id = 5; id < 10; id += 1) transport.say({ id, method: 'm' });
    transport.askToClose(() => t.fail('the server has closed already'));
    connection.close(1001, 'going');
    for (let turn = 0; turn < 8; turn += 1) await settled();
    t.equal(transport.calls.at(-1), 'close 1001 going');
  },
);
