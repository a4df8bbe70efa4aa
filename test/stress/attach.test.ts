/** Runs the short form of the stress of coming back; `npm run test:stress -- attach` runs the long one. */
import t from 'tap';
import { SHORT, stressAttach } from './attach.js';

t.test(
  'coming back loses no byte, doubles none and runs nothing twice when connections break and clients are killed',
  async (t) => {
    await stressAttach(SHORT, ({ name, text, good }) => t.ok(good, `${name}: ${text}`));
  },
);
