/**
 * Finds all processes of commands: descendants of their leaders, members of the groups and sessions of those, processes with their mark whose
 * parents have gone, and those in their control groups where they have some. It signals nothing.
 *
 * It walks down the lists of children from the leaders, and checks the orphans of this process. So the cost depends on what commands have left, not
 * on how many processes the host has. If that is not possible it reads the whole table of processes.
 */
import { MARKER_VARIABLE } from './environment.js';
import { adoptsOrphans, livingOrphans, readEntry } from './orphans.js';
import { type OwnChild, ownChild } from './own-children.js';
import { type ProcEntry, readChildren, readProcEntry, readProcTable, startedWith } from './proc-table.js';

/** What identifies the processes of one command, or of many. */
export interface TreeTarget {
  /** The started processes that were not reaped yet. Each pid is the number of a group and a session, too. */
  readonly leaders: readonly OwnChild[];
  /** Value of `EXECWIRE_COMMAND_ID` in the environments. One that ends with a dot stands for all that begin with it. */
  readonly mark: string;
  /** Whether every orphan belongs to it, marked or not: the leftovers of all commands, when the server ends. Default: false. */
  readonly allOrphans?: boolean;
  /** The control groups that its commands have for themselves. Default: none. */
  readonly cgroups?: TreeCgroups | undefined;
}

/** Control groups by the marks of their commands. */
export interface TreeCgroups {
  /** Begins to kill everything inside. */
  kill(mark: string): void;
  /** Living processes inside, without known ones. */
  members(mark: string, isKnown: (pid: number) => boolean): readonly ProcEntry[];
}

/** To be created when the kill is asked for, because the numbers may belong to other processes later. */
export function treeTarget(pids: readonly number[], mark: string, cgroups?: TreeCgroups): TreeTarget {
  return { leaders: pids.map(ownChild).filter((child) => child !== undefined), mark, cgroups };
}

/** Marks of all processes of the host, for hosts where the table has to be read. Most processes are strangers and stay the same. */
let marksInTable = new Map<string, string | undefined>();

/** Looks for the processes of some commands, as often as it is asked to, and remembers those that it has found. */
export class TreeScan {
  readonly #leaders: readonly OwnChild[];
  readonly #marks = new Set<string>();
  readonly #prefixes: string[] = [];
  readonly #takesAllOrphans: boolean;
  readonly #targets: readonly TreeTarget[];
  /** Every process found so far. */
  readonly #met = new Map<number, ProcEntry>();
  /** Orphans that belong to other commands. */
  readonly #strangers = new Set<string>();
  #onNew: (entry: ProcEntry) => void = () => {};
  /** Processes found by the current look, parents before their children. */
  #found = new Map<number, ProcEntry>();
  #groups = new Set<number>();
  #sessions = new Set<number>();
  #isRestless = false;

  constructor(targets: readonly TreeTarget[]) {
    this.#targets = targets;
    this.#leaders = targets.flatMap(({ leaders }) => leaders);
    this.#takesAllOrphans = targets.some(({ allOrphans }) => allOrphans === true);
    for (const { mark } of targets) {
      if (mark.endsWith('.')) this.#prefixes.push(mark);
      else this.#marks.add(mark);
    }
  }

  /** Leaders that are not reaped; their numbers are certain. */
  get leaders(): OwnChild[] {
    return this.#leaders.filter(({ isReaped }) => !isReaped);
  }

  /** Whether the last look found a new process, or one whose owner could not be read because it was ending or changing its program. */
  get isRestless(): boolean {
    return this.#isRestless;
  }

  /**
   * Looks once.
   * @param onNew called for each living process that is found for the first time, before its children are looked up
   * @returns the living processes, parents before their children; only leaders if no process can be seen
   */
  look(onNew: (entry: ProcEntry) => void = () => {}): ProcEntry[] {
    this.#onNew = onNew;
    this.#isRestless = false;
    this.#found = new Map();
    // Only of leaders, and of what THIS look finds: a number that was seen earlier may belong to another process by now.
    this.#groups = new Set();
    this.#sessions = new Set();
    for (const leader of this.leaders) this.#addLeader(leader);
    if (!this.#searchChildren()) this.#searchTable();
    this.#searchCgroups();
    return [...this.#found.values()].filter(({ alive }) => alive);
  }

  #addLeader(leader: OwnChild): void {
    const { pid } = leader;
    const hasEnded = leader.hasEnded();
    const met = this.#met.get(pid);
    // Its number is certain, and nothing relevant has changed. This halves the cost of a look at a thousand leaders.
    if (leader.isHeld && !hasEnded && met !== undefined) {
      this.#add(met);
      return;
    }
    const entry = readEntry(pid, process.pid);
    // It was reaped elsewhere a moment ago, and its number was given to another process.
    if (hasEnded && entry?.startTime !== undefined && entry.alive) return;
    this.#add(entry?.startTime === undefined ? { ...(entry ?? unseen(pid)), alive: !hasEnded } : entry);
  }

  /** @returns false if it cannot be done */
  #searchChildren(): boolean {
    if (!adoptsOrphans()) return false;
    for (const { pid } of this.leaders) this.#addDescendants(pid);
    // AFTER the descendants, because a process that loses its parent meanwhile is an orphan by now.
    const orphans = livingOrphans();
    if (orphans === undefined) return false;
    if (orphans.died.some((pid) => !this.#met.has(pid))) this.#isRestless = true;
    // It was found below a parent that has died since.
    for (const entry of orphans.entries) {
      if (entry.startTime !== undefined && this.#isMet(entry)) this.#addWithDescendants(entry);
    }
    for (let grown = true; grown; ) {
      grown = false;
      for (const entry of orphans.entries) {
        if (this.#found.has(entry.pid)) continue;
        if (!this.#takesAllOrphans && !this.#isKin(entry) && !this.#isMarked(entry)) continue;
        this.#addWithDescendants(entry);
        grown = true;
      }
    }
    return true;
  }

  #addWithDescendants(entry: ProcEntry): void {
    this.#add(entry);
    this.#addDescendants(entry.pid);
  }

  #addDescendants(pid: number): void {
    const waiting = [pid];
    for (let parent = waiting.pop(); parent !== undefined; parent = waiting.pop()) {
      for (const child of readChildren(parent, this.#found.get(parent)?.threads ?? 1) ?? []) {
        if (this.#found.has(child)) continue;
        const entry = readEntry(child, parent);
        // It has another parent: it was reaped after the list was read, and its number was given to another process.
        if (entry === undefined || (entry.parent !== parent && entry.parent !== process.pid)) continue;
        this.#add(entry);
        waiting.push(child);
      }
    }
  }

  #searchTable(): void {
    const table = readProcTable();
    this.#addKinInTable(table);
    // AFTER the kin, because the others must be asked one by one, and a marked process may have kin of its own.
    let grown = false;
    const marks = new Map<string, string | undefined>();
    for (const entry of table) {
      if (this.#found.has(entry.pid) || !entry.alive || !mayBeFound(entry.pid)) continue;
      const name = identity(entry);
      const mark = marksInTable.has(name) ? marksInTable.get(name) : startedWith(entry, MARKER_VARIABLE);
      if (mark === null) this.#isRestless = true;
      else marks.set(name, mark);
      if (!this.#isMet(entry) && !this.#isMark(mark)) continue;
      this.#add(entry);
      grown = true;
    }
    marksInTable = marks;
    if (grown) this.#addKinInTable(table);
  }

  /** Adds by group, session and parent until nothing is added any more, because a parent may stand behind its child in the table. */
  #addKinInTable(table: readonly ProcEntry[]): void {
    for (let grown = true; grown; ) {
      grown = false;
      for (const entry of table) {
        if (this.#found.has(entry.pid) || !mayBeFound(entry.pid)) continue;
        if (!this.#isKin(entry) && !this.#found.has(entry.parent)) continue;
        this.#add(entry);
        grown = true;
      }
    }
  }

  #searchCgroups(): void {
    for (const { cgroups, mark } of this.#targets) {
      for (const entry of cgroups?.members(mark, (pid) => this.#found.has(pid)) ?? []) {
        this.#addWithDescendants(entry);
      }
    }
  }

  #add(entry: ProcEntry): void {
    this.#found.set(entry.pid, entry);
    // Groups and sessions of a command are its own: only a process inside a session can join it, and the server's session is never one.
    if (entry.group !== ownEntry()?.group && entry.group > 1) this.#groups.add(entry.group);
    if (entry.session !== ownEntry()?.session && entry.session > 1) this.#sessions.add(entry.session);
    if (!entry.alive || this.#isMet(entry)) return;
    this.#met.set(entry.pid, entry);
    this.#isRestless = true;
    this.#onNew(entry);
  }

  #isKin({ group, session }: ProcEntry): boolean {
    return this.#groups.has(group) || this.#sessions.has(session);
  }

  #isMet(entry: ProcEntry): boolean {
    const met = this.#met.get(entry.pid);
    return met !== undefined && met.startTime === entry.startTime;
  }

  #isMarked(entry: ProcEntry): boolean {
    const name = identity(entry);
    if (this.#strangers.has(name)) return false;
    const mark = startedWith(entry, MARKER_VARIABLE);
    // The next look will tell, or will find what the process has left.
    if (mark === null) this.#isRestless = true;
    else if (!this.#isMark(mark)) this.#strangers.add(name);
    return this.#isMark(mark);
  }

  #isMark(mark: string | undefined | null): boolean {
    return (
      typeof mark === 'string' && (this.#marks.has(mark) || this.#prefixes.some((prefix) => mark.startsWith(prefix)))
    );
  }
}

/** Identifies a process for good; a number alone may belong to another process later. */
function identity({ pid, startTime }: ProcEntry): string {
  return `${pid}@${startTime}`;
}

/** A leader on a host without /proc. It is a child of this process, and more is not known. */
function unseen(pid: number): ProcEntry {
  return {
    pid,
    parent: process.pid,
    group: pid,
    session: pid,
    startTime: undefined,
    alive: true,
    runnable: false,
    headless: false,
    threads: 1,
  };
}

function mayBeFound(pid: number): boolean {
  return pid > 1 && pid !== process.pid;
}

let own: ProcEntry | undefined;

function ownEntry(): ProcEntry | undefined {
  own ??= readProcEntry(process.pid);
  return own;
}
