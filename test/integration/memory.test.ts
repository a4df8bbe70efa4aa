// What a burst of output leaves behind in the server's memory.
import t from 'tap';
import { residentBytesOf } from '../support/process-table.js';
import { startServer } from '../support/server.js';

/** As the page says: a minute after the burst. */
const LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 500;
/** Enough to be many times the idle server, and below the longest message that the client's `ws` takes by default. */
const BURST_BYTES = 90_000_000;

t.test(
  'memory of the server is back near that of an idle one within a minute after much buffered output',
  async (t) => {
    const server = await startServer(t);
    const client = await server.connect();
    const idleBytes = residentBytesOf(server.pid);
    let peakBytes = 0;
    const watch = setInterval(() => {
      peakBytes = Math.max(peakBytes, residentBytesOf(server.pid));
    }, 20);
    const script = `head -c ${BURST_BYTES} /dev/zero | tr '\\0' a`;
    const { stdout } = await client.exec({
      command: ['sh', '-c', script],
      disableOutputCap: true,
      disableTimeout: true,
    });
    clearInterval(watch);
    t.equal(stdout.length, BURST_BYTES);
    t.ok(peakBytes > 2 * idleBytes, `${peakBytes} bytes at its peak`);
    const deadlineMs = performance.now() + LIMIT_MS;
    while (residentBytesOf(server.pid) > 1.5 * idleBytes && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    const leftBytes = residentBytesOf(server.pid);
    t.ok(leftBytes < 1.5 * idleBytes, `${leftBytes} bytes left, ${idleBytes} when it was idle`);
  },
);
