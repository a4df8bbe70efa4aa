/** The short form of coming back against a model; `npm run test:stress -- attach` runs the long one. */
import t from 'tap';
import { runAttachModel } from './attach-model.js';

t.test('views and gaps are the output and input takes effect once when connections break at any byte', async (t) => {
  const { runs, cuts, gapBytes, outputBytes } = await runAttachModel({ runs: 40, forMs: 12_000 });
  t.ok(runs > 0 && cuts > 0, `${runs} runs, ${cuts} cuts, ${outputBytes} bytes, ${gapBytes} of them in gaps`);
});
