/** Finds a user of this host by name or number. Knows nothing of the commands that run as that user. */
import { spawnSync } from 'node:child_process';
import type { RunAs } from './os-process.js';

/** A user as the host's account database has it. */
export interface UserAccount extends RunAs {
  readonly home: string;
}

/**
 * Looks a user up through `getent` and `id`, which know all sources of accounts of the host. The groups are those of this moment.
 * @throws {Error} when there is no such user, or this process cannot start programs as that user
 */
export function lookUpUser(nameOrUid: string): UserAccount {
  const { stdout, error } = spawnSync('getent', ['passwd', '--', nameOrUid], { encoding: 'utf8' });
  const [name, , uid, gid, , home] = (stdout ?? '').trim().split(':');
  if (error !== undefined || name === undefined || uid === undefined || gid === undefined || home === undefined) {
    throw new Error(
      `--run-as ${nameOrUid}: the host knows no such user${error === undefined ? '' : ` (${error.message})`}`,
    );
  }
  const ownUid = process.getuid?.();
  if (ownUid !== 0 && ownUid !== Number(uid)) {
    throw new Error(`--run-as ${nameOrUid}: only root can run commands as another user`);
  }
  return { name, uid: Number(uid), gid: Number(gid), groups: groupsOf(name), home };
}

/** @throws {Error} when they cannot be found out */
function groupsOf(name: string): number[] {
  const { stdout, error } = spawnSync('id', ['-G', '--', name], { encoding: 'utf8' });
  const groups = (stdout ?? '').trim().split(/\s+/).filter(Boolean).map(Number);
  if (error === undefined && groups.length > 0 && groups.every(Number.isInteger)) return groups;
  throw new Error(
    `--run-as ${name}: its groups cannot be found out${error === undefined ? '' : ` (${error.message})`}`,
  );
}
