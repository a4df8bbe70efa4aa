/** The page behind something else: below a path, and behind the configurations of `deploy/`, with several replicas. */
import assert from 'node:assert/strict';
import { connect } from '../../client/src/node.js';
import { freePort, startBalancer } from '../../deploy/test/balancer.mjs';
import { balancerConfiguration } from '../../deploy/test/balancer-config.mjs';
import { findProgram } from '../../deploy/test/requirements.mjs';
import type { ServerProcess } from '../support/server-process.js';
import { browserTest } from './browser-test.js';
import { transferOf } from './clipboard.js';
import { PrefixProxy } from './prefix-proxy.js';

browserTest('page works, and uploads, below a path when a proxy takes the path off', async (t) => {
  const proxy = await PrefixProxy.start('/box7/a%20b', t.server.port);
  t.after(() => proxy.close());
  const terminal = await t.open({ base: proxy.base });
  await terminal.run('echo below-a-""path');
  await terminal.page.reload();
  await terminal.untilShown('below-a-path');
  await terminal.type('cat ');
  const dataTransfer = await transferOf(terminal.page, [
    { name: 'dropped', type: 'text/plain', base64: Buffer.from('what is in it\n').toString('base64') },
  ]);
  await terminal.panel.locator('.xterm').dispatchEvent('drop', { dataTransfer });
  await terminal.untilScreen('a typed path', (screen) => /cat \S+dropped/.test(screen.replaceAll('\n', '')));
  await terminal.press('Enter');
  await terminal.untilShown('what is in it');
  // With a slash at its end the address is the same page.
  await terminal.page.goto(`${proxy.base}/terminal/`);
  assert.equal(terminal.page.url(), `${proxy.base}/terminal`);
  await terminal.untilShown('below-a-path');
  assert.deepEqual(proxy.strayed, []);
});

for (const program of ['haproxy', 'nginx'] as const) {
  browserTest(
    `page stays with its replica behind ${program} when another one is restarted, and comes back there`,
    async (t) => {
      if (findProgram(program) === undefined) t.skip(`${program} is missing`);
      const port = await freePort();
      const replicas = await Promise.all([t.startServer(), t.startServer()]);
      const addresses = replicas.map((replica) => `127.0.0.1:${replica.port}`);
      const workFolder = t.folder();
      const file = await balancerConfiguration(program, { addresses, port, workFolder });
      const balancer = await startBalancer(program, { file, workFolder, port });
      t.after(() => balancer.stop());
      const terminal = await t.open({ base: `http://127.0.0.1:${port}` });
      await terminal.run('variable=kept; echo behind-a-""balancer');
      const hasShell = async (replica: ServerProcess): Promise<boolean> => {
        const box = await connect(replica.url, { name: 'test', token: t.workplace.token });
        try {
          return (await box.list()).length > 0;
        } finally {
          await box.close();
        }
      };
      const owners = await Promise.all(replicas.map(hasShell));
      assert.equal(owners.filter((owns) => owns).length, 1);
      const [other] = replicas.filter((_, index) => owners[index] === false);
      assert.ok(other !== undefined);
      const { exit, url } = other;
      assert.equal(exit, undefined);
      assert.equal((await other.stop()).code, 0);
      assert.match(await terminal.run('echo "variable is $variable"'), /variable is kept/);
      await t.startServer({ listen: url });
      await terminal.page.reload();
      await terminal.untilShown('behind-a-balancer');
      assert.match(await terminal.run('echo "still $variable"'), /still kept/);
    },
  );
}
