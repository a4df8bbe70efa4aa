/** Runs the short form of the stress of full queues; `npm run test:stress -- overload` runs the long one. */
import t from 'tap';
import { stressOverload } from './overload.js';

/** Most growth of the server: replies owed to all connections together, and the requests themselves while they wait. */
const MOST_GROWTH_BYTES = 256 * 1024 * 1024;

t.test('server answers every request, and its memory stays bounded, when clients write without reading', async (t) => {
  const result = await stressOverload({ connections: 20, requestsPerConnection: 300 });
  t.equal(result.wrong, 0);
  t.equal(result.answered + result.refused, 6000, 'each request exactly once');
  t.ok(result.answered > 0);
  t.ok(result.grownBytes < MOST_GROWTH_BYTES, `grown by ${result.grownBytes} bytes`);
});
