/** Tries pictures of terminals at many random places: `screen-divisions.ts [times] [seed]…`. The tests of screens run a short form. */
import { tryDivisions } from '../support/divided-output.js';

const [times = '10000', ...seeds] = process.argv.slice(2);
for (const seed of seeds.length === 0 ? ['1'] : seeds) {
  await tryDivisions(Number(times), Number(seed));
  console.log(`${times} divisions with seed ${seed}: no difference`);
}
