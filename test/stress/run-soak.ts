/**
 * `npm run test:soak`, or `npm run test:soak -- MINUTES`: uses a server in every way for ten minutes and compares what it holds at the end with what it
 * held after the first minute. Prints the lines of docs/reliability.md and ends with 1 when something has grown. Knows no request.
 */
import { type AtRest, soak } from './soak.js';

const MINUTE_MS = 60_000;
const MIB = 1024 * 1024;

/**
 * Growth that is allowed: V8 maps and unmaps pages of its heap, and the allocator keeps memory that threads freed. Everything else must not grow at all.
 */
const SLACK: Partial<Record<keyof AtRest, number>> = { maps: 32, heapBytes: MIB, residentBytes: 8 * MIB };

const minutes = Number(process.argv[2] ?? 10);
if (!(minutes > 1))
  throw new Error(`${process.argv[2]} minutes: give a number above 1, because the first minute is not compared`);
const startedAtMs = performance.now();
const elapsedMs = (): number => performance.now() - startedAtMs;

const { rounds, warm, end, ...counts } = await soak({
  isWarm: () => elapsedMs() >= MINUTE_MS,
  isOver: () => elapsedMs() >= minutes * MINUTE_MS,
});

const done = Object.entries({ ...counts }).map(([name, count]) => `${count} ${name}`);
console.log(`${minutes} minutes on Node ${process.version}, ${rounds} rounds: ${done.join(', ')}`);
let grown = 0;
for (const [name, before] of Object.entries(warm) as [keyof AtRest, number][]) {
  const isBytes = name.endsWith('Bytes');
  const shown = (value: number): string => (isBytes ? `${(value / MIB).toFixed(1)} MiB` : String(value));
  const isGood = end[name] <= before + (SLACK[name] ?? 0);
  if (!isGood) grown += 1;
  console.log(
    `${isGood ? 'ok ' : 'BAD'} ${name}: ${shown(before)} after the first minute, ${shown(end[name])} at the end`,
  );
}
process.exitCode = grown === 0 ? 0 : 1;
