/** Runs the programs of docs/guide/agent-sandbox.md against a server that takes tokens as a sandbox does, behind a router that drops `Authorization`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { allBlocksOf, blocksOf, shownPattern } from '../support/page-examples.js';
import { PROJECT, printedBy, programFolder } from '../support/page-programs.js';
import { SandboxRouter, sandboxHost } from '../support/sandbox-router.js';
import { startServer } from '../support/server.js';

const PAGE = readFileSync(join(PROJECT, 'docs/guide/agent-sandbox.md'), 'utf8');
const DOCUMENTED_URL = 'ws://sandbox-router-svc.agent-sandbox-system:8080';
const SANDBOX = 'python-x7k2p';
const OTHER = 'python-other';

/** The programs of the page in a folder, the router in place of the documented one. */
function savePrograms(t: Test, routerUrl: string): string {
  const folder = programFolder(t);
  for (const { fileName, text } of allBlocksOf(PAGE)) {
    if (fileName !== undefined) writeFileSync(join(folder, fileName), text.replaceAll(DOCUMENTED_URL, routerUrl));
  }
  return folder;
}

t.test(
  'programs of the page make keys and run a task in the sandbox that their token is for, and in no other',
  async (t) => {
    const sandboxes = new Map<string, number>();
    const router = await SandboxRouter.start(sandboxes);
    t.teardown(() => router.close());
    const folder = savePrograms(t, router.url);
    t.equal(await printedBy(folder, ['node', 'keys.mjs'], ''), '');

    // On loopback alone a server looks at the host.
    const hosts = [SANDBOX, OTHER].flatMap((name) => ['--allow-host', sandboxHost(name)]);
    const keys = ['--ws-auth', 'signed-bearer-token', '--ws-jwks-file', join(folder, 'jwks.json')];
    const server = await startServer(t, { flags: [...keys, '--ws-audience', SANDBOX, ...hosts] });
    for (const name of [SANDBOX, OTHER]) sandboxes.set(name, Number(new URL(server.url).port));
    const task = (name: string): Promise<string> =>
      printedBy(folder, ['env', `SANDBOX=${name}`, 'node', 'task.mjs'], '');
    const [shown] = blocksOf(PAGE, 'text');
    t.match(await task(SANDBOX), shownPattern(shown ?? ''));

    t.match(await task(OTHER), /HTTP 401/, 'a token for another name');
  },
);

t.test('the page names the objects and files that the manifests have', async (t) => {
  const files = ['sandbox-template', 'sandbox-warm-pool', 'sandbox-claim'];
  const manifests = files
    .map((name) => readFileSync(join(PROJECT, `deploy/agent-sandbox/${name}.yaml`), 'utf8'))
    .join('---\n');
  for (const word of [
    'execwire-keys',
    'namespace: agents',
    'name: task-1',
    'ws://0.0.0.0:8888',
    '- 30s',
    '/etc/execwire/keys/jwks.json',
  ]) {
    t.ok(manifests.includes(word), `the manifests have ${word}`);
  }
  for (const word of ['execwire-keys', '--namespace agents', 'sandboxclaim/task-1', 'jwks.json', '8888', '30 s']) {
    t.ok(PAGE.includes(word), `the page has ${word}`);
  }
});
