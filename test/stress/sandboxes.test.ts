// Runs the short form of the stress of sandboxes; `npm run test:stress -- sandboxes` runs the long one.
import t from 'tap';
import { builtScripts, WORKER } from '../process/sandbox/built-scripts.js';
import { stressSandboxes } from './sandboxes.js';

/** Memory maps that koffi keeps of a thread that has ended (3), and some that V8 makes meanwhile. */
const MAPS_PER_THREAD = 5;

t.test(
  'sandboxes leave no threads, no descriptors and few memory maps when hundreds of commands have run',
  async (t) => {
    const [worker] = await builtScripts(WORKER);
    const figures = await stressSandboxes(worker, 240, 24);
    t.same(figures.failures, []);
    t.ok(figures.threadsStarted >= 24, 'each plan had a thread of its own');
    t.ok(figures.threads <= 1, `${figures.threads} threads more`);
    t.ok(figures.descriptors <= 4, `${figures.descriptors} descriptors more`);
    t.ok(figures.maps <= MAPS_PER_THREAD * figures.threadsStarted, `${figures.maps} maps more`);
    t.comment(JSON.stringify(figures));
  },
);
