// Writes that must be out before the program goes on: whole when there is a reader, and with a limit of time when there is none.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { writeInTime } from '../src/write-in-time.js';

/** More than a pipe holds. */
const LARGE = 'x'.repeat(300_000);
const PATIENCE_MS = 200;

/** A pipe that is full as soon as nobody reads. */
function fullPipe(t: Test): { path: string; fd: number } {
  const path = join(t.testdir(), 'fifo');
  spawnSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.teardown(() => closeSync(fd));
  return { path, fd };
}

t.test('write is whole when a slow reader takes it in time', async (t) => {
  const { path, fd } = fullPipe(t);
  // It begins to read when the pipe has been full for a while, and another process must do so: this one waits.
  const reader = spawn('sh', ['-c', `sleep 0.2; head -c ${LARGE.length} "$0" | wc -c`, path]);
  const counted = once(reader.stdout, 'data');
  t.equal(writeInTime(fd, LARGE, 60_000), true);
  t.equal(Number(String((await counted)[0])), LARGE.length);
});

t.test('write gives up when nobody reads in time, and sleeps meanwhile', (t) => {
  const { fd } = fullPipe(t);
  const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
  t.equal(writeInTime(fd, LARGE, PATIENCE_MS), false);
  const waitedMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(startCpu);
  t.ok(waitedMs >= PATIENCE_MS, `${waitedMs} ms`);
  t.ok((user + system) / 1000 < waitedMs / 2, `${(user + system) / 1000} ms of processor time in ${waitedMs} ms`);
  t.end();
});

t.test('write gives up at once when the descriptor never takes it', (t) => {
  const full = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(full));
  t.equal(writeInTime(full, 'lost', 2 ** 31), false);
  t.equal(writeInTime(full, '', 0), true, 'nothing is written at once');
  t.end();
});
