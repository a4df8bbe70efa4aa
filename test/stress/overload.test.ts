/** The short form of the deadlock stress; `npm run test:stress` runs the long one. */
import t from 'tap';
import { stressOverload } from './overload.js';

/** Replies owed to all connections together, and what the requests themselves take while they wait. */
const MOST_GROWTH_BYTES = 256 * 1024 * 1024;

t.test('clients that write without reading are all answered, and memory stays bounded', async (t) => {
  const result = await stressOverload({ connections: 20, requestsPerConnection: 300 });
  t.equal(result.wrong, 0);
  t.equal(result.answered + result.refused, 6000, 'each exactly once');
  t.ok(result.answered > 0);
  t.ok(result.grownBytes < MOST_GROWTH_BYTES, `grown by ${result.grownBytes} bytes`);
});
