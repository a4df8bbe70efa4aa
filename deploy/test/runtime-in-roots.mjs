// The runtime folder in four roots, by chroot and by runc. Started by runtime-folder.mjs inside private network, mount and PID namespaces, which end
// with it; its input is one JSON file.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';
import { check, failedChecks } from './report.mjs';
import { crashProblems, drainProblems, runAsProblems, serverProblems } from './runtime-checks.mjs';
import { containerCommand, mountForChroot, runInChroot, startInChroot, startInContainer } from './runtime-server.mjs';

const { runtimeFolder, roots, workFolder, cgroup } = JSON.parse(await readFile(process.argv[2], 'utf8'));
const place = { workFolder, cgroup };

/** @param {string} name @param {Promise<string[]>} problems */
async function checkNone(name, problems) {
  const found = await problems.catch((error) => [error.stack]);
  check(name, found.length === 0, found.join('; '));
}

/** The folder alone, as in an image made of nothing else, fills a volume. @returns {Promise<string>} the copy */
async function installed() {
  const [rootFolder, volume] = [join(workFolder, 'scratch'), join(workFolder, 'volume')];
  for (const part of ['execwire', 'proc', 'dev', 'sys', 'shared'])
    await mkdir(join(rootFolder, part), { recursive: true });
  await mkdir(volume, { mode: 0o777 });
  await run(['chmod', '777', volume]);
  const volumes = {
    '/execwire': { from: runtimeFolder, readOnly: true },
    '/shared': { from: volume, readOnly: false },
  };
  const command = ['/execwire/bin/execwire', 'install', '/shared'];
  for (const name of ['install', 'install-again']) {
    const { stdout } = await run(await containerCommand({ name, rootFolder, volumes, command }, place));
    check(`${name}: says where the copy is`, stdout === '/shared/execwire\n', stdout.trim());
  }
  const copy = join(volume, 'execwire');
  const { stdout } = await run(['diff', '--recursive', '--brief', runtimeFolder, copy], { check: false });
  check('execwire install copies the folder whole, from an image of nothing else', stdout === '', stdout);
  const { stdout: inside } = await run(['ls', '-A', volume]);
  check('it leaves nothing but the copy', inside === 'execwire\n', inside.trim());
  return copy;
}

async function checkInChroot(root) {
  await mountForChroot(root, runtimeFolder);
  const server = await startInChroot(root);
  await checkNone(`${root.name}, by chroot: serves`, serverProblems(server.url, root));
  const health = await runInChroot(root, ['health', '--listen', server.url]);
  check(`${root.name}, by chroot: execwire health is 0`, health.code === 0, health.stderr.trim());
  await checkNone(`${root.name}, by chroot: drains, exit code 0`, drainProblems(server, root));
  const ill = await runInChroot(root, ['health', '--listen', server.url]);
  check(`${root.name}, by chroot: execwire health is 1 when the server has gone`, ill.code === 1, ill.stderr.trim());
  const crashing = await startInChroot(root);
  await checkNone(`${root.name}, by chroot: nothing survives a SIGKILL of the server`, crashProblems(crashing, root));
  const asUser = await startInChroot(root, { user: '0:0', flags: ['--run-as', 'runner'] });
  await checkNone(`${root.name}, by chroot: --run-as without tools of the image`, runAsProblems(asUser.url, root));
  await asUser.stop();
}

async function checkInContainer(root, index, folder) {
  const server = await startInContainer(root, { name: `runtime-${index}`, runtimeFolder: folder, place });
  await checkNone(`${root.name}, by runc from an installed volume: serves`, serverProblems(server.url, root));
  await checkNone(`${root.name}, by runc: drains, exit code 0`, drainProblems(server, root));
}

await run(['ip', 'link', 'set', 'lo', 'up']);
const copy = await installed();
for (const [index, root] of roots.entries()) {
  await checkInContainer(root, index, copy);
  await checkInChroot(root);
}
process.exit(failedChecks().length > 0 ? 1 : 0);
