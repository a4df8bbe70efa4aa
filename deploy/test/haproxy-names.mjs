// Replicas that come back with other addresses, as containers do: HAProxy finds them with EXECWIRE_RESOLVE, and not without it. Started by run.mjs inside
// private network, mount and PID namespaces, which end with it; its input is one JSON file. The replicas are stand-ins, because HAProxy only checks them.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { startBalancer } from './balancer.mjs';
import { balancerConfiguration } from './balancer-config.mjs';
import { run } from './command.mjs';
import { startNameServer } from './name-server.mjs';
import { waitForStatus } from './probe.mjs';
import { check, checkCaught, failedChecks } from './report.mjs';

const BALANCER_PORT = 8080;
const THROUGH_BALANCER = `http://127.0.0.1:${BALANCER_PORT}/readyz`;
/** HAProxy asks for names once a second, and checks twice a second. */
const FOUND_WITHIN_MS = 20_000;
/** Long enough for a HAProxy that asks to have found the replica. */
const NOT_FOUND_WITHIN_MS = 3000;

/** Name → address, as a container engine's name server has them. */
const names = new Map();

/** A replica that is always ready. */
async function startReplica(name, address) {
  const server = createServer((_request, response) => response.end());
  await new Promise((resolve) => server.listen(8080, address, resolve));
  names.set(name, address);
  return () => {
    names.delete(name);
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
}

/** Lets a replica move, and then one come that was not there at the start; no other is left. @throws {Error} at the first that is not found */
async function findMovedAndNew(workFolder, withinMs) {
  const find = () => waitForStatus(THROUGH_BALANCER, 200, { timeoutMs: withinMs });
  const file = await balancerConfiguration('haproxy', { port: BALANCER_PORT, workFolder });
  const stopFirst = await startReplica('execwire-1', '127.0.0.11');
  const balancer = await startBalancer('haproxy', { file, workFolder, port: BALANCER_PORT });
  try {
    await waitForStatus(THROUGH_BALANCER, 200);
    await stopFirst();
    await waitForStatus(THROUGH_BALANCER, 503);
    const stopMoved = await startReplica('execwire-1', '127.0.0.21');
    await find().finally(stopMoved);
    const stopNew = await startReplica('execwire-4', '127.0.0.24');
    await find().finally(stopNew);
  } finally {
    await balancer.stop();
  }
}

/** @returns {Promise<string[]>} problems; empty when both are found */
const problemsWithin = (workFolder, ms) =>
  findMovedAndNew(workFolder, ms).then(
    () => [],
    ({ message }) => [message],
  );

const input = JSON.parse(await readFile(process.argv[2], 'utf8'));
const workFolder = join(input.workFolder, 'names');
await mkdir(workFolder, { recursive: true });
const resolvConf = join(workFolder, 'resolv.conf');
await writeFile(resolvConf, 'nameserver 127.0.0.1\n');
await run(['mount', '--bind', resolvConf, '/etc/resolv.conf']);
await run(['ip', 'link', 'set', 'lo', 'up']);
const stopNameServer = await startNameServer(names);

process.env.EXECWIRE_RESOLVE = '1';
const problems = await problemsWithin(workFolder, FOUND_WITHIN_MS);
check('HAProxy finds replicas that have moved or are new, by their names', problems.length === 0, problems.join('; '));
delete process.env.EXECWIRE_RESOLVE;
checkCaught('a HAProxy that asks for names once', await problemsWithin(workFolder, NOT_FOUND_WITHIN_MS));

stopNameServer();
process.exit(failedChecks().length > 0 ? 1 : 0);
