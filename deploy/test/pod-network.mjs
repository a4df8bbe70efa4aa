// Owns the addresses of pods: one network namespace and one pair of virtual interfaces a place, and their names. Runs inside a private network and mount namespace.
import { spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './command.mjs';

const address = (place, side) => `10.88.${place}.${side === 'front' ? 1 : 2}`;

/** @param {string | number} pid */
const networkOf = (pid) => {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
};

/**
 * One pod's place in the network, like the pause container of a pod.
 * @typedef {{ number: number, ip: string, namespace: string }} Place
 */

/**
 * Makes the places, and the names the balancers' configurations use: execwire-1 …
 * @param {number} count
 * @param {string} workFolder
 * @returns {Promise<Place[]>}
 */
export async function createPlaces(count, workFolder) {
  await run(['ip', 'link', 'set', 'lo', 'up']);
  const places = [];
  for (let number = 1; number <= count; number += 1) places.push(await createPlace(number));
  const hosts = join(workFolder, 'hosts');
  await writeFile(
    hosts,
    `127.0.0.1 localhost\n${places.map(({ ip, number: n }) => `${ip} execwire-${n}`).join('\n')}\n`,
  );
  // Seen in this mount namespace only.
  await run(['mount', '--bind', hosts, '/etc/hosts']);
  return places;
}

async function createPlace(number) {
  // Ends with this PID namespace.
  const holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
  while (networkOf(holder.pid) === networkOf('self')) await delay(10);
  const inside = (...argv) => run(['nsenter', '--target', String(holder.pid), '--net', ...argv]);
  const front = `front${number}`;
  await run(['ip', 'link', 'add', front, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(holder.pid)]);
  await run(['ip', 'address', 'add', `${address(number, 'front')}/30`, 'dev', front]);
  await run(['ip', 'link', 'set', front, 'up']);
  await inside('ip', 'link', 'set', 'lo', 'up');
  await inside('ip', 'address', 'add', `${address(number, 'pod')}/30`, 'dev', 'eth0');
  await inside('ip', 'link', 'set', 'eth0', 'up');
  await inside('ip', 'route', 'add', 'default', 'via', address(number, 'front'));
  return { number, ip: address(number, 'pod'), namespace: `/proc/${holder.pid}/ns/net` };
}
