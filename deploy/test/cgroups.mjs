// Owns the removal of the control groups that runc leaves behind when its containers die with their namespace. Version 1 and 2.
import { existsSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const CGROUP_ROOT = '/sys/fs/cgroup';
/** Killed processes leave their group a moment later; until then it is busy. */
const RETRY_MS = 100;
const MAX_TRIES = 50;

async function removeTree(folder) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  await rmdir(folder).catch(() => {});
}

/**
 * @param {string} name of a group directly below the root, in every hierarchy
 */
export async function removeCgroups(name) {
  const hierarchies = await readdir(CGROUP_ROOT).catch(() => []);
  const folders = ['', ...hierarchies].map((hierarchy) => join(CGROUP_ROOT, hierarchy, name));
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const left = folders.filter((folder) => existsSync(folder));
    if (left.length === 0) return;
    for (const folder of left) await removeTree(folder);
    await delay(RETRY_MS);
  }
  throw new Error(`${name} is still busy`);
}
