/**
 * Lets a command run as another user: through `setpriv` of util-linux, which also sets that user's groups (setuid alone would keep root's), or through
 * the launcher of a runtime folder (`launcher/run-as.c`), because the image may have neither `setpriv` nor env(1) nor a shell.
 * It knows nothing of how a process is started.
 *
 * The thread that starts the command could become the user itself and spare `setpriv`, but then every command of that user could kill the
 * server by the number of this thread.
 */
import { accessSync, constants } from 'node:fs';
import { isAbsolute } from 'node:path';
import { runtimeLauncher } from './environment.js';
import { type Environment, type ProcessSpec, type RunAs, SpawnError } from './os-process.js';

/** Never searched in the child's PATH, which belongs to the request. */
const SETPRIV_PLACES = ['/usr/bin/setpriv', '/bin/setpriv', '/usr/local/bin/setpriv'] as const;
const ENV_PLACES = ['/usr/bin/env', '/bin/env'] as const;
/**
 * Variables by which a C library, or the runtime of an instrumented program, loads code or writes files: those that glibc and musl take away
 * from a setuid program, with their kin. `setpriv` starts as root, so it must not see them. From Linux 6.16 on it counts as setuid when a thread
 * with the user's rights on files starts it; then glibc would take them from the command, TMPDIR too.
 */
const READ_AT_START =
  /^(?:LD_|GLIBC_|GCONV_|GETCONF_|LOCPATH$|LOCALDOMAIN$|HOSTALIASES$|MALLOC_|MUSL_|NIS_PATH$|NLSPATH$|RESOLV_|RES_|TMPDIR$|TZDIR$|GCOV_|LLVM_PROFILE_|[A-Z]+SAN_)/;
/** Arguments: a directory, then the program and its own. */
const GO_AND_RUN = ['/bin/sh', '-c', 'cd -- "$1" && shift && exec "$@"', 'sh'] as const;
/** Arguments: the program and its own. */
const RUN = ['/bin/sh', '-c', 'exec "$@"', 'sh'] as const;

/** How to start a spec that was found fit to start: `file` is the path of its program. */
export type UserSpec<Spec extends ProcessSpec> = Spec & { readonly file?: string };

/** The same start with `setpriv` in front when the spec names a user. @throws {SpawnError} `ENOENT` when there is no setpriv. */
export function withUser<Spec extends ProcessSpec>(spec: Spec): UserSpec<Spec> {
  if (spec.runAs === undefined) return spec;
  const launcher = runtimeLauncher();
  if (launcher !== undefined) return byLauncher(spec, spec.runAs, { launcher });
  const { uid, gid, groups, name } = spec.runAs;
  const setpriv = SETPRIV_PLACES.find(canRun);
  if (setpriv === undefined) throw new SpawnError(`to run as ${name} the host needs setpriv (util-linux)`, 'ENOENT');
  const prefix = [`--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups.join()}`, '--'];
  const { env, argv } = settingLate(spec);
  return { ...spec, env, file: setpriv, argv: [setpriv, ...prefix, ...argv] };
}

/**
 * The launcher becomes the user, goes to the directory if one is given, sets some variables and starts the program.
 * @param directory undefined: the command is there already
 */
function byLauncher<Spec extends ProcessSpec>(
  spec: Spec,
  { uid, gid, groups }: RunAs,
  { launcher, directory = '' }: { readonly launcher: string; readonly directory?: string },
): UserSpec<Spec> {
  const { early, late } = partedVariables(spec.env);
  const argv = [launcher, '@as', `${uid}`, `${gid}`, groups.join(), directory, ...late, '--', ...spec.argv] as const;
  return { ...spec, env: early, file: launcher, argv };
}

/** Variables that the command's user sets, each as `NAME=value`, and all others. */
interface PartedVariables {
  readonly early: Environment;
  readonly late: readonly string[];
}

function partedVariables(env: Environment): PartedVariables {
  // Bytes are inherited from the server, whose own variables are the operator's.
  const isLate = ([name, value]: [string, unknown]): boolean => typeof value === 'string' && READ_AT_START.test(name);
  const all = Object.entries(env);
  const late = all.filter(isLate).map(([name, value]) => `${name}=${value}`);
  if (late.length === 0) return { early: env, late };
  const early = Object.fromEntries(all.filter((entry) => !isLate(entry)));
  // No prototype, because `__proto__` is a variable name like any other.
  return { early: Object.assign(Object.create(null), early), late };
}

/**
 * The same program in the same environment, but some variables are set by env(1), which runs as the user already. Other variables stay in the
 * environment, because arguments can be read by every user of the host.
 * @throws {SpawnError} `ENOENT` when there is no env
 */
function settingLate({ argv, env }: Pick<ProcessSpec, 'argv' | 'env'>): Pick<ProcessSpec, 'argv' | 'env'> {
  const { early, late } = partedVariables(env);
  if (late.length === 0) return { argv, env };
  const program = ENV_PLACES.find(canRun);
  if (program === undefined) {
    const [name] = late[0]?.split('=') ?? [];
    throw new SpawnError(`to set ${name} the host needs env (coreutils)`, 'ENOENT');
  }
  // env takes every word with a `=` for a variable, so it cannot be given a program with such a name.
  const words = argv[0].includes('=') ? [...RUN, ...argv] : argv;
  return {
    argv: [program, ...late, ...words],
    env: early,
  };
}

/**
 * The same for hosts where no thread can take the user's rights: the command goes to its directory itself, as that user. What cannot be
 * used is then told by a shell on the command's output. @throws {SpawnError} `ENOENT` when there is no setpriv.
 */
export function withUserInDirectory<Spec extends ProcessSpec>(spec: Spec): UserSpec<Spec> {
  const { cwd, argv } = spec;
  if (spec.runAs === undefined || cwd === undefined) return withUser(spec);
  const launcher = runtimeLauncher();
  if (launcher !== undefined) return byLauncher({ ...spec, cwd: undefined }, spec.runAs, { launcher, directory: cwd });
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
