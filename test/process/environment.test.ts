// Shows what a child finds in its environment. Starts no child.
import t from 'tap';
import { MARKER_VARIABLE } from '../../src/process/environment.js';
import { childEnvironment } from '../support/child-environment.js';

const inherited = {
  PATH: '/bin',
  HOME: '/root',
  TERM: 'screen',
  EXECWIRE_WS_TOKEN: 'secret',
  OTEL_EXPORTER_OTLP_HEADERS: 'secret',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'x',
};
const plain = { overrides: {}, marker: 'm.1', tty: false, inherited };

t.test("childEnvironment leaves out the server's own variables", async (t) => {
  t.same(
    { ...childEnvironment(plain) },
    {
      PATH: '/bin',
      HOME: '/root',
      TERM: 'screen',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_REGION: 'x',
      [MARKER_VARIABLE]: 'm.1',
    },
  );
});

t.test("childEnvironment takes the server's environment when nothing else is given", async (t) => {
  const { inherited: _, ...rest } = plain;
  t.equal(childEnvironment(rest).PATH, process.env.PATH);
});

t.test('childEnvironment gives back what the launcher of a runtime folder has moved aside', async (t) => {
  const aside = {
    ...inherited,
    EXECWIRE_ASIDE_NODE_OPTIONS: '--require=/agent.js',
    EXECWIRE_ASIDE_LD_PRELOAD: Buffer.from([0xff]),
    EXECWIRE_ASIDE_EXECWIRE_WS_TOKEN: 'secret',
    EXECWIRE_ASIDE_: 'nameless',
    EXECWIRE_RUNTIME: '/execwire',
  };
  const environment = childEnvironment({ ...plain, inherited: aside });
  t.match(environment, { NODE_OPTIONS: '--require=/agent.js', LD_PRELOAD: Buffer.from([0xff]) });
  t.same(
    Object.keys(environment).filter((name) => /EXECWIRE|^$/.test(name)),
    [MARKER_VARIABLE],
  );
  const filtered = childEnvironment({ ...plain, inherited: aside, deny: ['NODE_*'] });
  t.equal(filtered.NODE_OPTIONS, undefined, 'patterns mean the names that commands see');
  t.ok(filtered.LD_PRELOAD);
  const changed = childEnvironment({ ...plain, inherited: aside, overrides: { NODE_OPTIONS: null } });
  t.equal(changed.NODE_OPTIONS, undefined);
});

t.test('childEnvironment sets and unsets when the request overrides', async (t) => {
  const environment = childEnvironment({
    ...plain,
    overrides: { HOME: null, NEW: '', PATH: '/opt', EXECWIRE_X: 'mine' },
  });
  t.notHas(environment, { HOME: '/root' });
  t.equal(environment.NEW, '');
  t.equal(environment.PATH, '/opt');
  t.equal(environment.EXECWIRE_X, 'mine');
});

t.test('childEnvironment keeps the marker when the request overrides or unsets it', async (t) => {
  for (const value of ['forged', null]) {
    t.equal(childEnvironment({ ...plain, overrides: { [MARKER_VARIABLE]: value } })[MARKER_VARIABLE], 'm.1');
  }
});

t.test('childEnvironment names a terminal type when a terminal has none', async (t) => {
  t.equal(childEnvironment({ ...plain, tty: true }).TERM, 'screen');
  t.equal(childEnvironment({ ...plain, tty: true, overrides: { TERM: 'vt100' } }).TERM, 'vt100');
  t.equal(childEnvironment({ ...plain, tty: true, overrides: { TERM: null } }).TERM, 'xterm-256color');
  t.equal(childEnvironment({ ...plain, overrides: { TERM: null } }).TERM, undefined);
});

t.test('childEnvironment filters inherited variables and no others when patterns are given', async (t) => {
  const names = (options: object): string[] => Object.keys(childEnvironment({ ...plain, ...options })).toSorted();
  t.same(names({ deny: ['AWS_*'] }), [MARKER_VARIABLE, 'HOME', 'PATH', 'TERM']);
  t.same(names({ deny: ['*SECRET*KEY'] }), ['AWS_REGION', MARKER_VARIABLE, 'HOME', 'PATH', 'TERM']);
  t.same(names({ allow: ['PATH', 'AWS_*'], deny: ['*_KEY'] }), ['AWS_REGION', MARKER_VARIABLE, 'PATH']);
  t.same(names({ allow: [] }), names({}));
  t.same(names({ deny: ['*'], overrides: { AWS_REGION: 'y' } }), ['AWS_REGION', MARKER_VARIABLE]);
  t.same(names({ allow: ['EXECWIRE_*', 'A.*', 'P?TH'] }), [MARKER_VARIABLE]);
});

t.test('childEnvironment carries a name that is special to JavaScript', async (t) => {
  const environment = childEnvironment({ ...plain, overrides: JSON.parse('{"__proto__": "x", "constructor": "y"}') });
  t.same(
    Object.keys(environment).filter((name) => name === '__proto__' || name === 'constructor'),
    ['__proto__', 'constructor'],
  );
});
