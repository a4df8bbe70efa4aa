/**
 * Forks a child on a new terminal through node-pty's native layer, for hosts where the C library cannot be called or is too old. This is the only
 * file that imports node-pty. Its public interface is not used, because that destroys the master 200 ms after the exit, read or not. It knows nothing
 * of reading and writing.
 */
import { closeSync, constants, fchownSync, fstatSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { NativePty } from 'node-pty/lib/utils.js';
import { decodeStatus } from './child-reaper.js';
import type { Libc } from './libc.js';
import { textOf } from './node-spawn.js';
import type { OpenedPty } from './opened-pty.js';
import { type ExitStatus, type ProcessSpec, ShortageError, SpawnError, type TerminalSize } from './os-process.js';
import { addChildReapedElsewhere } from './own-children.js';
import { errnoOf, spawnError } from './program-path.js';

/** forkpty fails with one of these; node-pty does not say which. */
const FORK_ERRORS = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'ENOENT', 'EACCES', 'EPERM']);
/** A terminal takes one process and one thread of the server. The rest is for processes that commands start meanwhile. */
const SPARE_PIDS = 64;
/** Tells node-pty to keep the user. Otherwise it would keep root's supplementary groups. */
const SAME_USER = -1;

/** @throws {SpawnError} when node-pty is missing (`ENOSYS`) or the operating system refuses. */
export async function forkPty(
  spec: ProcessSpec & { readonly tty: TerminalSize },
  { libc, countPidsLeft }: { readonly libc: Libc; readonly countPidsLeft: () => number | undefined },
  onExit: (status: ExitStatus) => void,
): Promise<OpenedPty> {
  const native = await loadNative();
  requirePids(countPidsLeft());
  const [program, ...args] = spec.argv;
  const { rows, cols } = spec.tty;
  const environment = Object.entries(textOf(spec.env)).map(([name, value]) => `${name}=${value}`);
  libc.markAllCloseOnExec();
  let orphaned = false;
  let reaped: () => void = () => {};
  const exited = (exitCode: number, signal: number): void => {
    reaped();
    if (!orphaned) onExit(signal === 0 ? { exitCode, signal: null } : decodeStatus(signal));
  };
  let forked: ReturnType<NativePty['fork']>;
  try {
    const helper = helperPath();
    forked = native.fork(
      program,
      args,
      environment,
      spec.cwd ?? '.',
      cols,
      rows,
      SAME_USER,
      SAME_USER,
      true,
      helper,
      exited,
    );
  } catch (error) {
    const code = libc.lastError();
    throw spawnError(`terminal (${messageOf(error)})`, code !== undefined && FORK_ERRORS.has(code) ? code : 'EAGAIN');
  }
  const { fd: master, pid } = forked;
  reaped = addChildReapedElsewhere(pid);
  // The master is not close-on-exec, and other starts fork too: each child would hold this terminal.
  libc.markAllCloseOnExec();
  try {
    // In the same tick as the fork: until the slave is held here, a quick child could hang the terminal up.
    const slave = openSync(forked.pty, constants.O_RDWR | constants.O_NOCTTY);
    // Otherwise that user could not open its own terminal by name, as `> /dev/stdout` does.
    if (spec.runAs !== undefined) fchownSync(slave, spec.runAs.uid, fstatSync(slave).gid);
    return {
      pid,
      master,
      slave,
      resize: (size) => native.resize(master, size.cols, size.rows, 0, 0),
    };
  } catch (error) {
    orphaned = true;
    process.kill(pid, 'SIGKILL');
    closeSync(master);
    throw spawnError('terminal', errnoOf(error) ?? 'EMFILE');
  }
}

/** @throws {ShortageError} `pids` near the limit of processes. A fork whose thread cannot be made would abort the server. */
function requirePids(left: number | undefined): void {
  if (left !== undefined && left < SPARE_PIDS) throw new ShortageError('pids');
}

let loaded: NativePty | undefined;

async function loadNative(): Promise<NativePty> {
  try {
    loaded ??= (await import('node-pty/lib/utils.js')).loadNativeModule('pty').module;
    return loaded;
  } catch (error) {
    throw new SpawnError(`no terminals on this host: node-pty cannot be loaded: ${messageOf(error)}`, 'ENOSYS');
  }
}

/** On macOS a helper program beside the native module starts the child; the loader knows where it found the module. */
function helperPath(): string {
  if (process.platform !== 'darwin') return '';
  const modules = Object.keys(createRequire(process.execPath).cache);
  const native = modules.find((path) => path.endsWith('/pty.node'));
  return native === undefined ? '' : join(dirname(native), 'spawn-helper');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
