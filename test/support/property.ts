/** fast-check with the seed of the run. All property tests take it from here. */
import fc from 'fast-check';
import { SEED } from './seed.js';

// A failing property prints its own path beside the seed.
fc.configureGlobal({ seed: SEED });

export { fc };
