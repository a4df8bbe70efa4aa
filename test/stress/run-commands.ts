/** `npm run test:stress -- commands`: runs the stress of commands and prints its figures. */
import { stress, WHOLE } from './commands.js';

let bad = 0;
const started = performance.now();
console.log(`Node ${process.version}`);
await stress(WHOLE, ({ name, text, good }) => {
  if (!good) bad += 1;
  console.log(`${good ? 'ok ' : 'BAD'} ${name}: ${text}`);
});
console.log(
  `${bad === 0 ? 'all within bounds' : `${bad} out of bounds`} after ${Math.round((performance.now() - started) / 1000)} s`,
);
process.exit(bad === 0 ? 0 : 1);
