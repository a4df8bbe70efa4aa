// Checks the tables of the wire: texts and codes that clients match on, schemas, and the OpenRPC document. Serves no request.
import t from 'tap';
import { type ErrorData, type ErrorReason, errorTable, RpcError, rpcError } from '../../src/protocol/errors.js';
import type { MethodDefinition } from '../../src/protocol/methods/method-definition.js';
import { clientNotifications, methods, serverNotifications } from '../../src/protocol/methods.js';
import { openRpcDocument } from '../../src/protocol/open-rpc.js';

/** Code and text of each error that PROTOCOL.md promises. */
const PROMISED: readonly [reason: ErrorReason, data: ErrorData, code: number, text: string][] = [
  ['notInitialized', {}, -32600, 'Not initialized'],
  ['alreadyInitialized', {}, -32600, 'Already initialized'],
  [
    'invalidClientName',
    { name: 'a\nb' },
    -32600,
    "Invalid clientInfo.name: 'a\nb'. Must be a valid HTTP header value.",
  ],
  ['emptyCommand', {}, -32600, 'command must not be empty'],
  ['policyConflict', {}, -32600, '`permissionProfile` cannot be combined with `sandboxPolicy`'],
  ['processIdRequired', {}, -32600, 'command/exec tty or streaming requires a client-supplied processId'],
  ['duplicateProcessId', { processId: 'a"b' }, -32600, 'duplicate active command/exec process id: "a\\"b"'],
  ['processNotFound', { processId: 'x' }, -32600, 'no active command/exec for process id "x"'],
  ['stdinNotStreamed', {}, -32600, 'stdin streaming is not enabled for this command/exec'],
  ['stdinClosed', {}, -32600, 'stdin is already closed'],
  ['notATerminal', {}, -32600, 'failed to resize PTY: process is not attached to a PTY'],
  ['sizeWithoutTty', {}, -32602, 'command/exec size requires tty: true'],
  ['conflictingOutputCap', {}, -32602, 'command/exec cannot set both outputBytesCap and disableOutputCap'],
  ['conflictingTimeout', {}, -32602, 'command/exec cannot set both timeoutMs and disableTimeout'],
  ['negativeTimeout', { timeoutMs: -7 }, -32602, 'command/exec timeoutMs must be non-negative, got -7'],
  ['zeroSize', {}, -32602, 'command/exec size rows and cols must be greater than 0'],
  ['emptyWrite', {}, -32602, 'command/exec/write requires deltaBase64 or closeStdin'],
  ['invalidBase64', { detail: 'why' }, -32602, 'invalid deltaBase64: why'],
  ['spawnFailed', { detail: 'why', errno: 'ENOENT' }, -32603, 'failed to spawn command: why'],
  ['serverOverloaded', {}, -32001, 'Server overloaded; retry later.'],
  ['experimentalRequired', { feature: 'a/b.c' }, -32600, 'a/b.c requires experimentalApi capability'],
];

t.test('error table has the codes and the texts that clients match on', (t) => {
  for (const [reason, data, code, text] of PROMISED) {
    const error = rpcError(reason, data);
    t.same([error.code, error.message, error.reason], [code, text, reason]);
  }
  const codes = { parseError: -32700, invalidRequest: -32600, methodNotFound: -32601, invalidParams: -32602 };
  for (const [reason, code] of Object.entries({ ...codes, internalError: -32603, serverDraining: -32004 })) {
    t.equal(errorTable[reason as ErrorReason].code, code, reason);
  }
  t.end();
});

t.test('error sends its data with the reason, and sends neither detail nor cause as data', (t) => {
  const cause = new Error('inner');
  const error = rpcError('spawnFailed', { detail: 'why', errno: 'EACCES' }, { cause });
  t.same(error.data, { reason: 'spawnFailed', errno: 'EACCES' });
  t.equal(error.cause, cause);
  t.notMatch(JSON.stringify(error.data), 'inner');
  t.equal(new RpcError({ code: 1, message: 'm' }).reason, undefined);
  t.equal(new RpcError({ code: 1, message: 'm', data: { reason: 5 } }).reason, undefined);
  t.end();
});

t.test('methods take null for every optional param, ignore unknown ones and refuse wrong types', (t) => {
  const { params } = methods['command/exec'];
  const optional = Object.keys(params.shape).filter((name) => name !== 'command');
  const nulls = Object.fromEntries(optional.map((name) => [name, null]));
  t.ok(params.safeParse({ command: ['a'], ...nulls, unknown: {} }).success);
  const wrong: Record<string, unknown[]> = {
    command: [undefined, null, 'ls', [1], {}],
    processId: [5, {}, []],
    tty: ['yes', 1],
    outputBytesCap: [-1, 1.5, '5', Number.POSITIVE_INFINITY],
    timeoutMs: [1.5, '5', {}],
    cwd: [5],
    env: [{ A: 5 }, [], 'A=1'],
    size: [{ rows: 1 }, { rows: 1.5, cols: 1 }, { rows: 65_536, cols: 1 }, { rows: -1, cols: 1 }, 5],
    sandboxPolicy: ['dangerFullAccess', {}],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const parsed = params.safeParse({ command: ['a'], [name]: value });
      t.equal(parsed.error?.issues[0]?.path[0], name, `${name}: ${JSON.stringify(value)}`);
    }
  }
  t.ok(
    params.safeParse({ command: ['a'], timeoutMs: -1 }).success,
    'a negative timeout is refused later, with a text of its own',
  );
  t.ok(params.safeParse({ command: ['a'], size: { rows: 0, cols: 0 } }).success, 'so is a size of 0');
  t.end();
});

t.test('methods describe every field', (t) => {
  const document = JSON.stringify(openRpcDocument('1'));
  const names = Object.keys(methods);
  for (const name of names) t.ok(document.includes(JSON.stringify(name)), name);
  const described = (schema: unknown, path: string): void => {
    const { properties = {} } = schema as { properties?: Record<string, { description?: string; $ref?: string }> };
    for (const [name, property] of Object.entries(properties)) {
      t.ok((property.description ?? '') !== '', `${path}.${name}`);
      described(property, `${path}.${name}`);
    }
  };
  for (const { name, params, result } of openRpcDocument('1').methods as {
    name: string;
    params: { schema: unknown }[];
    result: { schema: unknown };
  }[]) {
    described(params[0]?.schema, name);
    described(result.schema, `${name} result`);
  }
  const all: [string, { description: string }][] = [
    ...Object.entries<MethodDefinition>(methods),
    ...Object.entries(clientNotifications),
    ...Object.entries(serverNotifications),
  ];
  for (const [name, { description }] of all) t.ok(description.endsWith('.'), `${name} is described`);
  t.end();
});

t.test('OpenRPC document holds every method with its schemas and every error with its code', (t) => {
  const document = openRpcDocument('1.2.3') as {
    openrpc: string;
    info: object;
    methods: { name: string; params: { schema: { type?: string } }[]; 'x-experimental': boolean }[];
    'x-errors': { reason: string; code: number }[];
  };
  t.match(document, { openrpc: /^1\./, info: { version: '1.2.3' } });
  t.same(
    document.methods.map(({ name }) => name),
    Object.keys(methods),
  );
  t.same(
    document.methods.filter((method) => method['x-experimental']).map(({ name }) => name),
    [
      'command/exec/signal',
      'command/exec/list',
      'command/exec/attach',
      'command/exec/detach',
      'command/exec/forget',
      'process/spawn',
      'process/writeStdin',
      'process/resizePty',
      'process/kill',
      'rpc.discover',
    ],
  );
  t.same(
    document['x-errors'].map(({ reason, code }) => [reason, code]),
    Object.entries(errorTable).map(([reason, { code }]) => [reason, code]),
  );
  t.same(JSON.parse(JSON.stringify(document)), document, 'it is plain JSON');
  t.end();
});
