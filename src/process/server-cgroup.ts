/**
 * The folder in the server's own control group that holds the groups of its commands, and what earlier servers have left beside it. It knows no command.
 *
 *   opened: made and locked ──close()──► removed
 *       └──the server dies: unlocked ──the next server starts──► everything in it killed, removed
 *
 * The server itself stays where it was started. The kernel wants processes in the leaves alone only where a group hands out controllers, and this one
 * hands out none.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { killCgroup, removeCgroup, subfolders } from './cgroup-folder.js';
import type { Libc } from './libc.js';
import { type CgroupAbsence, findOwnCgroup, systemCgroupSources } from './own-cgroup.js';
import { errnoOf } from './program-path.js';

/** Begins the names of these folders. */
const PREFIX = 'execwire-';
/** Another server that starts takes a new folder for an old one until it is locked. */
const MAX_TRIES = 5;
/** Looks at a folder whose processes were killed; with their pauses about 2 s. */
const MAX_LOOKS = 12;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 400;

export interface ServerCgroup {
  readonly folder: string;
  /** Kills what is left inside and removes the folder. @returns whether it is gone */
  close(): Promise<boolean>;
}

/** @param id names the folder: no other server has it @returns why there is no folder, if there is none */
export async function openServerCgroup(
  id: string,
  libc: Libc,
): Promise<ServerCgroup | { readonly absence: CgroupAbsence }> {
  const { tryLock, attributeOf, spawnChild } = libc;
  if (tryLock === undefined || attributeOf === undefined || spawnChild === undefined) return { absence: 'noLibrary' };
  const own = findOwnCgroup(systemCgroupSources(attributeOf));
  if ('absence' in own) return own;
  const folder = join(own.folder, `${PREFIX}${id}`);
  try {
    const lock = await makeLocked(folder, tryLock);
    if (lock === undefined) return { absence: 'refused' };
    void removeDead(own.folder, tryLock);
    return {
      folder,
      async close() {
        const isGone = await removeKilled(folder);
        closeSync(lock);
        return isGone;
      },
    };
  } catch {
    return { absence: 'refused' };
  }
}

/** @returns the descriptor that holds the lock; undefined if other servers have taken the folder for an old one each time */
async function makeLocked(folder: string, tryLock: (fd: number) => boolean): Promise<number | undefined> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    makeFolder(folder);
    const lock = openFolder(folder);
    if (lock !== undefined) {
      if (tryLock(lock) && isStill(folder, lock)) return lock;
      closeSync(lock);
    }
    await pause(FIRST_PAUSE_MS);
  }
  return undefined;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    // The name is this server's own.
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

function openFolder(folder: string): number | undefined {
  try {
    return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch {
    return undefined;
  }
}

function isStill(folder: string, descriptor: number): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino;
}

/** Ends what servers have left that did not end in good order. */
async function removeDead(place: string, tryLock: (fd: number) => boolean): Promise<void> {
  for (const name of subfolders(place)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(place, name);
    const lock = openFolder(folder);
    if (lock === undefined) continue;
    try {
      if (tryLock(lock)) await removeKilled(folder);
    } finally {
      closeSync(lock);
    }
  }
}

async function removeKilled(folder: string): Promise<boolean> {
  let pauseMs = FIRST_PAUSE_MS;
  for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
    if (await removeCgroup(folder)) return true;
    await killCgroup(folder);
    await pause(pauseMs);
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
  return removeCgroup(folder);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
