// Shows what the types of the built package allow and what they refuse. tsd reads this file and runs nothing of it.

import {
  type Box,
  type BoxStatus,
  type Cause,
  connect,
  type ExecError,
  type ListedCommand,
  type Met,
  type Result,
  type Run,
  type Shell,
  type ShellResult,
  type Started,
  type Terminal,
  type TerminalResult,
} from 'execwire-client';
import { expectAssignable, expectError, expectType } from 'tsd';

const box = await connect('ws://127.0.0.1:4500', {
  token: async () => 'fresh',
  name: 'types',
  reconnect: { maxMs: 1 },
});
expectType<Box>(box);
expectError(connect());
expectError(connect('ws://127.0.0.1:4500', { tokn: 'x' }));
expectError(connect('ws://127.0.0.1:4500', { reconnect: 5 }));

// exec returns a promise that is a handle, too. Output is text unless `encoding` is bytes.
const run = box.exec(['git', 'status'], { cwd: '/repo', env: { A: '1', B: null }, timeout: 5 });
expectType<Run<string>>(run);
expectAssignable<Promise<Result>>(run);
expectType<Result<string>>(await run);
expectType<string>((await run).stdout);
expectType<number | undefined>((await run).exitCode);
expectType<Cause>((await run).cause);
expectType<unknown>((await run).inputError);
expectType<Uint8Array>((await box.exec(['cat'], { encoding: 'bytes' })).stdout);
expectType<Started>(await run.started);
expectType<AsyncIterable<Uint8Array>>(run.stdout);
expectType<AsyncIterableIterator<string>>(run.lines());
expectType<AsyncIterableIterator<string>>(run.lines('all'));
expectType<Met>(await run.waitFor(/x/, { timeout: 1 }));
expectType<Met>(await run.waitFor({ idle: 100 }));
expectType<Promise<void>>(run.write(new Uint8Array(1)));
expectError(box.exec('git status'));
expectError(box.exec(['git'], { encoding: 'latin1' }));
expectError(box.exec(['git'], { env: { A: 1 } }));
box.exec(['git'], { maxBuffer: { head: 1 } });
expectError(box.exec(['git'], { maxBuffer: { heads: 1 } }));
expectError(box.exec(['git'], { stdin: 'inherit' }));
expectError(run.lines('stdin'));
expectError(run.write(5));
expectError(run.resize({ cols: 1 }));

// Every kind of input.
declare const webStream: {
  getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }>; cancel(): Promise<void> };
};
declare const asyncBytes: AsyncIterable<Uint8Array>;
box.exec(['cat'], { input: 'text' });
box.exec(['cat'], { input: new Uint8Array(1) });
box.exec(['cat'], { input: ['a', new Uint8Array(1)] });
box.exec(['cat'], { input: asyncBytes });
box.exec(['cat'], { input: webStream });
box.exec(['cat'], { input: new ArrayBuffer(1) });
box.exec(['cat'], { input: { stream: () => webStream } });
expectError(box.exec(['cat'], { input: 5 }));
expectError(box.exec(['cat'], { input: null }));
expectError(box.exec(['cat'], { input: [1, 2] }));

// An abort signal is any object of this shape, so that a program needs no types of Node or of a browser.
box.exec(['sleep', '1'], { signal: { aborted: false, addEventListener() {}, removeEventListener() {} } });
expectError(box.exec(['sleep', '1'], { signal: true }));

// Sandboxes.
box.exec(['make'], { sandboxPolicy: { type: 'workspaceWrite', writableRoots: ['/data'], networkAccess: false } });
box.terminal(['bash'], { sandboxPolicy: { type: 'readOnly' } });
box.shell({ sandboxPolicy: { type: 'externalSandbox', networkAccess: 'restricted' } });
expectError(box.exec(['make'], { sandboxPolicy: { type: 'readOnly', writableRoots: ['/data'] } }));
expectError(box.exec(['make'], { sandboxPolicy: 'readOnly' }));
expectError(box.attach('key', { sandboxPolicy: { type: 'readOnly' } }));

// Detachable commands and terminals.
box.exec(['make'], { detachable: { ttl: 1, replayBytes: 1, whenFull: 'drop', key: 'k' } });
expectError(box.exec(['make'], { detachable: { whenFull: 'wait' } }));
expectType<Run<string>>(box.attach('key', { role: 'observer', from: { stdout: 5 } }));
expectType<Run<Uint8Array>>(box.attach('key', { encoding: 'bytes' }));
expectError(box.attach('key', { cwd: '/' }));
const term = box.terminal(['bash'], { cols: 120, rows: 40 });
expectType<Terminal>(term);
expectType<TerminalResult>(await term.result);
expectType<string>(await term.screen());
expectError(box.terminal(['bash'], { input: 'x' }));
expectType<Terminal>(box.attachTerminal('key', { cols: 1, rows: 1, screen: false }));

// The shell.
const shell = box.shell({ shell: 'sh' });
expectType<Shell>(shell);
expectType<ShellResult>(await shell.run('ls', { timeout: 1 }));
expectError(box.shell({ shell: 'zsh' }));

// The rest of a box.
expectType<ListedCommand[]>(await box.list({ scope: 'principal', details: true }));
expectType<() => void>(box.onStatus((status) => expectType<BoxStatus>(status)));
expectType<() => void>(box.on('server/draining', ({ deadlineMs }) => expectType<number>(deadlineMs)));
expectType<unknown>(await box.request('made/up', { any: 1 }));
expectType<{ readonly commands: ListedCommand[] }>(await box.request('command/exec/list', {}));
expectError(box.request('command/exec', { command: 'ls' }));
expectAssignable<AsyncDisposable>(box);
expectAssignable<AsyncDisposable>(shell);

// Errors have the fields of a result.
declare const error: ExecError<Uint8Array>;
expectType<Uint8Array>(error.stdout);
expectType<boolean>(error.aborted);
expectType<Result<Uint8Array>>(error.result);
