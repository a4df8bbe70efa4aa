/**
 * What can be done with the folder of one control group of version 2: list its processes, kill them all, remove it. It does not know whose it is.
 *
 * Writing and removing wait for a lock of the whole kernel, which may be held for many milliseconds, so they are done on libuv's pool. Reading waits for
 * nobody.
 */
import { constants, promises, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from './program-path.js';

/** A command may make groups inside its own. Deeper ones are left alone; then the group stays, and the next look tells nothing new. */
const MAX_DEPTH = 8;
/** The same for the number of groups in one. */
const MAX_SUBFOLDERS = 256;
/** Links of a folder without folders inside: its name, and its own dot. */
const LINKS_OF_EMPTY = 2;

/** Pids of all processes in it and in the groups inside of it; empty when it is gone. Zombies are not listed. */
export function cgroupMembers(folder: string, depth = 0): number[] {
  let own: number[];
  try {
    own = readFileSync(join(folder, 'cgroup.procs'), 'latin1').split('\n').map(Number).filter(Boolean);
  } catch {
    // It has been removed, or holds threads only.
    own = [];
  }
  const inner = depth < MAX_DEPTH ? subfolders(folder) : [];
  return [...own, ...inner.flatMap((name) => cgroupMembers(join(folder, name), depth + 1))];
}

/** Sends SIGKILL to every process in it and below it, those that are being forked included. Never rejects. */
export async function killCgroup(folder: string): Promise<void> {
  try {
    await writeTo(join(folder, 'cgroup.kill'), '1');
  } catch {
    // It has been removed.
  }
}

/** Moves a process, with all its threads. @throws the errno of the kernel */
export function moveToCgroup(folder: string, pid: number): Promise<void> {
  return writeTo(join(folder, 'cgroup.procs'), String(pid));
}

/** Removes it with the groups inside of it. @returns whether it is gone; false while a process lives in it. Never rejects. */
export async function removeCgroup(folder: string, depth = 0): Promise<boolean> {
  if (await removed(folder)) return true;
  const inner = depth < MAX_DEPTH ? subfolders(folder) : [];
  if (inner.length === 0) return false;
  for (const name of inner) await removeCgroup(join(folder, name), depth + 1);
  return removed(folder);
}

async function removed(folder: string): Promise<boolean> {
  try {
    await promises.rmdir(folder);
    return true;
  } catch (error) {
    return errnoOf(error) === 'ENOENT';
  }
}

/** Never makes a file, because in such a folder the kernel makes them all. */
async function writeTo(path: string, text: string): Promise<void> {
  await promises.writeFile(path, text, { flag: constants.O_WRONLY });
}

/** Names of the groups inside, up to a bound. */
export function subfolders(folder: string): string[] {
  try {
    if (statSync(folder).nlink <= LINKS_OF_EMPTY) return [];
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .slice(0, MAX_SUBFOLDERS)
      .map(({ name }) => name);
  } catch {
    return [];
  }
}
