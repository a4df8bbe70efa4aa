// Shows how the codec turns text into a request, and how the router finds and checks its handler. Knows no transport. Long because the wire has many
// ways to be wrong.
import t from 'tap';
import { z } from 'zod';
import { rpcError } from '../../src/protocol/errors.js';
import type { MethodDefinition } from '../../src/protocol/methods/method-definition.js';
import {
  decodeMessage as decodeBytes,
  encodeError,
  encodeNotification,
  encodeRequest,
  encodeResult,
  type IncomingMessage,
  resultPrefix,
} from '../../src/rpc/codec.js';
import type { Call } from '../../src/rpc/connection.js';
import { MessageOutline } from '../../src/rpc/message-outline.js';
import { type Caller, Router } from '../../src/rpc/router.js';
import { fc } from '../support/property.js';

const decodeMessage = (text: string): IncomingMessage => decodeBytes(Buffer.from(text));

const INITIALIZED = { experimentalApi: false, initialized: true };

t.test('codec keeps an id digit for digit when a double holds it', (t) => {
  const ids = ['0', '1', '-1', '9007199254740991', '-9007199254740991', '""', '"1"', '"1.0"', '"a\\"b"', '"\\ud800"'];
  for (const id of [...ids, '"__proto__"', '"ü\\n"', '"\\u2028"']) {
    for (const text of [
      `{"id":${id},"method":"m"}`,
      `{ "method":"m", "id" : ${id} }`,
      `{"method":"m","id":\n${id}\n,"params":{"id":7}}`,
      `{"params":{"id":1.5},"id":${id},"method":"m"}`,
    ]) {
      const message = decodeMessage(text);
      if (message.kind !== 'request') {
        t.fail(`${text} is no request`);
        continue;
      }
      t.equal(message.id, JSON.parse(id), text);
      const echoed = JSON.parse(encodeResult(message.id, {}, false)) as { id: unknown };
      t.equal(echoed.id, JSON.parse(id), `${text} echoed`);
    }
  }
  t.end();
});

t.test('codec refuses an id with id null when a double cannot hold it or it is no integer', (t) => {
  const numbers = ['9007199254740992', '9007199254740993', '-9007199254740993', '1e400', '1e3', '1E0', '1.0', '1.5'];
  const refused = [...numbers, '-0', '1.00000000000000000001', 'null', 'true', '[]', '{}', '[1]', '{"a":1}'];
  for (const id of refused) {
    for (const text of [
      `{"id":${id},"method":"m"}`,
      // Text elsewhere that looks like a good id must not count as the real one.
      `{"id":${id},"method":"m","params":{"id":1}}`,
      `{"params":{"id":9007199254740992},"id":${id},"method":"m","p":{"id":0}}`,
      `{"id":${id},"method":"m","params":["\\"id\\":1,"]}`,
      `{"id":1,"id":${id},"method":"m"}`,
      `{"id":0,"\\u0069d":${id},"method":"m","params":{"id":1000}}`,
    ]) {
      const message = decodeMessage(text);
      t.equal(message.kind, 'invalid', text);
      if (message.kind !== 'invalid') continue;
      t.equal(message.id, null, text);
      t.equal(message.error.code, -32600, text);
      t.match(message.error.message, 'id must be', text);
    }
  }
  t.end();
});

t.test('codec takes the last one when a member stands twice, as JSON.parse does', (t) => {
  t.match(decodeMessage('{"id":1.0,"id":2,"method":"m"}'), { kind: 'request', id: 2 });
  t.match(decodeMessage('{"id":1,"method":"a","method":"b"}'), { kind: 'request', method: 'b' });
  t.match(decodeMessage('{"\\u0069d":5,"method":"m"}'), { kind: 'request', id: 5 });
  t.end();
});

t.test('codec tells requests, notifications and responses apart when members are missing or null', (t) => {
  t.match(decodeMessage('{"method":"m"}'), { kind: 'notification', method: 'm', params: undefined });
  t.match(decodeMessage('{"method":"m","params":[1]}'), { kind: 'notification', params: [1] });
  t.match(decodeMessage('{"id":1,"method":"m","trace":{"traceparent":"x"}}'), { trace: { traceparent: 'x' } });
  t.match(decodeMessage('{"id":1,"result":null}'), { kind: 'response', id: 1, result: null, error: undefined });
  t.match(decodeMessage('{"id":"a","result":{},"error":null}'), { kind: 'response', id: 'a', error: undefined });
  t.match(decodeMessage('{"id":1,"error":{"code":-5,"message":"no","data":7}}'), {
    kind: 'response',
    error: { code: -5, message: 'no', data: 7 },
  });
  t.match(decodeMessage('{"id":1,"error":"odd"}'), { kind: 'response', error: { code: -32603 } });
  t.match(decodeMessage('{"id":1,"method":"m","jsonrpc":"2.0"}'), { jsonrpc: true });
  t.match(decodeMessage('{"id":1,"method":"m"}'), { jsonrpc: false });
  t.end();
});

t.test('codec refuses a text with a code and an id when it is no message', (t) => {
  const table: readonly [text: string, code: number, id: unknown, jsonrpc: boolean][] = [
    ['', -32700, null, true],
    ['{', -32700, null, true],
    ['{"id":1,"method":"m"}x', -32700, null, true],
    ['\ufeff{"id":1,"method":"m"}', -32700, null, true],
    ['NaN', -32700, null, true],
    ['[]', -32600, null, true],
    ['[{"id":1,"method":"m"}]', -32600, null, true],
    ['null', -32600, null, true],
    ['1', -32600, null, true],
    ['"text"', -32600, null, true],
    ['true', -32600, null, true],
    ['{}', -32600, null, false],
    ['{"id":4}', -32600, 4, false],
    ['{"id":4,"method":5}', -32600, 4, false],
    ['{"id":4,"method":null,"jsonrpc":"2.0"}', -32600, 4, true],
    ['{"id":4,"method":{}}', -32600, 4, false],
    ['{"id":4,"method":"m","jsonrpc":"1.0"}', -32600, 4, true],
    ['{"id":4,"method":"m","jsonrpc":2}', -32600, 4, true],
    ['{"id":null,"result":1}', -32600, null, false],
    ['{"result":1}', -32600, null, false],
    ['{"__proto__":{"id":1,"method":"m"}}', -32600, null, false],
    [`${'['.repeat(100_000)}`, -32700, null, true],
  ];
  for (const [text, code, id, jsonrpc] of table) {
    const message = decodeMessage(text);
    const name = JSON.stringify(text.slice(0, 60));
    t.equal(message.kind, 'invalid', name);
    if (message.kind === 'invalid')
      t.same([message.error.code, message.id, message.jsonrpc], [code, id, jsonrpc], name);
  }
  t.end();
});

t.test('codec writes messages that JSON.parse reads back when it encodes', (t) => {
  const text = 'a"\\\u2028\ud800ü\n';
  for (const jsonrpc of [true, false]) {
    const version = jsonrpc ? { jsonrpc: '2.0' } : {};
    t.same(JSON.parse(encodeResult('i"d', { text }, jsonrpc)), { ...version, id: 'i"d', result: { text } });
    t.same(JSON.parse(encodeResult(1, undefined, jsonrpc)), { ...version, id: 1, result: {} });
    t.same(JSON.parse(`${resultPrefix(7, jsonrpc)}null}`), { ...version, id: 7, result: null });
    t.same(JSON.parse(encodeNotification('m/n', { text }, jsonrpc)), { ...version, method: 'm/n', params: { text } });
    t.same(JSON.parse(encodeRequest(3, 'm', undefined, jsonrpc)), { ...version, id: 3, method: 'm', params: {} });
    t.same(JSON.parse(encodeError(null, rpcError('processNotFound', { processId: text }), jsonrpc)), {
      ...version,
      id: null,
      error: {
        code: -32600,
        message: `no active command/exec for process id ${JSON.stringify(text)}`,
        data: { reason: 'processNotFound', processId: text },
      },
    });
  }
  t.end();
});

/** A message longer than those that are parsed without an outline. */
function long(head: string, tail: string, bytes: number): string {
  return head + 'x'.repeat(bytes - Buffer.byteLength(head + tail)) + tail;
}

t.test('codec names the method and keeps the id when a message is longer than its method takes', (t) => {
  const decode = (text: string): IncomingMessage =>
    decodeBytes(Buffer.from(text), (method) => (method === 'a/write' ? Number.POSITIVE_INFINITY : 300_000));
  const head = '"method":"m","params":{"text":"';
  for (const [id, answered] of [
    ['1', 1],
    [' "ü\\"" ', 'ü"'],
    ['9007199254740993', null],
    ['1.0', null],
    ['{"id":1}', null],
    [`"${'i'.repeat(2000)}"`, null],
  ] as const) {
    const message = decode(long(`{"jsonrpc":"2.0","id":${id},${head}`, '"}}', 300_001));
    t.match(message, { kind: 'invalid', id: answered, jsonrpc: true, error: { code: -32600 } }, id);
    if (message.kind === 'invalid') {
      t.match(message.error, { reason: 'messageTooLarge', message: /300001 bytes.*300000.*for m$/ });
    }
  }
  t.match(decode(long(`{"id":1,${head}`, '"}}', 300_000)), { kind: 'request', id: 1, method: 'm' }, 'just within');
  t.match(decode(long(`{"params":{"id":7,"method":"a/write"},"id":1,${head}`, '"}}', 300_001)), {
    id: 1,
    kind: 'invalid',
  });
  for (const name of ['a/write', 'a\\/write', '\\u0061/write']) {
    const text = long(`{"id": 1 ,"method" :\n"${name}","params":{"text":"\\"id\\":5,`, '"}}', 400_000);
    t.match(decode(text), { kind: 'request', id: 1, method: 'a/write' }, `${name} takes more`);
  }
  t.match(
    decode(long(`{${head}`, '"}}', 300_001)),
    { kind: 'notification', method: 'm' },
    'a notification is never answered',
  );
  t.match(decode(long('{"id":4,"result":"', '"}', 300_001)), {
    kind: 'response',
    id: 4,
    error: { reason: 'messageTooLarge' },
  });
  t.match(decode(long('{"id":4,"params":"', '"}', 300_001)), { kind: 'invalid', id: 4 });
  t.match(decode(long('"', '"', 300_001)), { kind: 'invalid', id: null });
  t.end();
});

t.test('codec counts only the text outside of strings when a message is long', (t) => {
  const write = (inside: string, outside = ''): string => `{"id":1,"method":"m"${outside},"params":["${inside}"]}`;
  t.match(decodeMessage(write('[{,:'.repeat(100_000))), { kind: 'request', id: 1 }, 'a script may hold anything');
  t.match(decodeMessage(write('\\",['.repeat(100_000))), { kind: 'request', id: 1 }, 'escaped quotes end no string');
  t.match(
    decodeMessage(write('\\\\'.repeat(100_000))),
    { kind: 'request', id: 1 },
    'escaped backslashes escape nothing',
  );
  t.match(decodeMessage(write('ü'.repeat(200_000))), { kind: 'request', params: ['ü'.repeat(200_000)] });
  const args = Array(131_072).fill('"a"').join(',');
  t.match(decodeMessage(`{"id":1,"method":"m","params":[${args}]}`), { kind: 'request' }, 'as many as a command takes');
  for (const [text, bound] of [
    [`{"id":1,"method":"m","params":[${Array(200_001).fill('1').join(',')}]}`, 'maxStructuralCharacters'],
    ['['.repeat(300_000), 'maxStructuralCharacters'],
    [write('x', ' '.repeat(1_100_000)), 'maxBytesOutsideStrings'],
    [`{"id":${'1'.repeat(1_100_000)}}`, 'maxBytesOutsideStrings'],
  ] as const) {
    const message = decodeMessage(text);
    t.match(message, { kind: 'invalid', id: null, jsonrpc: true }, bound);
    if (message.kind === 'invalid') t.hasProps(message.error.data as object, ['reason', bound]);
  }
  t.end();
});

t.test('outline agrees with JSON.parse about the outermost members when messages are random', (t) => {
  const names = fc.constantFrom(
    'id',
    'method',
    'jsonrpc',
    'result',
    'error',
    'params',
    '\\u0069d',
    'm\\u0065thod',
    'x',
  );
  const value = fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.constantFrom('1', '-5', '"id"', '"a\\"b"', '"\\\\"', '{"id":2,"method":"x"}', '[[{"id":3}]]', 'null'),
  );
  const space = fc.constantFrom('', ' ', '\n', '\t \r');
  const member = fc.tuple(names, value, space, space).map(([name, text, a, b]) => `${a}"${name}"${b}:${a}${text}${b}`);
  fc.assert(
    fc.property(fc.array(member, { maxLength: 6 }), (members) => {
      const text = `{${members.join(',')}}`;
      const parsed = JSON.parse(text) as Record<string, unknown>;
      const outline = new MessageOutline(Buffer.from(text));
      return (['id', 'method', 'jsonrpc', 'result', 'error'] as const).every((name) => {
        if (outline.has(name) !== Object.hasOwn(parsed, name)) return false;
        const expected = parsed[name];
        if (typeof expected === 'object' || expected === undefined) return true;
        return Object.is(JSON.parse(outline.spellingOf(name) ?? ''), expected);
      });
    }),
    { numRuns: 2000 },
  );
  t.end();
});

// The router.

const shape = z.object({ count: z.number().int(), deep: z.object({ name: z.string() }).nullish() });
const TABLE = {
  initialize: { action: 'connect', params: z.object({}), result: z.object({}), description: '' },
  work: { action: 'exec', params: shape, result: shape, description: '', experimentalParams: ['novel'] },
  novel: { action: 'exec', params: shape, result: shape, description: '', experimental: true },
} as const satisfies Record<string, MethodDefinition>;

function serve(method: string, params: unknown, caller: Caller = INITIALIZED, refusal?: Error): unknown {
  const router = new Router<Caller>(() => {
    if (refusal !== undefined) throw refusal;
  });
  const echo = (valid: unknown): unknown => ({ valid });
  router.add(TABLE, { initialize: echo, work: echo, novel: echo });
  const call: Call = {
    request: { kind: 'request', id: 1, method, params, trace: undefined, jsonrpc: true },
    observation: undefined,
  };
  return router.serve(caller, call);
}

t.test('router serves a request with its validated params when no check fails', (t) => {
  t.same(serve('work', { count: 1, foreign: true, deep: null }), { valid: { count: 1, deep: null } });
  t.same(serve('initialize', undefined, { initialized: false, experimentalApi: false }), { valid: {} });
  t.same(serve('novel', { count: 1 }, { initialized: true, experimentalApi: true }), { valid: { count: 1 } });
  t.same(serve('work', { count: 1, novel: null }), { valid: { count: 1 } }, 'null equals absent for the gate');
  t.end();
});

t.test('router refuses in the order of the protocol when several things are wrong', (t) => {
  const fresh = { initialized: false, experimentalApi: false };
  const draining = rpcError('serverDraining');
  const table: readonly [name: string, run: () => unknown, code: number, message: string][] = [
    ['uninitialized before unknown method', () => serve('nope', 5, fresh, draining), -32600, 'Not initialized'],
    ['initialized before params', () => serve('initialize', 5, INITIALIZED, draining), -32600, 'Already initialized'],
    ['method before admission', () => serve('nope', 5, INITIALIZED, draining), -32601, 'Method not found: "nope"'],
    ['__proto__ is no method', () => serve('__proto__', {}), -32601, 'Method not found: "__proto__"'],
    ['gate of a method before params', () => serve('novel', 5), -32600, 'novel requires experimentalApi capability'],
    [
      'gate of a field before params',
      () => serve('work', { novel: 1, count: 'x' }),
      -32600,
      'work.novel requires experimentalApi capability',
    ],
    [
      'params before draining',
      () => serve('work', { count: 1.5 }, INITIALIZED, draining),
      -32602,
      'Invalid params: count',
    ],
    ['draining last', () => serve('work', { count: 1 }, INITIALIZED, draining), -32004, 'Server is draining'],
  ];
  for (const [name, run, code, message] of table) {
    t.throws(run, { code }, name);
    try {
      run();
    } catch (error) {
      t.ok((error as Error).message.startsWith(message), `${name}: ${(error as Error).message}`);
    }
  }
  t.end();
});

t.test('router names the field and lists all issues when params are wrong', (t) => {
  const path = (params: unknown): unknown => {
    try {
      return serve('work', params);
    } catch (error) {
      const { message, data } = error as { message: string; data: { reason: string; issues: { path: string }[] } };
      return [message.split(':').slice(0, 2).join(':'), data.reason, data.issues.map((issue) => issue.path)];
    }
  };
  t.same(path({}), ['Invalid params: count', 'invalidParams', ['count']]);
  t.same(path({ count: '1', deep: { name: 1 } }), ['Invalid params: count', 'invalidParams', ['count', 'deep.name']]);
  for (const params of [null, undefined]) t.same(path(params), ['Invalid params: count', 'invalidParams', ['count']]);
  for (const params of [5, 'x', [], true]) t.same(path(params), ['Invalid params: params', 'invalidParams', ['']]);
  t.end();
});

t.test('router refuses a second handler when a method has one', (t) => {
  const router = new Router<Caller>(() => {});
  const handler = (): unknown => ({});
  router.add({ initialize: TABLE.initialize }, { initialize: handler });
  t.throws(() => router.add({ initialize: TABLE.initialize }, { initialize: handler }), /initialize/);
  t.end();
});
