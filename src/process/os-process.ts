/**
 * What the rest of the program knows of one operating-system process: the interface that pipe and PTY processes share.
 * It knows nothing of JSON-RPC, sessions, caps or timeouts.
 */
import type { SandboxRequest } from './sandbox/sandbox-policy.js';

/** Name of an output stream. A PTY has only `stdout`. */
export type OutputName = 'stdout' | 'stderr';

/** Window size of a terminal, in character cells, 1 to 65535 each. */
export interface TerminalSize {
  readonly rows: number;
  readonly cols: number;
}

/** The user that a process runs as, with that user's own groups and no others. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
  /** All groups, the first one among them; at least one. */
  readonly groups: readonly number[];
  /** Login name, for messages only. */
  readonly name: string;
}

/**
 * Variables by name. Text is a value. Bytes are an inherited variable that is not UTF-8, complete as `NAME=value`; its key is its name as far as it
 * can be shown.
 */
export type Environment = Readonly<Record<string, string | Uint8Array>>;

/** How to start a process. Everything is already decided, the environment is complete. */
export interface ProcessSpec {
  /** The program and its arguments; never empty. */
  readonly argv: readonly [string, ...string[]];
  /** The name that the program sees as its own. Default: the first of `argv`. */
  readonly arg0?: string;
  /** Working directory, absolute or relative to the server's own. Undefined leaves the child in the server's own. */
  readonly cwd?: string | undefined;
  /** The complete environment of the child; nothing is inherited. */
  readonly env: Environment;
  /** With a value: a controlling terminal of that size for all three descriptors. */
  readonly tty?: TerminalSize;
  /** Without `tty`: true gives a pipe for stdin, false gives /dev/null. */
  readonly stdin: boolean;
  /** What the process may write and reach. Default: what the server may. */
  readonly sandbox?: SandboxRequest;
  /** Another user to run as; needs a privileged server and `setpriv` of util-linux. Default: the server's own user. */
  readonly runAs?: RunAs;
  /** 0 to 1000, how far /proc/PID/oom_score_adj of the child is above the server's own. Default: inherited. */
  readonly oomScoreAdj?: number;
  /** The control group that the process is born in. Default: the server's own. */
  readonly cgroup?: BirthCgroup;
}

/** A control group to start a process in. */
export interface BirthCgroup {
  readonly descriptor: number;
  /** Called when the kernel refuses the group; then the process has started in the server's own. */
  onRefused(): void;
}

/** How a process ended: exactly one of `exitCode` and `signal` is not null. `signal` is a name such as `SIGTERM`. */
export interface ExitStatus {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Number of `signal` when Node has no name for it: `SIGRTMIN+1` is 35. */
  readonly signalNumber?: number;
}

/**
 * What a process reports to its one owner. No call comes before `start` has resolved.
 * Per stream: `onOutput`* then `onOutputEnd` once. `onExit` once, before, between or after those.
 */
export interface ProcessEvents {
  /** Bytes in the order they were read. `chunk` is lent for the duration of the call: copy what is kept. */
  onOutput(stream: OutputName, chunk: Buffer): void;
  /** Every byte of the stream has been handed over and the descriptor is closed. */
  onOutputEnd(stream: OutputName): void;
  /** The process itself has ended; its output may still follow. If possible it is kept a zombie until `dispose`, so that its number stays taken. */
  onExit(status: ExitStatus): void;
}

/** Feeds a process's standard input: a pipe or a PTY master. Never blocks the event loop. */
export interface StdinWriter {
  /** Bytes queued here that the kernel has not taken yet. */
  readonly queuedBytes: number;
  /**
   * Queues bytes after all earlier ones; `chunk` must not change until `onDone`. `onDone` is called once: without an error when the kernel has taken
   * all bytes, with an error when it never can (reader gone, process ended, `destroy`).
   */
  write(chunk: Buffer, onDone: (error?: Error) => void): void;
  /** End of input behind all queued bytes: closes a pipe, types end-of-file on a PTY. Idempotent. */
  end(): void;
  /** Drops what is queued (each `onDone` gets an error) and releases the descriptor. Idempotent. */
  destroy(): void;
}

/** One started process. */
export interface OsProcess {
  readonly pid: number;
  /** `['stdout', 'stderr']`, or `['stdout']` for a PTY. */
  readonly outputs: readonly OutputName[];
  /** Absent when the child's stdin is /dev/null. */
  readonly stdin: StdinWriter | undefined;
  /** Stops reading a stream, so that the kernel slows the child. At most one more chunk may still arrive. Idempotent. */
  pauseOutput(stream: OutputName): void;
  /** Goes on reading. Idempotent. */
  resumeOutput(stream: OutputName): void;
  /**
   * Hands over what the kernel holds for this stream at this moment (also while paused), ends the stream (`onOutputEnd`) and closes the source. A
   * background child that goes on writing gets EPIPE or EIO. No-op on an ended stream.
   */
  cutOutput(stream: OutputName): void;
  /** Sets the window size; the foreground job gets SIGWINCH. @throws {Error} when the process has no PTY. */
  resize(size: TerminalSize): void;
  /** Releases every descriptor and timer, and the number of the process; nothing is reported afterwards. Kills no process. Idempotent. */
  dispose(): void;
}

/** Starts a process. @throws {SpawnError} when the program or the directory cannot be used. */
export type StartProcess = (spec: ProcessSpec, events: ProcessEvents) => Promise<OsProcess>;

/** A program that could not be started, with the operating system's own code. */
export class SpawnError extends Error {
  /** Name of the error, such as `ENOENT`, `EACCES`, `EMFILE`. */
  readonly errno: string;
  constructor(message: string, errno: string) {
    super(message);
    this.name = 'SpawnError';
    this.errno = errno;
  }
}

/** A start for which there is no room at the moment; nothing was started. */
export class ShortageError extends Error {
  /** What ran out, such as `pids`. */
  readonly bound: string;
  constructor(bound: string) {
    super(`out of ${bound}`);
    this.name = 'ShortageError';
    this.bound = bound;
  }
}
