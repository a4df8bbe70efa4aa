/**
 * Starts the child of a command on streams that are already open. It tries first, because most programs exist, and finds out the cause only when the
 * start fails. It knows neither pipes nor terminals.
 */
import { closeSync, constants as fsConstants, openSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { serverPath } from './environment.js';
import { serverFiles } from './file-probe.js';
import type { BirthCgroup, ExitStatus, ProcessSpec } from './os-process.js';
import type { SpawnChild } from './posix-spawn.js';
import { checkDirectory, errnoOf, findProgram, spawnError } from './program-path.js';
import type { ChildStart, ChildStreams } from './spawn-call.js';

/** Runs an executable file that is no program, as execvp(3) does. */
const SHELL = '/bin/sh';
/** Shortages of the machine itself, for which no path is to blame. */
const SHORTAGES = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);
/** At these execvp(3) of the C library gives up a search, although a later directory may have the program. */
const ENDS_SEARCH_EARLY = new Set(['ELOOP', 'ENAMETOOLONG']);
const { ENOEXEC } = constants.errno;
/** What clone3(2) may say of a control group. Some of these can mean the program as well. */
const MAY_MEAN_CGROUP = new Set(['EACCES', 'EBADF', 'EBUSY', 'EINVAL', 'ENODEV', 'ENOSYS', 'ENOTSUP', 'EPERM']);

/** How to reach the program: by its file, or by a search in the server's own PATH. */
type Reach = Pick<ChildStart, 'file' | 'searchesPath'>;

/** @returns the pid @throws {SpawnError} that names what could not be used */
export async function startChild(
  spec: ProcessSpec & { readonly file?: string },
  streams: ChildStreams,
  spawnChild: SpawnChild,
  onExit: (status: ExitStatus) => void,
): Promise<number> {
  const { argv, env, cwd, arg0 = argv[0] } = spec;
  const own = [arg0, ...argv.slice(1)];
  const attempt = (reach: Reach, words: readonly string[] = own): Promise<number> =>
    startInCgroup(spec.cgroup, { ...reach, argv: words, env, cwd, streams }, (start) => spawnChild(start, onExit));

  let reach: Reach = quickReach(spec) ?? { file: await findOrBlame(spec, streams) };
  let pid = await attempt(reach);
  if (pid > 0) return pid;
  if (pid === -ENOEXEC || (reach.searchesPath === true && ENDS_SEARCH_EARLY.has(nameOf(pid)))) {
    if (reach.searchesPath === true) reach = { file: await findOrBlame(spec, streams) };
    pid =
      pid === -ENOEXEC ? await attempt({ file: SHELL }, [SHELL, reach.file, ...argv.slice(1)]) : await attempt(reach);
    if (pid > 0) return pid;
  }
  if (!SHORTAGES.has(nameOf(pid))) await blameOthers(spec, streams, nameOf(pid));
  throw spawnError(`program ${JSON.stringify(argv[0])}`, nameOf(pid));
}

/** After a refusal that may be the group's it tries again without: nothing has run yet. */
async function startInCgroup(
  cgroup: BirthCgroup | undefined,
  start: ChildStart,
  spawn: (start: ChildStart) => Promise<number>,
): Promise<number> {
  if (cgroup === undefined) return spawn(start);
  const pid = await spawn({ ...start, cgroup: cgroup.descriptor });
  if (pid > 0 || !MAY_MEAN_CGROUP.has(nameOf(pid))) return pid;
  const second = await spawn(start);
  if (second > 0) cgroup.onRefused();
  return second;
}

/** How to reach the program without looking at any directory; undefined when its PATH is not the server's. */
function quickReach({ argv: [name], env, file }: ProcessSpec & { readonly file?: string }): Reach | undefined {
  if (file !== undefined) return { file };
  if (name.includes('/')) return { file: name };
  // Bytes are an inherited value, unchanged.
  const isServers = typeof env.PATH === 'object' || (env.PATH !== undefined && env.PATH === serverPath());
  return isServers ? { file: name, searchesPath: true } : undefined;
}

async function findOrBlame(spec: ProcessSpec, streams: ChildStreams): Promise<string> {
  try {
    return await findProgram(spec, serverFiles);
  } catch (error) {
    await blameOthers(spec, streams, errnoOf(error));
    throw error;
  }
}

/** @throws {SpawnError} if the cause of a failed start is not the program; causes are checked in the order in which the child meets them */
async function blameOthers(
  { cwd, runAs }: ProcessSpec,
  streams: ChildStreams,
  errno: string | undefined,
): Promise<void> {
  if ('terminal' in streams) checkOpens(streams.terminal, fsConstants.O_RDWR);
  else if (streams.stdin === undefined) checkOpens('/dev/null', fsConstants.O_RDONLY);
  if (runAs === undefined) await checkDirectory({ cwd }, serverFiles);
  // The program is `setpriv`, which can be executed; what the user may do with the directory the server cannot tell.
  else if (cwd !== undefined) throw spawnError(`cwd ${JSON.stringify(cwd)}`, errno ?? 'EACCES');
}

/** The path is the server's own choice, so the event loop does not wait for a client's file system. @throws {SpawnError} */
function checkOpens(path: string, flags: number): void {
  try {
    closeSync(openSync(path, flags | fsConstants.O_NOCTTY | fsConstants.O_NONBLOCK));
  } catch (error) {
    throw spawnError(path, errnoOf(error) ?? 'EIO');
  }
}

function nameOf(failure: number): string {
  return getSystemErrorName(failure);
}
