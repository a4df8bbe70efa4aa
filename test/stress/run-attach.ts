/** `npm run test:stress -- attach`: runs the stress of coming back and prints its figures. */
import { stressAttach, WHOLE } from './attach.js';

let bad = 0;
const started = performance.now();
console.log(`Node ${process.version}`);
await stressAttach(WHOLE, ({ name, text, good }) => {
  if (!good) bad += 1;
  console.log(`${good ? 'ok ' : 'BAD'} ${name}: ${text}`);
});
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`${bad === 0 ? 'all within bounds' : `${bad} out of bounds`} after ${seconds} s`);
process.exit(bad === 0 ? 0 : 1);
