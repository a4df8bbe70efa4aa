// Shows how the params of `command/exec` become a decided request: defaults, and refusals in the order of the protocol. Starts no process.
import t from 'tap';
import {
  decideExecRequest as decide,
  type ExecRequest,
  terminalSize,
} from '../../../src/dialects/command-exec/exec-request.js';
import type { MethodParams } from '../../../src/protocol/methods.js';

type ExecParams = MethodParams<'command/exec'>;

const CEILINGS = { maxDetachedMs: 3_600_000, maxReplayBytes: 4 * 1024 * 1024 };

function decideExecRequest(params: ExecParams): ExecRequest {
  return decide(params, CEILINGS);
}

t.test('exec request is decided with the defaults of the protocol when it names none', (t) => {
  t.same(decideExecRequest({ command: ['a', 'b'] }), {
    dialect: 'command/exec',
    metadata: undefined,
    argv: ['a', 'b'],
    processId: undefined,
    tty: undefined,
    streamStdin: false,
    streamOutput: false,
    outputCapBytes: 1024 * 1024,
    timeoutMs: 10_000,
    cwd: undefined,
    inherited: undefined,
    arg0: undefined,
    setsTerm: true,
    env: {},
    sandbox: { choice: { type: 'unconfined', network: true }, isRaised: false },
    detachable: undefined,
    windowBytes: Number.POSITIVE_INFINITY,
  });
  const nulls = { processId: null, tty: null, outputBytesCap: null, timeoutMs: null, cwd: null, env: null, size: null };
  t.same(
    decideExecRequest({
      command: ['a', 'b'],
      ...nulls,
      disableTimeout: null,
      disableOutputCap: null,
      sandboxPolicy: null,
    }),
    decideExecRequest({ command: ['a', 'b'] }),
    'null equals absent',
  );
  t.match(decideExecRequest({ command: ['a'], tty: true, processId: '' }), {
    processId: '',
    tty: { rows: 24, cols: 80 },
    streamStdin: true,
    streamOutput: true,
    outputCapBytes: 1024 * 1024,
    timeoutMs: 10_000,
  });
  t.match(decideExecRequest({ command: ['a'], disableTimeout: true, disableOutputCap: true }), {
    outputCapBytes: Number.POSITIVE_INFINITY,
    timeoutMs: undefined,
  });
  t.match(decideExecRequest({ command: ['a'], timeoutMs: 0, outputBytesCap: 0 }), { outputCapBytes: 0, timeoutMs: 0 });
  t.match(decideExecRequest({ command: ['a'], timeoutMs: 5, disableTimeout: false }), { timeoutMs: 5 });
  t.end();
});

/** Params with one fault each, in the order in which the protocol refuses them. A request with several of these faults is refused for the first one. */
const REFUSALS: readonly [params: Partial<ExecParams>, code: number, text: string | RegExp][] = [
  [{ command: [] }, -32600, 'command must not be empty'],
  [
    { sandboxPolicy: { type: 'readOnly' }, permissionProfile: {} },
    -32600,
    '`permissionProfile` cannot be combined with `sandboxPolicy`',
  ],
  [{ size: { rows: 1, cols: 1 } }, -32602, 'command/exec size requires tty: true'],
  [
    { outputBytesCap: 0, disableOutputCap: true },
    -32602,
    'command/exec cannot set both outputBytesCap and disableOutputCap',
  ],
  [{ timeoutMs: -1, disableTimeout: true }, -32602, 'command/exec cannot set both timeoutMs and disableTimeout'],
  [{ timeoutMs: -5 }, -32602, 'command/exec timeoutMs must be non-negative, got -5'],
  [{ sandboxPolicy: { type: 'mine' } }, -32602, /unsupported sandboxPolicy.type/],
  [{ streamStdin: true }, -32600, 'command/exec tty or streaming requires a client-supplied processId'],
  [{ streamStdoutStderr: true }, -32600, 'command/exec tty or streaming requires a client-supplied processId'],
];

t.test('exec request is refused by the first rule of the protocol when it breaks several', (t) => {
  for (const [at, [params, code, text]] of REFUSALS.entries()) {
    const name = JSON.stringify(params);
    t.throws(() => decideExecRequest({ command: ['a'], ...params }), { code, message: text }, name);
    const later = REFUSALS.slice(at + 1).map(([wrong]) => wrong);
    const all: ExecParams = Object.assign({ command: ['a'] }, ...later.reverse(), params);
    t.throws(() => decideExecRequest(all), { code, message: text }, `${name} before later faults`);
  }
  t.throws(() => decideExecRequest({ command: ['a'], tty: true, size: { rows: 0, cols: 1 } }), {
    code: -32602,
    message: 'command/exec size rows and cols must be greater than 0',
  });
  t.throws(() => decideExecRequest({ command: ['a'], tty: true }), { code: -32600, message: /client-supplied/ });
  t.throws(() => decideExecRequest({ command: ['a'], permissionProfile: {} }), { code: -32602, message: /sandbox/ });
  t.throws(() => terminalSize({ rows: 1, cols: 0 }), { code: -32602 });
  t.end();
});
