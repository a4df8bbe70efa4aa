// The long form: 10,000 commands under 200 plans, with figures. As one bundle, because it is about threads of this very process.
import { builtScripts, WORKER } from '../process/sandbox/built-scripts.js';
import type { stressSandboxes } from './sandboxes.js';

const [worker, stress] = await builtScripts(WORKER, 'test/stress/sandboxes.ts');
const bundle: { readonly stressSandboxes: typeof stressSandboxes } = await import(stress);
const figures = await bundle.stressSandboxes(worker, 10_000, 200);
console.log(JSON.stringify(figures, undefined, 2));
process.exitCode = figures.failures.length === 0 ? 0 : 1;
