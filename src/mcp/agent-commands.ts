/**
 * All commands of one agent: their ids, their start on the server, what is kept of them, their time to live, and their end with the agent. Knows no
 * tool and no text.
 */
import type { Box, DetachableOptions, ExecOptions, TerminalSize } from '../../client/src/node.js';
import { AgentCommand } from './agent-command.js';
import { MAX_OUTPUT_BYTES } from './kept-output.js';
import { within } from './time-limit.js';
import { lacksProgram, lacksReplayBudget, ToolError } from './tool-error.js';

/** Output kept of all commands together. Ended commands are forgotten first, then the middles of the longest output. */
const MAX_TOTAL_OUTPUT_BYTES = 64 * 1024 * 1024;
/** Ended commands that can still be read. */
export const MAX_ENDED = 200;
/** Milliseconds for a server to start a command. A full or absent server is tried for so long, and then the agent is told. */
const START_LIMIT_MS = 30_000;
/** Milliseconds that a command goes on while its server cannot be reached, and that its end is kept there. */
export const KEPT_AWAY_MS = 600_000;
/** Bytes per stream that the server keeps for the time after a break; a command with more waits until it is read. */
const REPLAY_BYTES = 256 * 1024;
/** Milliseconds from SIGTERM to SIGKILL. */
export const GRACE_MS = 5_000;
/** The same when the agent has gone: agents kill their servers after two seconds. */
const LAST_GRACE_MS = 1_000;
const LAST_KILL_MS = 500;
/** Milliseconds for the server to take each of the two signals. A signal to a server that cannot be reached would wait for its return. */
const LAST_ANSWER_MS = 2_000;
/** The longest that a timer can wait, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What to start. */
export interface CommandRequest {
  /** A line for a shell, or a program with its arguments. */
  readonly command: string | readonly string[];
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string | null>> | undefined;
  /** Everything that it reads; its input ends behind it. */
  readonly input?: string | undefined;
  /** Whether its input stays open. */
  readonly hasOpenInput: boolean;
  readonly size?: TerminalSize | undefined;
  /** The server ends it after so many milliseconds; undefined: never. */
  readonly timeoutMs?: number | undefined;
  /** Ends it when no tool has named it for so many milliseconds; undefined: never. */
  readonly ttlMs?: number | undefined;
}

interface Entry {
  readonly command: AgentCommand;
  readonly ttlMs: number | undefined;
  ttlTimer: NodeJS.Timeout | undefined;
  /** Bytes of its output that count in the total. */
  countedBytes: number;
}

/** The commands of one agent. */
export class AgentCommands {
  readonly #connect: () => Promise<Box>;
  /** By id, in the order of their start. */
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<() => void>();
  #lastId = 0;
  /** Bytes of output that all of them hold. */
  #totalBytes = 0;
  #shell: 'bash' | 'sh' = 'bash';
  #isClosed = false;

  /** @param connect gives the box, connected */
  constructor(connect: () => Promise<Box>) {
    this.#connect = connect;
  }

  /** All of them, in the order of their start. */
  get all(): AgentCommand[] {
    return [...this.#entries.values()].map(({ command }) => command);
  }

  get running(): AgentCommand[] {
    return this.all.filter(({ ending }) => ending === undefined);
  }

  /** Calls back when a command starts, ends or is forgotten. @returns takes the listener away */
  onListChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A command by its id; counts as used from now on. @throws {ToolError} */
  named(id: string): AgentCommand {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      const number = Number(/^c(\d+)$/.exec(id)?.[1]);
      const why =
        number >= 1 && number <= this.#lastId
          ? `it has ended and is forgotten (the last ${MAX_ENDED} ended commands are kept)`
          : 'ids are those that exec and start returned';
      throw new ToolError(`There is no command ${JSON.stringify(id)}: ${why}. list shows all commands.`);
    }
    this.#use(entry);
    return entry.command;
  }

  /** Counts a command as used, which begins its time to live anew. */
  touch({ id }: AgentCommand): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#use(entry);
  }

  /**
   * Starts a command, and returns when the server has started it.
   * @throws {Error} when it was not started
   */
  async start(request: CommandRequest, signal: AbortSignal): Promise<AgentCommand> {
    const box = await this.#connect();
    signal.throwIfAborted();
    if (this.#isClosed) throw new ToolError('This server is ending; nothing was started.');
    this.#lastId += 1;
    const { command: asked, size, ttlMs } = request;
    const command = new AgentCommand({
      id: `c${this.#lastId}`,
      line: typeof asked === 'string' ? asked : asked.join(' '),
      size,
      onOutput: () => this.#bound(entry),
    });
    const entry: Entry = { command, ttlMs, ttlTimer: undefined, countedBytes: 0 };
    this.#entries.set(command.id, entry);
    try {
      await this.#startOn(box, entry, request, signal);
    } catch (error) {
      this.#drop(entry);
      throw error;
    }
    this.#use(entry);
    this.#listChanged();
    return command;
  }

  /** Ends all commands, because their agent has gone. Nothing is started any more. @returns those of which no end is known: their server did not answer */
  async endAll(): Promise<AgentCommand[]> {
    this.#isClosed = true;
    const endOf = async (command: AgentCommand): Promise<void> => {
      const isTaken = await within(command.kill('SIGTERM'), LAST_ANSWER_MS);
      if (isTaken && (await within(command.whenEnded(), LAST_GRACE_MS))) return;
      await within(command.kill('SIGKILL'), LAST_ANSWER_MS);
      await within(command.whenEnded(), LAST_KILL_MS);
    };
    await Promise.all(this.running.map(endOf));
    for (const { ttlTimer } of this.#entries.values()) clearTimeout(ttlTimer);
    return this.running;
  }

  /** Starts it by the first shell that is there, and with its output kept where the server has room for it. */
  async #startOn(box: Box, entry: Entry, request: CommandRequest, signal: AbortSignal): Promise<void> {
    let kept: DetachableOptions | false = keepingOptions(box);
    for (;;) {
      try {
        await this.#startOnce(box, entry, { request, kept, signal });
        return;
      } catch (error) {
        if (lacksReplayBudget(error) && kept !== false) kept = false;
        else if (lacksProgram(error) && typeof request.command === 'string' && this.#shell === 'bash')
          this.#shell = 'sh';
        else throw error;
      }
    }
  }

  async #startOnce(
    box: Box,
    entry: Entry,
    { request, kept, signal }: { request: CommandRequest; kept: DetachableOptions | false; signal: AbortSignal },
  ): Promise<void> {
    const { command } = entry;
    const { cwd, env, input, hasOpenInput, size, timeoutMs } = request;
    const argv = typeof request.command === 'string' ? [this.#shell, '-c', request.command] : request.command;
    const shared = {
      forceKillAfter: GRACE_MS,
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    };
    let ended: Promise<void>;
    if (size === undefined) {
      const io: ExecOptions = input === undefined ? { stdin: hasOpenInput ? 'pipe' : 'ignore' } : { input };
      const run = box.exec(argv, { ...shared, ...io, detachable: kept, buffer: false });
      ended = command.follow(run, run);
    } else {
      const terminal = box.terminal(argv, { ...shared, ...size, detachable: kept, maxBuffer: 0 });
      ended = command.follow(terminal, terminal.result);
    }
    // Its failure is that of the start, or shows in the command's end.
    ended.then(
      () => this.#afterEnd(box, entry),
      () => {},
    );
    await startedOrGivenUp(command, ended, signal);
  }

  #afterEnd(box: Box, { command, ttlTimer }: Entry): void {
    clearTimeout(ttlTimer);
    // The server keeps the picture of a terminal for as long as it keeps the terminal.
    if (!command.isTerminal) forgetThere(box, command);
    const ended = [...this.#entries.values()].filter((entry) => entry.command.ending !== undefined);
    for (const entry of ended.slice(0, Math.max(0, ended.length - MAX_ENDED))) {
      if (entry.command.isTerminal) forgetThere(box, entry.command);
      this.#drop(entry);
    }
    this.#listChanged();
  }

  #drop(entry: Entry): void {
    this.#entries.delete(entry.command.id);
    this.#totalBytes -= entry.countedBytes;
    entry.countedBytes = 0;
  }

  /** Keeps output within its bounds, the command's own and that of all. */
  #bound(entry: Entry): void {
    this.#trim(entry, MAX_OUTPUT_BYTES);
    while (this.#totalBytes > MAX_TOTAL_OUTPUT_BYTES) {
      const entries = [...this.#entries.values()];
      const ended = entries.find(({ command }) => command.ending !== undefined);
      if (ended !== undefined) this.#drop(ended);
      else {
        const largest = entries.reduce((most, other) => (other.countedBytes > most.countedBytes ? other : most), entry);
        this.#trim(largest, Math.floor(largest.countedBytes / 2));
      }
    }
  }

  #trim(entry: Entry, maxBytes: number): void {
    const { output } = entry.command;
    output.trimTo(maxBytes);
    // A command that was dropped counts no more.
    if (!this.#entries.has(entry.command.id)) return;
    this.#totalBytes += output.heldBytes - entry.countedBytes;
    entry.countedBytes = output.heldBytes;
  }

  /** Begins the time to live anew. */
  #use(entry: Entry): void {
    clearTimeout(entry.ttlTimer);
    const { command, ttlMs } = entry;
    if (ttlMs === undefined || command.ending !== undefined) return;
    entry.ttlTimer = setTimeout(() => command.kill('SIGTERM', 'ttl').catch(() => {}), Math.min(ttlMs, MAX_TIMER_MS));
    entry.ttlTimer.unref();
  }

  #listChanged(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** How the server keeps a command for the time after a break; false where it keeps none. */
function keepingOptions(box: Box): DetachableOptions | false {
  const { maxReplayBytes, maxDetached } = box.server.limits ?? {};
  if (maxReplayBytes === undefined || maxReplayBytes === 0) return false;
  // 0 stands for no ceiling.
  const ceilingMs = maxDetached === undefined || maxDetached === 0 ? KEPT_AWAY_MS : maxDetached;
  return { ttl: Math.min(KEPT_AWAY_MS, ceilingMs), replayBytes: Math.min(REPLAY_BYTES, maxReplayBytes) };
}

/** @throws {Error} the refusal of the server; {@link ToolError} when it does not start it in time; the reason of the signal */
async function startedOrGivenUp(command: AgentCommand, ended: Promise<void>, signal: AbortSignal): Promise<void> {
  let cancel = (): void => {};
  const givenUp = new Promise<never>((_, reject) => {
    const giveUp = (error: unknown): void => {
      command.kill('SIGKILL', 'cancelled').catch(() => {});
      reject(error);
    };
    const late = new ToolError(
      `The server has not said within ${START_LIMIT_MS / 1000} s that it runs: it is full, or cannot be reached. If it did start, it is ended once the server answers. Try again later.`,
    );
    const timer = setTimeout(() => giveUp(late), START_LIMIT_MS);
    const onAbort = (): void => giveUp(signal.reason);
    signal.addEventListener('abort', onAbort);
    cancel = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
  });
  givenUp.catch(() => {});
  try {
    await Promise.race([command.whenStarted(), ended, givenUp]);
  } finally {
    cancel();
  }
}

function forgetThere(box: Box, { key }: AgentCommand): void {
  if (key !== undefined) box.forget(key).catch(() => {});
}
