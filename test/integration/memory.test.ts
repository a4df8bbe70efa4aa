// Shows that the server gives the memory of a burst of output back to the machine. Knows nothing of how it does so.
import t from 'tap';
import { peakResidentBytesOf, residentBytesOf } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';

/** The server checks its memory every 10 s, and a busy machine takes several times as long. Normally the wait is far shorter. */
const PATIENCE_MS = 240_000;
/** Enough to be many times the idle server, and below the longest string of a client. */
const BURST_BYTES = 90_000_000;

t.test('memory of the server falls near that of an idle one when much buffered output has been sent', async (t) => {
  const server = await startServer(t);
  const client = await server.session();
  const idleBytes = residentBytesOf(server.pid);
  const script = `head -c ${BURST_BYTES} /dev/zero | tr '\\0' a`;
  const params = { disableOutputCap: true, disableTimeout: true };
  const { stdout } = (await client.exec(['sh', '-c', script], params)).result;
  t.equal(stdout.length, BURST_BYTES);
  const peakBytes = peakResidentBytesOf(server.pid);
  t.ok(peakBytes > 2 * idleBytes, `${peakBytes} bytes at its peak`);
  const isBack = (): boolean => residentBytesOf(server.pid) < 1.5 * idleBytes;
  await until(`below 1.5 times ${idleBytes} bytes`, isBack, PATIENCE_MS);
});
