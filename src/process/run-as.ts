/**
 * Lets a command run as another user: through `setpriv` of util-linux, which also sets that user's supplementary groups (setuid alone
 * would keep root's). It knows nothing of how a process is started.
 */
import { accessSync, constants } from 'node:fs';
import { SpawnError } from './os-process.js';
import type { StartableSpec } from './program-path.js';

/** Never searched in the child's PATH, which belongs to the request. */
const SETPRIV_PLACES = ['/usr/bin/setpriv', '/bin/setpriv', '/usr/local/bin/setpriv'] as const;

/** The same start with `setpriv` in front when the spec names a user. @throws {SpawnError} `ENOENT` when there is no setpriv. */
export function withUser(spec: StartableSpec): StartableSpec {
  if (spec.runAs === undefined) return spec;
  const { uid, gid, name } = spec.runAs;
  const setpriv = SETPRIV_PLACES.find(canRun);
  if (setpriv === undefined) throw new SpawnError(`to run as ${name} the host needs setpriv (util-linux)`, 'ENOENT');
  const prefix = [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'];
  return { ...spec, file: setpriv, argv: [setpriv, ...prefix, ...spec.argv] };
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
