/** fast-check with the seed of the run. Every test of a property takes it from here. */
import fc from 'fast-check';
import { SEED } from './seed.js';

// What fails names its own path beside it.
fc.configureGlobal({ seed: SEED });

export { fc };
