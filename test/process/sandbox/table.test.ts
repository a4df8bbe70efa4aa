// Plays the table of the policies in every environment that a server may run in. Knows no row.
import t from 'tap';
import { ENVIRONMENTS, play, playInside } from './environments.js';

/** Cases, of about 220, that a host plays even if it lacks many programs. */
const AT_LEAST = 150;

t.jobs = 2;

for (const environment of ENVIRONMENTS) {
  const { name, lacks } = environment;
  t.test(`table comes out as written when the server is ${name}`, { skip: lacks ?? false }, async (t) => {
    const played = await play(t, environment);
    t.ok(played > AT_LEAST, `${played} cases were played`);
  });
}

t.test('table comes out as written when the server runs inside its own sandbox', async (t) => {
  const played = await playInside(t, {});
  t.ok(played > AT_LEAST, `${played} cases were played`);
});
