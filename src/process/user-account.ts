/** Finds a user of this host by name or number. Knows nothing of the commands that run as that user. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { RunAs } from './os-process.js';

/** A user as the host's account database has it. */
export interface UserAccount extends RunAs {
  readonly home: string;
}

/**
 * Looks a user up through `getent` and `id`, which know all sources of accounts of the host; without these programs, in /etc/passwd and /etc/group. The
 * groups are those of this moment.
 * @throws {Error} when there is no such user, or this process cannot start programs as that user
 */
export function lookUpUser(nameOrUid: string): UserAccount {
  const { stdout, error } = spawnSync('getent', ['passwd', '--', nameOrUid], { encoding: 'utf8' });
  const line = isMissing(error) ? passwdLine(textOf('/etc/passwd'), nameOrUid) : (stdout ?? '').trim();
  const [name, , uid, gid, , home] = line.split(':');
  if (name === undefined || uid === undefined || gid === undefined || home === undefined) {
    const reason = error === undefined || isMissing(error) ? '' : ` (${error.message})`;
    throw new Error(`--run-as ${nameOrUid}: the host knows no such user${reason}`);
  }
  const ownUid = process.getuid?.();
  if (ownUid !== 0 && ownUid !== Number(uid)) {
    throw new Error(`--run-as ${nameOrUid}: only root can run commands as another user`);
  }
  return { name, uid: Number(uid), gid: Number(gid), groups: groupsOf(name, Number(gid)), home };
}

/** @throws {Error} when they cannot be found out */
function groupsOf(name: string, primary: number): number[] {
  const { stdout, error } = spawnSync('id', ['-G', '--', name], { encoding: 'utf8' });
  if (isMissing(error)) return listedGroups(textOf('/etc/group'), name, primary);
  const groups = (stdout ?? '').trim().split(/\s+/).filter(Boolean).map(Number);
  if (error === undefined && groups.length > 0 && groups.every(Number.isInteger)) return groups;
  throw new Error(
    `--run-as ${name}: its groups cannot be found out${error === undefined ? '' : ` (${error.message})`}`,
  );
}

/** The line of a user; empty if there is none. A name comes before a number, as with `getent`. @param passwd content of /etc/passwd */
export function passwdLine(passwd: string, nameOrUid: string): string {
  const lines = passwd.split('\n');
  const named = (field: number): string | undefined => lines.find((line) => line.split(':')[field] === nameOrUid);
  return (nameOrUid === '' ? undefined : (named(0) ?? named(2))) ?? '';
}

/** The numbers of a user's groups, the primary one first. @param group content of /etc/group */
export function listedGroups(group: string, name: string, primary: number): number[] {
  const others = group.split('\n').flatMap((line) => {
    const [, , number = '', members = ''] = line.split(':');
    return /^\d+$/.test(number) && members.split(',').includes(name) ? [Number(number)] : [];
  });
  return [...new Set([primary, ...others])];
}

/** Whether a program could not be started because it does not exist. */
function isMissing(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && error.code === 'ENOENT';
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
