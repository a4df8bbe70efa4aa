// `npm run test:stress -- sandboxes`: runs 10,000 commands under 200 plans and prints figures. Bundles the stress, because it counts the threads of this
// process.
import { builtScripts, WORKER } from '../process/sandbox/built-scripts.js';
import type { stressSandboxes } from './sandboxes.js';

const [worker, stress] = await builtScripts(WORKER, 'test/stress/sandboxes.ts');
const bundle: { readonly stressSandboxes: typeof stressSandboxes } = await import(stress);
const figures = await bundle.stressSandboxes(worker, 10_000, 200);
console.log(JSON.stringify(figures, undefined, 2));
// If each thread left its call stack behind, there would be three more maps for each.
const isClean = figures.threads <= 0 && figures.descriptors <= 0 && figures.maps < figures.plans;
process.exitCode = figures.failures.length === 0 && isClean ? 0 : 1;
