/** Runs the short form of the soak, without the comparison of memory, which depends on the machine. `npm run test:soak` runs the long one. */
import t from 'tap';
import { soak } from './soak.js';

const WARM_ROUNDS = 4;
const ROUNDS = 10;

t.test(
  'server holds no more descriptors, children, threads, timers, listeners or entries when rounds of load are over',
  async (t) => {
    const { warm, end, cuts, drains } = await soak({
      isWarm: (round) => round >= WARM_ROUNDS,
      isOver: (round) => round >= ROUNDS,
    });
    for (const name of ['descriptors', 'children', 'threads', 'timers', 'listeners', 'entries'] as const) {
      t.ok(end[name] <= warm[name], `${name}: ${warm[name]} at first, ${end[name]} at the end`);
    }
    t.ok(cuts > 0 && drains > 0, `${cuts} cuts, ${drains} drains`);
  },
);
