/**
 * The control groups of commands, one for each, inside the folder of their server. It starts and signals nothing itself.
 *
 *   none ──open(): born inside──► holds processes ──over()──► waits for the last process, looks less and less often ──► removed
 *     └──takeLater(): 20 ms old──────▲
 *
 * A group is found by the mark of its command. Its processes belong to the command for certain, whatever they have changed about themselves.
 */
import { closeSync, constants, openSync, promises } from 'node:fs';
import { basename, join } from 'node:path';
import { cgroupMembers, killCgroup, moveToCgroup, removeCgroup } from './cgroup-folder.js';
import { type OwnChild, ownChild } from './own-children.js';
import { type ProcEntry, readCgroupOf, readProcEntry } from './proc-table.js';
import { errnoOf } from './program-path.js';

/**
 * Where a child cannot be born in its group, it is moved when it is so old. Most commands have ended by then, and a move makes every other one wait
 * until all processors of the host have passed through the scheduler: 10 ms and more.
 */
const TAKE_AFTER_MS = 20;
/** Pauses between looks at a group whose command is over. A process that was just killed is gone within the first. */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 10_000;

/** Shortages of the machine, which pass. */
const PASSING = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);

interface Group {
  readonly folder: string;
  readonly mark: string;
  /** Resolves when the folder is there and its first process, if one is moved, inside; also when that has failed. */
  readonly filled: Promise<void>;
  isOver: boolean;
  pauseMs: number;
  timer: NodeJS.Timeout | undefined;
}

export interface CommandCgroupsOptions {
  /** The folder of the server. */
  readonly folder: string;
  /** The common beginning of all marks of this server. */
  readonly serverMark: string;
  /** Whether children can be born in their group. */
  readonly entersAtStart: boolean;
  /** Called once when the kernel refuses a group. Commands then run without. */
  readonly onRefused: (errno: string) => void;
}

/** A command's group that its process is about to be born in. */
export interface OpenGroup {
  readonly descriptor: number;
  /** To be called when the start is over. */
  close(): void;
}

export class CommandCgroups {
  readonly #folder: string;
  readonly #serverMark: string;
  readonly #onRefused: (errno: string) => void;
  readonly #groups = new Map<string, Group>();
  readonly #young = new Map<string, OwnChild>();
  #entersAtStart: boolean;
  #isTaking = false;
  #timer: NodeJS.Timeout | undefined;
  #isRefused = false;
  #isClosed = false;

  constructor({ folder, serverMark, entersAtStart, onRefused }: CommandCgroupsOptions) {
    this.#folder = folder;
    this.#serverMark = serverMark;
    this.#entersAtStart = entersAtStart;
    this.#onRefused = onRefused;
  }

  /** Whether children can be born in their group. */
  get entersAtStart(): boolean {
    return this.#entersAtStart && !this.#isRefused;
  }

  /** Whether the kernel has refused a group; then no further command gets one. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Makes the group of a command that is about to start. @returns undefined if the kernel refuses */
  async open(mark: string): Promise<OpenGroup | undefined> {
    try {
      const folder = await this.#make(mark);
      const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
      return { descriptor, close: () => closeSync(descriptor) };
    } catch (error) {
      this.refused(errnoOf(error) ?? 'EIO');
      this.over(mark);
      return undefined;
    }
  }

  /** Puts a command that has started outside into its group, unless it ends soon. */
  takeLater(mark: string, pid: number): void {
    const child = ownChild(pid);
    // A number that is not held could be another process's by then.
    if (this.#isRefused || child === undefined || !child.isHeld) return;
    this.#young.set(mark, child);
    if (!this.#isTaking) this.#takeSoon();
  }

  /** The command is over: its group is removed as soon as no process lives in it. */
  over(mark: string): void {
    this.#young.delete(mark);
    const group = this.#groups.get(mark);
    if (group === undefined) return;
    group.isOver = true;
    void group.filled.then(() => this.#remove(group));
  }

  /** No command is born in its group any more, such as under a seccomp filter without clone3(2). All are moved there. */
  refusedAtStart(): void {
    this.#entersAtStart = false;
  }

  /** No command gets a group any more, unless it is a shortage that passes: then the others do. */
  refused(errno: string): void {
    if (this.#isRefused || PASSING.has(errno)) return;
    this.#isRefused = true;
    this.#onRefused(errno);
  }

  /** Sends SIGKILL to everything in the groups of a mark; one that ends with a dot stands for all that begin with it. */
  kill(mark: string): void {
    if (mark === this.#serverMark) {
      void killCgroup(this.#folder);
      for (const group of this.#groups.values()) this.#lookSoon(group);
      return;
    }
    for (const group of this.#groupsOf(mark)) {
      void killCgroup(group.folder);
      this.#lookSoon(group);
    }
  }

  /** Living processes in the groups of a mark. @param isKnown whether a process need not be looked at */
  members(mark: string, isKnown: (pid: number) => boolean): ProcEntry[] {
    const found: ProcEntry[] = [];
    for (const { folder } of this.#groupsOf(mark)) {
      const name = `/${basename(this.#folder)}/${basename(folder)}`;
      for (const pid of cgroupMembers(folder)) {
        if (pid <= 1 || pid === process.pid || isKnown(pid)) continue;
        const entry = readProcEntry(pid);
        // AFTER the entry was read: its number may have been given to another process since the list was read.
        if (entry?.alive === true && isWithin(readCgroupOf(pid), name)) found.push(entry);
      }
    }
    return found;
  }

  /** Makes no group and looks at none any more. The folder of the server is removed by its owner. */
  close(): void {
    this.#isClosed = true;
    this.#isRefused = true;
    clearTimeout(this.#timer);
    this.#young.clear();
    for (const { timer } of this.#groups.values()) clearTimeout(timer);
  }

  *#groupsOf(mark: string): Generator<Group> {
    if (mark.endsWith('.')) {
      for (const group of this.#groups.values()) if (group.mark.startsWith(mark)) yield group;
    } else {
      const group = this.#groups.get(mark);
      if (group !== undefined) yield group;
    }
  }

  /** @param fill puts the first process in @returns the folder */
  async #make(mark: string, fill: (folder: string) => Promise<void> = async () => {}): Promise<string> {
    // A shell's pattern would leave out names that begin with a dot.
    const folder = join(this.#folder, mark.slice(this.#serverMark.length).replace(/^\.+/, ''));
    // It is there already when a child could not be born in it.
    const filling = promises.mkdir(folder, { recursive: true }).then(() => fill(folder));
    const filled = filling.catch(() => {});
    this.#groups.set(mark, { folder, mark, filled, isOver: false, pauseMs: FIRST_PAUSE_MS, timer: undefined });
    await filling;
    return folder;
  }

  /** One after the other: only the first move waits for the processors. */
  async #takeYoung(): Promise<void> {
    this.#timer = undefined;
    this.#isTaking = true;
    for (const [mark, child] of [...this.#young]) {
      // Not if the command is over by now.
      if (this.#young.delete(mark) && !child.hasEnded()) await this.#take(mark, child);
      if (this.#isRefused) this.#young.clear();
    }
    this.#isTaking = false;
    if (this.#young.size > 0) this.#takeSoon();
  }

  #takeSoon(): void {
    this.#timer ??= setTimeout(() => void this.#takeYoung(), TAKE_AFTER_MS).unref();
  }

  async #take(mark: string, child: OwnChild): Promise<void> {
    const letGo = child.keep();
    try {
      await this.#make(mark, (folder) => moveToCgroup(folder, child.pid));
    } catch (error) {
      // A process that is ending cannot be moved.
      if (!child.hasEnded() && !this.#isClosed) this.refused(errnoOf(error) ?? 'EIO');
    } finally {
      letGo();
    }
  }

  #lookSoon(group: Group): void {
    if (!group.isOver) return;
    clearTimeout(group.timer);
    group.pauseMs = FIRST_PAUSE_MS;
    this.#lookLater(group);
  }

  #lookLater(group: Group): void {
    if (this.#isClosed) return;
    group.timer = setTimeout(() => void this.#remove(group), group.pauseMs).unref();
    group.pauseMs = Math.min(2 * group.pauseMs, LONGEST_PAUSE_MS);
  }

  async #remove(group: Group): Promise<void> {
    clearTimeout(group.timer);
    if (await removeCgroup(group.folder)) {
      if (this.#groups.get(group.mark) === group) this.#groups.delete(group.mark);
    } else {
      clearTimeout(group.timer);
      this.#lookLater(group);
    }
  }
}

/** Whether a process stands in a group or below it. @param cgroup text of its /proc/PID/cgroup */
function isWithin(cgroup: string, name: string): boolean {
  return /^0::.*$/m.exec(cgroup)?.[0].concat('/').includes(`${name}/`) === true;
}
