// The one decision what a principal may do, and that no method is without a right.
import t from 'tap';
import { ANONYMOUS, jwtPrincipal, TOKEN_HOLDER, UNIX_PEER } from '../../src/auth/principal.js';
import { mayDo } from '../../src/policy/may-do.js';
import { execServerMethods } from '../../src/protocol/methods/exec-server.js';
import { execServerFileMethods } from '../../src/protocol/methods/exec-server-files.js';
import type { MethodDefinition } from '../../src/protocol/methods/method-definition.js';
import { methods } from '../../src/protocol/methods.js';

t.test('mayDo allows everything until the credential has expired', (t) => {
  for (const principal of [ANONYMOUS, TOKEN_HOLDER, UNIX_PEER]) t.same(mayDo(principal, 'exec'), { allowed: true });
  const principal = jwtPrincipal({}, 1000);
  t.same(mayDo(principal, 'files:read', 999), { allowed: true });
  t.match(mayDo(principal, 'exec', 1000), { allowed: false, reason: /expired/ });
  t.equal(mayDo(principal, 'connect').allowed, false);
  t.end();
});

t.test('every method names the right that it needs', (t) => {
  const actions = ['connect', 'exec', 'observe', 'files:read', 'files:write'];
  const table: Record<string, MethodDefinition> = methods;
  const rows = [
    ...Object.entries(table),
    ...Object.entries<MethodDefinition>({ ...execServerMethods, ...execServerFileMethods }),
  ];
  for (const [name, { action }] of rows) t.ok(actions.includes(action), `${name}: ${action}`);
  const writing = Object.keys(methods).filter((name) => table[name]?.action === 'files:write');
  t.same(writing, ['fs/writeFile', 'fs/createDirectory', 'fs/remove', 'fs/copy']);
  t.end();
});
