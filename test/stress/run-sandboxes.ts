// The long form: 10,000 commands under 200 plans, with figures. As one bundle, because it is about threads of this very process.
import { builtScripts, WORKER } from '../process/sandbox/built-scripts.js';
import type { stressSandboxes } from './sandboxes.js';

const [worker, stress] = await builtScripts(WORKER, 'test/stress/sandboxes.ts');
const bundle: { readonly stressSandboxes: typeof stressSandboxes } = await import(stress);
const figures = await bundle.stressSandboxes(worker, 10_000, 200);
console.log(JSON.stringify(figures, undefined, 2));
// A call stack that is left behind by each thread would be three maps each.
const isClean = figures.threads <= 0 && figures.descriptors <= 0 && figures.maps < figures.plans;
process.exitCode = figures.failures.length === 0 && isClean ? 0 : 1;
