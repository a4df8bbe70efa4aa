/** Runs the short form of the stress of commands; `npm run test:stress -- commands` runs the long one. */
import t from 'tap';
import { SHORT, stress } from './commands.js';

t.test(
  'commands lose no byte and leave nothing behind when hundreds run, trees are killed and servers crash',
  async (t) => {
    await stress(SHORT, ({ name, text, good }) => t.ok(good, `${name}: ${text}`));
  },
);
