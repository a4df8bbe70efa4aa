// Shows that the reader of a full pipe leaves turns of the event loop to other work and loses no byte. Knows no command.
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import t from 'tap';
import { loadLibc } from '../../src/process/libc.js';
import { PipeReader } from '../../src/process/pipe-reader.js';

const BYTES = 16 * 1024 * 1024;

async function readAll(pauseEvery: number): Promise<{ bytes: number; mostReadsInOneTurn: number }> {
  const { readEnd, writeEnd } = (await loadLibc()).openPipe();
  const child = spawn('head', ['-c', String(BYTES), '/dev/zero'], { stdio: ['ignore', writeEnd, 'ignore'] });
  closeSync(writeEnd);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let bytes = 0;
  let chunks = 0;
  let readsThisTurn = 0;
  let mostReadsInOneTurn = 0;
  let turn = setImmediate(function next() {
    readsThisTurn = 0;
    turn = setImmediate(next);
  });
  await new Promise<void>((resolve) => {
    const reader = PipeReader.ofPipe(readEnd, {
      onChunk: (chunk) => {
        bytes += chunk.length;
        chunks += 1;
        readsThisTurn += 1;
        mostReadsInOneTurn = Math.max(mostReadsInOneTurn, readsThisTurn);
        if (chunks % pauseEvery !== 0) return;
        reader.pause();
        setImmediate(() => reader.resume());
      },
      onEnd: resolve,
    });
  });
  clearImmediate(turn);
  await exited;
  return { bytes, mostReadsInOneTurn };
}

t.test('pipe reader gives way after a few reads when the pipe is always full', async (t) => {
  const { bytes, mostReadsInOneTurn } = await readAll(Number.POSITIVE_INFINITY);
  t.equal(bytes, BYTES);
  // libuv alone reads 32 times.
  t.ok(mostReadsInOneTurn <= 4, `${mostReadsInOneTurn} reads in one turn`);
});

t.test('pipe reader loses nothing when it is paused in the middle of giving way', async (t) => {
  for (const pauseEvery of [1, 3, 4, 5])
    t.equal((await readAll(pauseEvery)).bytes, BYTES, `paused every ${pauseEvery}`);
});
