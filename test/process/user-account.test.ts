// Shows how a user is found in the files of a host that has no program for it.
import t from 'tap';
import { listedGroups, passwdLine } from '../../src/process/user-account.js';

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\n1001:x:5:5::/five:\nrunner:x:1001:1001::/home/runner:/bin/sh\n';
const GROUP =
  'root:x:0:\nrunner:x:1001:\nextra:x:1002:other,runner\nbroken\nagain:x:1001:runner\nnone:x:1003:runners\n';

t.test('passwdLine finds a user by name, then by number', async (t) => {
  t.match(passwdLine(PASSWD, 'runner'), /^runner:/);
  t.match(passwdLine(PASSWD, '0'), /^root:/);
  t.match(passwdLine(PASSWD, '1001'), /^1001:/, 'a name that looks like a number');
  for (const unknown of ['', 'x', 'root:x', '/bin/sh', '4711']) t.equal(passwdLine(PASSWD, unknown), '', unknown);
});

t.test('listedGroups has the primary group first, and each group once', async (t) => {
  t.same(listedGroups(GROUP, 'runner', 1001), [1001, 1002]);
  t.same(listedGroups('', 'runner', 1001), [1001]);
});
