/**
 * Ends everything that commands started when the server is killed with SIGKILL or crashes: one small shell for the whole server, or the launcher of a
 * runtime folder, which needs none and is called a shell here all the same. It reads from a pipe that only the server can write to, and acts at the end
 * of file.
 * Where commands have control groups, it kills those first. Elsewhere it cannot reach a process that has left its group and its session and has
 * dropped its environment marker; that is left to the container.
 *
 *   stopped ──start──► runs ──dies──► waits, longer after each early death ──► runs
 *                       └──dispose──► killed
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { MARKER_VARIABLE, runtimeLauncher } from './environment.js';
import { GUARDIAN_SCRIPT } from './guardian-script.js';
import type { StartProcess } from './os-process.js';
import { addChildReapedElsewhere } from './own-children.js';
import { readProcEntry } from './proc-table.js';

const SHELL = '/bin/sh';
/** What the shell needs to find `grep` and `sleep`. It inherits nothing of the server: with a marker it would kill itself. */
const ENVIRONMENT = { PATH: '/usr/bin:/bin:/usr/local/bin', LC_ALL: 'C' };
/**
 * A command that ends within so many milliseconds is never reported to the shell. Most do, and the two lines are a fifth of the cost of a start. If
 * the server dies within this time, the shell still finds the command by its marker.
 */
const TELL_AFTER_MS = 20;
/** A shell that dies before this age, in ms, makes the next wait longer. */
const OLD_ENOUGH_MS = 10_000;
/** After the second early death the next shell waits this long, in ms; each further one twice as long. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 30_000;
/** A shell that leaves so many bytes unread, some thousands of commands, has stopped and is replaced. */
const MAX_UNREAD_BYTES = 65_536;

export interface Guardian {
  /** Starts the shell, unless it runs. A shell that dies is replaced. */
  start(): void;
  /** Watches a command's leader. Starts the shell if necessary. */
  watch(pid: number): void;
  /** Stops watching: the command is over, and the rest of its group has been killed. To be called while the number is still the command's. */
  forget(pid: number): void;
  /** Pid of the shell; undefined while there is none. */
  readonly pid: number | undefined;
  /** The server ends in good order: the shell is killed and kills no command. Idempotent. */
  dispose(): void;
}

export interface GuardianOptions {
  /** The common beginning of all markers of this server: its random id and the dot. */
  readonly serverMarker: string;
  /** Called with a message when commands are without a guardian. A cause is repeated only after a guardian has lived for 10 s. */
  readonly onProblem: (problem: string) => void;
  /** The program and its arguments before the marker. Default: the launcher of the runtime folder, or `/bin/sh` with the script. */
  readonly program?: readonly [string, ...string[]];
  /** The control group that holds those of all commands, asked for when a shell starts. Default: none. */
  readonly cgroup?: () => string | undefined;
}

/** A shell with the script. */
export function shellProgram(shell: string = SHELL): [string, ...string[]] {
  return [shell, '-c', GUARDIAN_SCRIPT, 'execwire-guardian'];
}

/** The launcher's mode that does the same (`launcher/guardian.c`). */
export function launcherProgram(launcher: string): [string, ...string[]] {
  return [launcher, '@guardian'];
}

function defaultProgram(): [string, ...string[]] {
  const launcher = runtimeLauncher();
  return launcher === undefined ? shellProgram() : launcherProgram(launcher);
}

/** Starts no process yet. */
export function createGuardian(options: GuardianOptions): Guardian {
  return new ShellGuardian(options);
}

/** A `StartProcess` whose processes the guardian watches until they are disposed of. */
export function guardedStart(start: StartProcess, guardian: Guardian): StartProcess {
  return async (spec, events) => {
    const started = await start(spec, events);
    guardian.watch(started.pid);
    const dispose = started.dispose.bind(started);
    let disposed = false;
    started.dispose = () => {
      // BEFORE the number can be given to another process.
      if (!disposed) guardian.forget(started.pid);
      disposed = true;
      dispose();
    };
    return started;
  };
}

class ShellGuardian implements Guardian {
  readonly #program: readonly [string, ...string[]];
  readonly #marker: string;
  readonly #onProblem: (problem: string) => void;
  readonly #cgroup: () => string | undefined;
  readonly #watched = new Set<number>();
  /** Watched processes that the shell was not told of yet. */
  readonly #untold = new Set<number>();
  #tellTimer: NodeJS.Timeout | undefined;
  #startTimer: NodeJS.Timeout | undefined;
  #shell: ChildProcess | undefined;
  #startedAtMs = 0;
  /** Shells in a row that have died young. */
  #diedYoung = 0;
  #lastCause: string | undefined;
  #disposed = false;

  constructor({ serverMarker, onProblem, program = defaultProgram(), cgroup = () => undefined }: GuardianOptions) {
    this.#program = program;
    this.#cgroup = cgroup;
    this.#marker = `${MARKER_VARIABLE}=${serverMarker}`;
    this.#onProblem = onProblem;
  }

  get pid(): number | undefined {
    return this.#shell?.pid;
  }

  start(): void {
    if (this.#disposed || this.#shell !== undefined || this.#startTimer !== undefined) return;
    this.#startedAtMs = performance.now();
    const [file, ...words] = this.#program;
    let shell: ChildProcess;
    try {
      const cgroup = this.#cgroup();
      shell = spawn(file, [...words, this.#marker, ...(cgroup === undefined ? [] : [cgroup])], {
        cwd: '/',
        env: ENVIRONMENT,
        // Its input is a socket pair that Node makes close-on-exec, so no command can hold the other end.
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      });
    } catch (error) {
      this.#startAgain(`it cannot be started: ${String(error)}`);
      return;
    }
    this.#shell = shell;
    const reaped = shell.pid === undefined ? () => {} : addChildReapedElsewhere(shell.pid);
    const gone = (cause: string): void => {
      if (this.#shell !== shell) return;
      this.#shell = undefined;
      if (!this.#disposed) this.#startAgain(cause);
    };
    shell.once('error', (error) => gone(`it cannot be started: ${error.message}`));
    shell.once('exit', (code, signal) => {
      reaped();
      gone(`it has ended (${signal ?? code})`);
    });
    // EPIPE of a shell that has just died; its exit is reported separately.
    shell.stdin?.on('error', () => {});
    // The shell alone must not keep the server alive.
    shell.unref();
    if (shell.stdin !== null && 'unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref();
    // The next shell has to be told of all processes.
    for (const pid of this.#watched) this.#untold.add(pid);
    this.#tellUntold();
  }

  watch(pid: number): void {
    this.#watched.add(pid);
    this.#untold.add(pid);
    this.start();
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
    clearTimeout(this.#startTimer);
    // BEFORE its input ends, because the end of input makes it kill. SIGKILL also ends a stopped shell.
    this.#shell?.kill('SIGKILL');
  }

  #startAgain(cause: string): void {
    this.#diedYoung = performance.now() - this.#startedAtMs < OLD_ENOUGH_MS ? this.#diedYoung + 1 : 1;
    if (this.#diedYoung === 1) this.#lastCause = undefined;
    const waitMs = this.#diedYoung === 1 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** (this.#diedYoung - 2), LONGEST_WAIT_MS);
    this.#startTimer = setTimeout(() => {
      this.#startTimer = undefined;
      this.start();
    }, waitMs).unref();
    if (cause === this.#lastCause) return;
    this.#lastCause = cause;
    const next = waitMs === 0 ? 'at once' : `in ${waitMs} ms, and after longer waits each time it fails`;
    this.#onProblem(
      `commands would outlive a crash of the server, because there is no guardian: ${cause}; it is started again ${next}`,
    );
  }

  #tellUntold(): void {
    this.#tellTimer = undefined;
    // Without a shell there is nothing to write to; the next one is told of all processes.
    if (this.#shell === undefined) return;
    this.#tell([...this.#untold].map((pid) => `+${pid} ${readProcEntry(pid)?.startTime ?? 0}\n`).join(''));
    this.#untold.clear();
  }

  #tell(lines: string): void {
    const input = this.#shell?.stdin;
    if (lines === '' || input === null || input === undefined) return;
    input.write(lines);
    if (input.writableLength > MAX_UNREAD_BYTES) this.#shell?.kill('SIGKILL');
  }
}
