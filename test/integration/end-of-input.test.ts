// The end of standard input: earlier messages are served, their replies are delivered however late they are read, and the server exits with 0.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { spawnServer } from '../support/server.js';
import { SERVER } from '../support/server-process.js';

type Reply = { id: number; result?: Record<string, unknown>; error?: { code: number } };

const initialize = { id: 0, method: 'initialize', params: { clientInfo: { name: 'test', version: '1' } } };

/** Sends the whole text, ends the input, and reads the answers. @param late whether they are read only after the server has had time to exit */
async function repliesTo(t: Test, text: string, late = false): Promise<{ replies: Reply[]; code: number | null }> {
  const { child, exited } = spawnServer(t);
  child.stdin?.end(text);
  if (child.stdout === null) throw new Error('no stdout');
  if (late) {
    // The server would have served its input and exited by now, because starting another process takes longer.
    await once(spawn(process.execPath, ['-e', '']), 'exit');
  }
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    output += piece;
  });
  const { code } = await exited;
  const lines = output.split('\n').filter((line) => line !== '');
  return { replies: lines.map((line) => JSON.parse(line) as Reply), code };
}

const lines = (messages: readonly object[]): string => messages.map((message) => JSON.stringify(message)).join('\n');

t.test('every request before the end of input is answered, the last line without a line feed too', async (t) => {
  const requests = Array.from({ length: 400 }, (_, at) => ({
    id: at + 1,
    method: 'command/exec/resize',
    params: { processId: 'none', size: { rows: 1, cols: 1 } },
  }));
  const { replies, code } = await repliesTo(t, lines([initialize, ...requests]));
  t.equal(code, 0);
  t.same(
    replies.map(({ id }) => id),
    Array.from({ length: 401 }, (_, at) => at),
  );
});

t.test('commands that run at the end of input are killed and answered', async (t) => {
  const requests = Array.from({ length: 40 }, (_, at) => ({
    id: at + 1,
    method: 'command/exec',
    params: { command: ['sleep', '600'], disableTimeout: true },
  }));
  const { replies, code } = await repliesTo(t, `${lines([initialize, ...requests])}\n`);
  t.equal(code, 0);
  t.equal(replies.length, 41);
  for (const { id, result } of replies.filter(({ id }) => id > 0)) t.equal(result?.exitCode, 137, `request ${id}`);
});

t.test('every reply arrives when its reader is late', async (t) => {
  // An id comes back whole, so 41 replies are some megabytes, many times the size of a pipe.
  const text = Array.from({ length: 40 }, (_, at) => `{"id":"${at}${'x'.repeat(100_000)}","method":"nope"}`).join('\n');
  const { replies, code } = await repliesTo(t, `${JSON.stringify(initialize)}\n${text}\n`, true);
  t.equal(code, 0);
  t.equal(replies.length, 41);
});

t.test('server that was given no address says why it ends when its input is empty', async (t) => {
  const empty = async (...flags: string[]): Promise<string> => {
    const argv = [process.execPath, SERVER, 'serve', ...flags];
    const server = spawnServer(t, { argv, env: { EXECWIRE_LISTEN: '' } });
    server.child.stdin?.end();
    t.equal((await server.exited).code, 0);
    return server.stderr;
  };
  const hint = /^execwire: no --listen, and standard input has ended without a request.*execwire serve --listen ws:/m;
  t.match(await empty(), hint);
  t.notMatch(await empty('--listen', 'stdio://'), hint, 'who names standard input knows it');
});
