/**
 * Sees to it that nothing a command started outlives the server, also when the server is killed with SIGKILL or crashes: one small
 * shell for the whole server, which reads from a pipe that only the server can write to and acts at its end-of-file.
 * What has left its group, its session and its environment marker is out of its reach: that is the container's job.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { MARKER_VARIABLE } from './environment.js';
import { GUARDIAN_SCRIPT } from './guardian-script.js';
import type { StartProcess } from './os-process.js';
import { addChildReapedElsewhere } from './own-children.js';

const SHELL = '/bin/sh';
/** All it needs to find `grep` and `sleep`. Nothing of the server's: it must carry no marker, or it would kill itself. */
const ENVIRONMENT = { PATH: '/usr/bin:/bin:/usr/local/bin', LC_ALL: 'C' };
/**
 * A command that ends within so many milliseconds is never told: most do, and the two lines are a fifth of what starting one costs.
 * Should the server die in these milliseconds, the shell still finds the command by its marker.
 */
const TELL_AFTER_MS = 20;
/** A shell that cannot live on this host is not started for ever. */
const MAX_STARTS = 100;

export interface Guardian {
  /** Takes a command's leader into its care. Starts the shell at the first call, and again should it have died. */
  watch(pid: number): void;
  /** The command is over and what was left of its group has been killed. */
  forget(pid: number): void;
  /** Pid of the shell, undefined while there is none. */
  readonly pid: number | undefined;
  /** The server ends in good order: the shell goes and kills nobody. Idempotent. */
  dispose(): void;
}

/**
 * Starts no process yet.
 * @param serverMarker what every marker of this server begins with: its random id and the dot.
 * @param onProblem told in words when commands are without a guardian.
 */
export function createGuardian(serverMarker: string, onProblem: (problem: string) => void): Guardian {
  return new ShellGuardian(`${MARKER_VARIABLE}=${serverMarker}`, onProblem);
}

/** A `StartProcess` whose processes the guardian watches until they are disposed of. */
export function guardedStart(start: StartProcess, guardian: Guardian): StartProcess {
  return async (spec, events) => {
    const started = await start(spec, events);
    guardian.watch(started.pid);
    const dispose = started.dispose.bind(started);
    let disposed = false;
    started.dispose = () => {
      // BEFORE the number is given away.
      if (!disposed) guardian.forget(started.pid);
      disposed = true;
      dispose();
    };
    return started;
  };
}

class ShellGuardian implements Guardian {
  readonly #marker: string;
  readonly #onProblem: (problem: string) => void;
  readonly #watched = new Set<number>();
  /** Those of them that the shell does not know yet. */
  readonly #untold = new Set<number>();
  #tellTimer: NodeJS.Timeout | undefined;
  #shell: ChildProcess | undefined;
  #starts = 0;
  #disposed = false;

  constructor(marker: string, onProblem: (problem: string) => void) {
    this.#marker = marker;
    this.#onProblem = onProblem;
  }

  get pid(): number | undefined {
    return this.#shell?.pid;
  }

  watch(pid: number): void {
    this.#watched.add(pid);
    this.#untold.add(pid);
    if (this.#shell === undefined) this.#start();
    this.#tellTimer ??= setTimeout(() => this.#tellUntold(), TELL_AFTER_MS).unref();
  }

  forget(pid: number): void {
    this.#watched.delete(pid);
    if (!this.#untold.delete(pid)) this.#tell(`-${pid}\n`);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    clearTimeout(this.#tellTimer);
    this.#tell('.\n');
    this.#shell?.stdin?.end();
  }

  #start(): void {
    if (this.#disposed || this.#starts >= MAX_STARTS) return;
    this.#starts += 1;
    let shell: ChildProcess;
    try {
      shell = spawn(SHELL, ['-c', GUARDIAN_SCRIPT, 'execwire-guardian', this.#marker], {
        cwd: '/',
        env: ENVIRONMENT,
        // Its input is a socket pair that Node makes close-on-exec: no command can hold its other end.
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      });
    } catch (error) {
      this.#onProblem(`the guardian cannot be started: ${String(error)}`);
      return;
    }
    this.#shell = shell;
    const reaped = shell.pid === undefined ? () => {} : addChildReapedElsewhere(shell.pid);
    shell.once('exit', reaped);
    const gone = (problem: string): void => {
      if (this.#shell !== shell) return;
      this.#shell = undefined;
      if (!this.#disposed) this.#onProblem(problem);
    };
    shell.once('error', (error) => gone(`the guardian cannot be started: ${error.message}`));
    shell.once('exit', (code, signal) =>
      gone(`the guardian has ended (${signal ?? code}); the next command starts another`),
    );
    // EPIPE of a shell that has just died: its exit says so.
    shell.stdin?.on('error', () => {});
    // It must not keep a server alive that has nothing else to do.
    shell.unref();
    if (shell.stdin !== null && 'unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref();
    // Another shell has to be told of all.
    for (const pid of this.#watched) this.#untold.add(pid);
  }

  #tellUntold(): void {
    this.#tellTimer = undefined;
    this.#tell([...this.#untold].map((pid) => `+${pid}\n`).join(''));
    this.#untold.clear();
  }

  #tell(lines: string): void {
    if (lines !== '') this.#shell?.stdin?.write(lines);
  }
}
