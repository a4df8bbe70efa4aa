// Three plain replicas on loopback behind HAProxy or nginx, restarted in turn, and clients that come back to their detachable commands:
// `node --import=tsx deploy/test/rolling-affinity.mjs haproxy|nginx`.
// Needs the balancer and the built server; no root, no container. Skipped, with a message, where one of them is missing.
//
//     replica 1 drains with time enough · replica 2 drains to its deadline · replica 3 is killed
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '../../test/support/ask.js';
import { ServerProcess } from '../../test/support/server-process.js';
import { until } from '../../test/support/until.js';
import { AffinityClients } from './affinity-clients.mjs';
import { freePort, startBalancer } from './balancer.mjs';
import { balancerConfiguration } from './balancer-config.mjs';
import { onCleanup, refuseWhileUndoing } from './cleanup.mjs';
import { countExecutions } from './journal.mjs';
import { waitForStatus } from './probe.mjs';
import { check, step } from './report.mjs';
import { runProgram } from './rolling-program.mjs';

/** Only the second replica reaches its deadline; it still has commands then. */
const DRAIN_TIMEOUTS = ['10m', '3s', '10m'];
const NEWCOMERS = 6;
/** Twice as long as HAProxy needs: it takes a replica out after two checks, 500 ms apart. */
const BALANCER_NOTICE_MS = 2000;

const program = process.argv[2] ?? '';

/** One address: a replica, and after its end another one. */
class Place {
  constructor(index, workFolder) {
    this.index = index;
    this.folder = join(workFolder, `replica-${index}`);
    this.port = 0;
  }

  async start() {
    await mkdir(this.folder, { recursive: true });
    // Each has a loopback address of its own, so that no outgoing connection can take its port while it restarts.
    const listen = `ws://127.0.0.${this.index + 2}:${this.port}`;
    const flags = ['--drain-timeout', DRAIN_TIMEOUTS[this.index], '--kill-grace', '2s'];
    refuseWhileUndoing();
    // Set before the server listens, so that the cleanup finds it at any time.
    this.server = new ServerProcess({ listen, flags, cwd: this.folder });
    await this.server.untilListening();
    this.port = this.server.port;
    const client = await this.server.wire();
    const params = { clientInfo: { name: 'test', version: '1' } };
    this.serverId = (await client.request('initialize', params)).result.serverId;
    await client.close();
  }

  /** Sends SIGTERM, and waits until the replica refuses new clients and the balancer has noticed it. */
  async drain() {
    this.server.signal('SIGTERM');
    await until('the replica drains', async () => (await ask(this.server, { upgrade: true })).status === 503);
    await delay(BALANCER_NOTICE_MS);
  }
}

/** Cuts every connection, and checks that all commands are reached again, except those that `mayMiss` names. */
async function cutAndComeBack(clients, when, mayMiss = () => false) {
  const { reached, missed } = await clients.cutAll();
  const all = reached + missed.length;
  check(`${program}: commands are reached again ${when}`, reached > 0 && missed.every(mayMiss), `${reached} of ${all}`);
  return missed;
}

async function main() {
  const workFolder = await mkdtemp(join(tmpdir(), 'execwire-affinity-'));
  onCleanup('work folder', () => rm(workFolder, { recursive: true, force: true }));
  const places = [0, 1, 2].map((index) => new Place(index, workFolder));
  onCleanup('replicas', () => Promise.all(places.map(({ server }) => server?.crash())));
  for (const place of places) await place.start();
  const [first, second, third] = places;
  const port = await freePort();
  const addresses = places.map(({ server }) => `${server.host}:${server.port}`);
  const file = await balancerConfiguration(program, { addresses, port, workFolder });
  const balancer = await startBalancer(program, { file, workFolder, port });
  onCleanup('balancer', () => balancer.stop());
  await waitForStatus(`http://127.0.0.1:${port}/readyz`, 200);
  const clients = new AffinityClients(`ws://127.0.0.1:${port}`);
  onCleanup('clients', () => clients.close());
  const serverIds = () => places.map(({ serverId }) => serverId);
  const fatesOf = async (commands) => (await Promise.all(commands.map(({ fate }) => fate))).map(({ kind }) => kind);

  step(`${program}: a cut without any restart`);
  await clients.fill(serverIds());
  await cutAndComeBack(clients, 'with all replicas there');

  step(`${program}: replica 1 drains, and its clients end their commands`);
  await first.drain();
  const old = clients.on(first.serverId);
  await cutAndComeBack(clients, 'while their replica drains');
  const newcomers = await clients.start(NEWCOMERS);
  const strays = newcomers.filter(({ serverId }) => serverId === first.serverId).length;
  check(`${program}: new clients go elsewhere`, strays === 0, `${strays} of ${NEWCOMERS} on the draining replica`);
  await cutAndComeBack(clients, 'with the new ones');
  for (const { run } of old) await run.end();
  const ended = await fatesOf(old);
  check(
    `${program}: commands of a draining replica end well`,
    ended.every((kind) => kind === 'ended'),
    ended.join(),
  );
  const { code } = await first.server.exited;
  check('the replica leaves with exit code 0', code === 0, String(code));
  await first.start();
  await clients.fill(serverIds());
  // nginx does not remember where a client went: it leads a client that came meanwhile to the replica that the hash gives.
  const mayMove = (command) => program === 'nginx' && newcomers.includes(command);
  const moved = await cutAndComeBack(clients, 'when the replica is replaced', mayMove);
  const movedFates = await fatesOf(moved);
  check(
    `${program}: what is not reached is unknown`,
    movedFates.every((kind) => kind === 'unknown'),
    movedFates.join(),
  );

  step(`${program}: replica 2 drains to its deadline`);
  await clients.fill(serverIds());
  const atDeadline = clients.on(second.serverId);
  const key = await clients.leave(second.serverId);
  second.server.signal('SIGTERM');
  const killed = await fatesOf(atDeadline.filter((command) => !command.isLeft));
  check(
    `${program}: they are told how they ended`,
    killed.every((kind) => kind === 'SIGTERM'),
    killed.join(),
  );
  check('the replica leaves with exit code 0', (await second.server.exited).code === 0);
  await cutAndComeBack(clients, 'after the deadline of others');
  await second.start();
  await clients.fill(serverIds());
  const reason = await clients.refusalOf(key);
  check(`${program}: a command without a viewer is forgotten`, reason === 'keyNotFound', reason);

  step(`${program}: replica 3 is killed`);
  const gone = clients.on(third.serverId);
  await third.server.crash();
  await third.server.untilNothingIsLeft();
  const unknown = await fatesOf(gone);
  check(
    `${program}: they are told as unknown`,
    unknown.every((kind) => kind === 'unknown'),
    unknown.join(),
  );
  await cutAndComeBack(clients, 'while a replica is missing');
  await third.start();
  await clients.fill(serverIds());
  await cutAndComeBack(clients, 'when it is replaced');

  step(`${program}: figures`);
  await clients.endAll();
  const { twice, never } = await countExecutions(
    places.map(({ folder }) => folder),
    clients.commands.map(({ id }) => id),
  );
  const { commands, comebacks } = clients;
  console.log(
    `  ${program}: commands ${commands.length}, came back ${comebacks.reached} of ${comebacks.asked}, moved ${moved.length}, ` +
      `strays ${strays}, executed twice ${twice.length}`,
  );
  check(
    `${program}: none was executed twice, and each once`,
    twice.length === 0 && never.length === 0,
    [...twice, ...never].slice(0, 3).join(' '),
  );
}

await runProgram(`coming back behind ${program}`, program, main);
