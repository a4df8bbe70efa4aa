// The table of the policies in every environment that a server may run in.
import t from 'tap';
import { ENVIRONMENTS, play, playInside } from './environments.js';

/** Of about 220, where many programs are missing. */
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
