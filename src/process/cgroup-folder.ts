/**
 * What can be done with the folder of one control group of version 2: list its processes, kill them all, remove it. It does not know whose it is.
 *
 * Writing and removing wait for a lock of the whole kernel, which may be held for many milliseconds, so they are done on libuv's pool. Reading waits for
 * nobody.
 */
import { constants, promises, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from './program-path.js';

/** A command may make groups inside its own. So many are read in one look, which holds up everything else; SIGKILL reaches all of them. */
const MAX_LISTED = 500;
/** Links of a folder without folders inside: its name, and its own dot. */
const LINKS_OF_EMPTY = 2;

/** Pids of the processes in it and in groups inside of it; empty when it is gone. Zombies are not listed. */
export function cgroupMembers(folder: string): number[] {
  const pids: number[] = [];
  const folders = [folder];
  for (let at = 0; at < folders.length; at += 1) {
    const present = folders[at] ?? '';
    try {
      pids.push(...readFileSync(join(present, 'cgroup.procs'), 'latin1').split('\n').map(Number).filter(Boolean));
    } catch {
      // It has been removed, or holds threads only.
    }
    if (folders.length < MAX_LISTED) {
      const inner = subfolders(present).slice(0, MAX_LISTED - folders.length);
      folders.push(...inner.map((name) => join(present, name)));
    }
  }
  return pids;
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

/** Removes it with all groups inside of it. @returns whether it is gone; false while a process lives in it. Never rejects. */
export async function removeCgroup(folder: string): Promise<boolean> {
  if (await removed(folder)) return true;
  for (const inner of await namesInside(folder)) await removeCgroup(join(folder, inner));
  return removed(folder);
}

async function namesInside(folder: string): Promise<string[]> {
  try {
    const entries = await promises.readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
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

/** Names of the groups inside. */
export function subfolders(folder: string): string[] {
  try {
    if (statSync(folder).nlink <= LINKS_OF_EMPTY) return [];
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}
