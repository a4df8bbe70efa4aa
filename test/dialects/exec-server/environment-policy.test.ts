// Shows what a process of the exec-server protocol inherits of the server's environment.
import t from 'tap';
import { baseEnvironment } from '../../../src/dialects/exec-server/environment-policy.js';

const SERVER = { HOME: '/root', PATH: '/bin', API_KEY: 'k', monkey: 'm', My_Token: 't', OTHER: 'o' };
const POLICY = {
  inherit: 'all' as const,
  ignoreDefaultExcludes: true,
  exclude: [] as string[],
  set: {} as Record<string, string>,
  includeOnly: [] as string[],
};

t.test('environment has what its policy says, and nothing when there is no policy', (t) => {
  const base = (policy: object): object => ({ ...baseEnvironment({ ...POLICY, ...policy }, SERVER) });
  t.same({ ...baseEnvironment(undefined, SERVER) }, {}, 'nothing without a policy');
  t.same({ ...baseEnvironment(null, SERVER) }, {}, 'nothing with null');
  t.same(base({}), SERVER);
  t.same(base({ inherit: 'core' }), { HOME: '/root', PATH: '/bin' });
  t.same(base({ inherit: 'none' }), {});
  t.same(base({ ignoreDefaultExcludes: false }), { HOME: '/root', PATH: '/bin', OTHER: 'o' });
  t.same(base({ inherit: 'core', exclude: ['p?TH'] }), { HOME: '/root' });
  t.same(base({ inherit: 'none', ignoreDefaultExcludes: false, set: { A_KEY: '1' } }), { A_KEY: '1' });
  t.same(base({ includeOnly: ['*O*E'], set: { DROPPED: '1' } }), { HOME: '/root' });
  t.end();
});

t.test('environment keeps a variable when its name is __proto__', (t) => {
  const environment = baseEnvironment({ ...POLICY, set: JSON.parse('{"__proto__":"p"}') }, {});
  t.same(Object.keys(environment), ['__proto__']);
  t.equal(Object.getPrototypeOf(environment), null);
  t.end();
});

t.test('pattern is decided soon when it has hundreds of stars', (t) => {
  const name = 'a'.repeat(2000);
  t.same({ ...baseEnvironment({ ...POLICY, exclude: [`${'a*'.repeat(500)}b`] }, { [name]: '1' }) }, { [name]: '1' });
  t.end();
});
