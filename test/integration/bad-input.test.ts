// Shows that every wrong request is refused by its rule, that every text is answered, and that the next good request is always served.

import t from 'tap';
import { fc } from '../support/property.js';
import { startServer } from '../support/server.js';

interface Refused {
  readonly code: number;
  readonly message: string;
  readonly data: { readonly reason: string; readonly errno?: string };
}

const server = await startServer(t, { flags: ['--max-frame-bytes', '1m'] });

/** Requests that the protocol refuses, each with its code and text. */
type Refusal = readonly [method: string, params: object, code: number, text: string | RegExp];
const REFUSALS: readonly Refusal[] = [
  ['command/exec', { command: [] }, -32600, 'command must not be empty'],
  ['command/exec', { command: ['true'], size: { rows: 1, cols: 1 } }, -32602, 'command/exec size requires tty: true'],
  [
    'command/exec',
    { command: ['true'], outputBytesCap: 1, disableOutputCap: true },
    -32602,
    'command/exec cannot set both outputBytesCap and disableOutputCap',
  ],
  [
    'command/exec',
    { command: ['true'], timeoutMs: 1, disableTimeout: true },
    -32602,
    'command/exec cannot set both timeoutMs and disableTimeout',
  ],
  ['command/exec', { command: ['true'], timeoutMs: -3 }, -32602, 'command/exec timeoutMs must be non-negative, got -3'],
  [
    'command/exec',
    { command: ['true'], tty: true, size: { rows: 0, cols: 5 } },
    -32602,
    'command/exec size rows and cols must be greater than 0',
  ],
  ...['tty', 'streamStdin', 'streamStdoutStderr'].map(
    (name) =>
      [
        'command/exec',
        { command: ['true'], [name]: true },
        -32600,
        'command/exec tty or streaming requires a client-supplied processId',
      ] as const,
  ),
  ['command/exec', { command: ['true'], sandboxPolicy: { type: 'mine' } }, -32602, /unsupported sandboxPolicy.type/],
  [
    'command/exec',
    { command: ['true'], permissionProfile: {} },
    -32600,
    'command/exec.permissionProfile requires experimentalApi capability',
  ],
  ['command/exec', {}, -32602, /^Invalid params: command: /],
  ['command/exec', { command: 'ls' }, -32602, /^Invalid params: command: /],
  ['command/exec', { command: ['true', 5] }, -32602, /^Invalid params: command\.1: /],
  ['command/exec', { command: ['true'], outputBytesCap: -1 }, -32602, /^Invalid params: outputBytesCap: /],
  ['command/exec', { command: ['no-such-program-anywhere'] }, -32603, /^failed to spawn command: /],
  ['command/exec', { command: ['true'], cwd: '/no/such/folder' }, -32603, /^failed to spawn command: /],
  ['command/exec', { command: ['/etc/passwd'] }, -32603, /^failed to spawn command: /],
  ['command/exec', { command: ['a\0b'] }, -32603, /^failed to spawn command: /],
  ['command/exec', { command: ['true'], env: { 'A=B': 'x' } }, -32603, /^failed to spawn command: /],
  ['command/exec', { command: ['/no/pty'], tty: true, processId: 'p' }, -32603, /^failed to spawn command: /],
  ['command/exec/write', { processId: 'none' }, -32602, 'command/exec/write requires deltaBase64 or closeStdin'],
  [
    'command/exec/write',
    { processId: 'none', closeStdin: false },
    -32602,
    'command/exec/write requires deltaBase64 or closeStdin',
  ],
  ['command/exec/write', { processId: 'none', deltaBase64: 'a' }, -32602, /^invalid deltaBase64: /],
  [
    'command/exec/write',
    { processId: 'a"b', deltaBase64: '' },
    -32600,
    'no active command/exec for process id "a\\"b"',
  ],
  [
    'command/exec/write',
    { processId: 'plain', deltaBase64: '' },
    -32600,
    'stdin streaming is not enabled for this command/exec',
  ],
  [
    'command/exec/resize',
    { processId: 'none', size: { rows: 0, cols: 1 } },
    -32602,
    'command/exec size rows and cols must be greater than 0',
  ],
  [
    'command/exec/resize',
    { processId: 'none', size: { rows: 1, cols: 1 } },
    -32600,
    'no active command/exec for process id "none"',
  ],
  [
    'command/exec/resize',
    { processId: 'plain', size: { rows: 1, cols: 1 } },
    -32600,
    'failed to resize PTY: process is not attached to a PTY',
  ],
  ['command/exec/terminate', { processId: '__proto__' }, -32600, 'no active command/exec for process id "__proto__"'],
  [
    'command/exec',
    { command: ['true'], processId: 'plain' },
    -32600,
    'duplicate active command/exec process id: "plain"',
  ],
  [
    'command/exec/signal',
    { processId: 'plain', signal: 'SIGTERM' },
    -32600,
    'command/exec/signal requires experimentalApi capability',
  ],
  [
    'command/exec/terminate',
    { processId: 'plain', graceMs: 1 },
    -32600,
    'command/exec/terminate.graceMs requires experimentalApi capability',
  ],
];

t.test('requests are refused with the codes and texts of the protocol when they are wrong', async (t) => {
  const raw = await (await server.wire()).initialize();
  const running = raw.request('command/exec', { command: ['sleep', '60'], processId: 'plain', disableTimeout: true });
  for (const [method, params, code, text] of REFUSALS) {
    const { error } = (await raw.request(method, params)) as { error?: Refused };
    const name = `${method} ${JSON.stringify(params)}`;
    t.equal(error?.code, code, name);
    if (typeof text === 'string') t.equal(error?.message, text, name);
    else t.match(error?.message, text, name);
    t.type(error?.data.reason, 'string', name);
    if (code === -32603) t.match(error?.data.errno, /^E[A-Z]+$/, name);
  }
  await raw.request('command/exec/terminate', { processId: 'plain' });
  t.match(await running, { result: { exitCode: 137 } });
});

/** What is sent, before `initialize` and after it, and what comes back: code and id, or nothing for a notification. */
const ANSWERS: readonly [
  text: string,
  fresh: [number, unknown] | undefined,
  initialized: [number, unknown] | undefined,
][] = [
  ['', [-32700, null], [-32700, null]],
  ['nonsense', [-32700, null], [-32700, null]],
  ['{"id":1,"method":"command/exec"', [-32700, null], [-32700, null]],
  ['[]', [-32600, null], [-32600, null]],
  ['[{"id":1,"method":"initialize"}]', [-32600, null], [-32600, null]],
  ['5', [-32600, null], [-32600, null]],
  ['{}', [-32600, null], [-32600, null]],
  ['{"id":7}', [-32600, 7], [-32600, 7]],
  ['{"id":7,"method":5}', [-32600, 7], [-32600, 7]],
  ['{"id":7,"jsonrpc":"1.0","method":"x"}', [-32600, 7], [-32600, 7]],
  ['{"id":9007199254740993,"method":"x"}', [-32600, null], [-32600, null]],
  ['{"id":1.5,"method":"x"}', [-32600, null], [-32600, null]],
  ['{"id":null,"method":"x"}', [-32600, null], [-32600, null]],
  ['{"id":"\\ud800","method":"x"}', [-32600, '\ud800'], [-32601, '\ud800']],
  ['{"id":7,"method":"__proto__"}', [-32600, 7], [-32601, 7]],
  ['{"id":7,"method":"constructor"}', [-32600, 7], [-32601, 7]],
  ['{"id":7,"method":"command/exec","params":5}', [-32600, 7], [-32602, 7]],
  ['{"id":7,"method":"command/exec","params":[]}', [-32600, 7], [-32602, 7]],
  ['{"id":7,"method":"command/exec/list"}', [-32600, 7], [-32600, 7]],
  ['{"id":7,"method":"initialize","params":{}}', [-32602, 7], [-32600, 7]],
  ['{"id":7,"method":"initialize","params":{"clientInfo":{"name":"\\n","version":""}}}', [-32600, 7], [-32600, 7]],
  ['{"method":"command/exec","params":{"command":["true"]}}', undefined, undefined],
  ['{"method":"nonsense"}', undefined, undefined],
  ['{"id":7,"result":{}}', undefined, undefined],
];

t.test('every text gets its answer, or none, when it is sent before and after initialize', async (t) => {
  for (const isInitialized of [false, true]) {
    const raw = await server.wire();
    if (isInitialized) await raw.initialize();
    const before = raw.messages.length;
    for (const [text] of ANSWERS) raw.send(text);
    if (!isInitialized) await raw.initialize();
    await raw.request('command/exec', { command: ['true'] });
    const answers = raw.messages.slice(before).filter(({ id }) => !String(id).startsWith('r'));
    const expected = ANSWERS.flatMap(([, fresh, later]) =>
      [isInitialized ? later : fresh].filter((row) => row !== undefined),
    );
    t.same(
      answers.map(({ id, error }) => [(error as Refused).code, id]),
      expected,
      isInitialized ? 'initialized' : 'fresh',
    );
    await raw.close();
  }
});

t.test('server serves the next good request on the same connection when it gets random JSON', async (t) => {
  const raw = await (await server.wire()).initialize();
  const method = fc.constantFrom(
    'command/exec/write',
    'command/exec/resize',
    'command/exec/terminate',
    'initialize',
    'x',
  );
  const request = fc.record({
    id: fc.oneof(fc.string(), fc.integer(), fc.jsonValue()),
    method: fc.oneof(method, fc.jsonValue()),
    params: fc.jsonValue(),
    trace: fc.jsonValue(),
  });
  const exec = fc.record({
    id: fc.string(),
    method: fc.constant('command/exec'),
    params: fc.record(
      {
        command: fc.oneof(fc.constant(['true']), fc.jsonValue()),
        env: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.jsonValue()),
        processId: fc.oneof(fc.string(), fc.jsonValue()),
        tty: fc.oneof(fc.boolean(), fc.jsonValue()),
        size: fc.jsonValue(),
        cwd: fc.oneof(fc.constant('/'), fc.string()),
        outputBytesCap: fc.jsonValue(),
        timeoutMs: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.jsonValue(), request, exec, fc.string()), { maxLength: 8 }),
      async (messages) => {
        for (const message of messages) raw.send(typeof message === 'string' ? message : JSON.stringify(message));
        const reply = await raw.request('command/exec', { command: ['echo', 'good'] });
        return (reply.result as { stdout: string } | undefined)?.stdout === 'good\n';
      },
    ),
    { numRuns: 60 },
  );
  t.pass('served after each');
});

t.test('server serves the next good connection when it gets random bytes', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const bad = await server.wire();
      // Written past the WebSocket library; most likely no valid frame.
      (bad.ws as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket.write(bytes);
      const good = await (await server.wire()).initialize();
      const reply = await good.request('command/exec', { command: ['echo', 'good'] });
      await good.close();
      bad.ws.terminate();
      return (reply.result as { stdout: string } | undefined)?.stdout === 'good\n';
    }),
    { numRuns: 25 },
  );
  t.pass('served after each');
});
