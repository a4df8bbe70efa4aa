// Shows that the attacks on the server fail in every environment that it may run in, and with older versions of Landlock. Knows no attack.
import t from 'tap';
import { ENVIRONMENTS, play, playInside } from './environments.js';

const AT_LEAST = 100;
/** Rows about files, and about what an older version lacks. */
const ROWS_OF_FILES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 18, 30, 33, 39, 50, 54, 57, 61];

t.jobs = 2;

for (const environment of ENVIRONMENTS) {
  const { name, lacks, options } = environment;
  t.test(`attacks fail when the server is ${name}`, { skip: lacks ?? false }, async (t) => {
    const played = await play(t, { ...environment, options: { ...options, cases: 'attacks' } });
    t.ok(played > AT_LEAST, `${played} were tried`);
  });
}

t.test('attacks fail when the server runs inside its own sandbox', async (t) => {
  const played = await playInside(t, { cases: 'attacks' });
  t.ok(played > AT_LEAST, `${played} were tried`);
});

for (const newestAbi of [1, 2, 3, 4, 5, 6, 7]) {
  t.test(`rows about files come out as written when only version ${newestAbi} of Landlock is used`, async (t) => {
    const played = await play(t, { options: { newestAbi, mounts: false, rows: ROWS_OF_FILES } });
    t.ok(played > ROWS_OF_FILES.length, `${played} cases were played`);
  });
}
