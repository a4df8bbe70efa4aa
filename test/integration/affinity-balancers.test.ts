/** Shows that clients come back to their commands on three replicas behind HAProxy and nginx, where those are installed. Knows no wire. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { blocksOf } from '../support/page-examples.js';

/** A run takes about 20 s; a busy machine takes several times as long. */
const LIMIT_MS = 300_000;
const LOADER = '--import=tsx';

/** Debian puts both programs into folders that often only root's PATH names. */
function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/usr/local/sbin command -v ${program}`]).status === 0;
}

t.setTimeout(2 * LIMIT_MS);

for (const program of ['haproxy', 'nginx']) {
  t.test(
    `commands of replicas behind ${program} are reached again when connections are cut and replicas restarted`,
    { skip: !isInstalled(program) && `${program} is not installed` },
    (t) => {
      const script = [LOADER, 'deploy/test/rolling-affinity.mjs', program];
      const run = spawnSync(process.execPath, script, { encoding: 'utf8', timeout: LIMIT_MS });
      const [, commands, reached, asked, moved, strays, twice] =
        /commands (\d+), came back (\d+) of (\d+), moved (\d+), strays (\d+), executed twice (\d+)/.exec(run.stdout) ??
        [];
      t.equal(run.status, 0, `${run.stdout.split('\n').slice(-40).join('\n')}${run.stderr.slice(-2000)}`);
      t.ok(Number(commands) >= 18, `${commands} commands`);
      t.equal(Number(reached), Number(asked) - Number(moved));
      t.ok(Number(reached) >= 40, `${reached} returns`);
      t.same([strays, twice], ['0', '0'], 'new clients on a draining replica, commands that ran twice');
      // docs/operations.md promises this for HAProxy only.
      if (program === 'haproxy') t.equal(moved, '0', 'commands that were looked for at another replica');
      t.end();
    },
  );
}

const isHaproxyMissing = !isInstalled('haproxy') && 'haproxy is not installed';

t.test('haproxy accepts its configuration when it is changed as the pages say', { skip: isHaproxyMissing }, (t) => {
  const own = readFileSync('deploy/haproxy/haproxy.cfg', 'utf8');
  const accepts = (name: string, text: string): void => {
    const file = join(t.testdir(), 'haproxy.cfg');
    writeFileSync(file, text);
    const { status, stderr } = spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin haproxy -c -L balancer-1 -f ${file}`], {
      encoding: 'utf8',
    });
    t.equal(status, 0, `${name}: ${stderr}`);
  };
  accepts('as it is', own);

  const withPeers = own
    .replace(/^# (peers execwire-peers\n)# ( +peer .*\n)# ( +peer .*\n)/m, '$1$2$3')
    .replace('expire 24h\n', 'expire 24h peers execwire-peers\n');
  t.match(withPeers, /^peers execwire-peers\n {4}peer balancer-1 /m);
  accepts('with peers', withPeers);

  const [forCluster = ''] = blocksOf(readFileSync('docs/operations.md', 'utf8'), 'haproxy');
  const [resolvers, servers] = forCluster.split('backend execwire\n');
  const inCluster = own.replace(/^ {4}(default-)?server .*\n/gm, '').concat(servers ?? '', '\n', resolvers ?? '');
  t.match(inCluster, /server-template/);
  accepts('in a cluster', inCluster);
  t.end();
});
