/**
 * Lets a command run as another user: through `setpriv` of util-linux, which also sets that user's groups (setuid alone would keep root's).
 * It knows nothing of how a process is started.
 *
 * The thread that starts the command could become the user itself and spare `setpriv`, but then every command of that user could kill the
 * server by the number of this thread.
 */
import { accessSync, constants } from 'node:fs';
import { isAbsolute } from 'node:path';
import { type ProcessSpec, SpawnError } from './os-process.js';

/** Never searched in the child's PATH, which belongs to the request. */
const SETPRIV_PLACES = ['/usr/bin/setpriv', '/bin/setpriv', '/usr/local/bin/setpriv'] as const;
/** Arguments: a directory, then the program and its own. */
const GO_AND_RUN = ['/bin/sh', '-c', 'cd -- "$1" && shift && exec "$@"', 'sh'] as const;

/** How to start a spec that was found fit to start: `file` is the path of its program. */
export type UserSpec<Spec extends ProcessSpec> = Spec & { readonly file?: string };

/** The same start with `setpriv` in front when the spec names a user. @throws {SpawnError} `ENOENT` when there is no setpriv. */
export function withUser<Spec extends ProcessSpec>(spec: Spec): UserSpec<Spec> {
  if (spec.runAs === undefined) return spec;
  const { uid, gid, groups, name } = spec.runAs;
  const setpriv = SETPRIV_PLACES.find(canRun);
  if (setpriv === undefined) throw new SpawnError(`to run as ${name} the host needs setpriv (util-linux)`, 'ENOENT');
  const prefix = [`--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups.join()}`, '--'];
  return { ...spec, file: setpriv, argv: [setpriv, ...prefix, ...spec.argv] };
}

/**
 * The same for hosts where no thread can take the user's rights: the command goes to its directory itself, as that user. What cannot be
 * used is then told by a shell on the command's output. @throws {SpawnError} `ENOENT` when there is no setpriv.
 */
export function withUserInDirectory<Spec extends ProcessSpec>(spec: Spec): UserSpec<Spec> {
  const { cwd, argv } = spec;
  if (spec.runAs === undefined || cwd === undefined) return withUser(spec);
  // Or `cd` would take `-` for a directory of before, and look a name up in CDPATH.
  const directory = isAbsolute(cwd) ? cwd : `./${cwd}`;
  return withUser({ ...spec, cwd: undefined, argv: [...GO_AND_RUN, directory, ...argv] });
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
