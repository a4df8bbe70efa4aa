/**
 * Finds everything that commands have started: what descends from their leaders, what is in the group or session of one of those, and
 * what carries their mark after its parents have gone. It signals nobody.
 *
 * It walks down the lists of children from the leaders, and asks the orphans that came to this process: the cost is that of what commands
 * have left, however many processes the host has. Where that is not possible it reads the whole table of processes.
 */
import { MARKER_VARIABLE } from './environment.js';
import { adoptsOrphans, livingOrphans, readEntry } from './orphans.js';
import { type OwnChild, ownChild } from './own-children.js';
import { type ProcEntry, readChildren, readProcEntry, readProcTable, startedWith } from './proc-table.js';

/** What one or many commands are known by. */
export interface TreeTarget {
  /** The processes that were started, as far as nobody has reaped them: each is the number of a group and a session, too. */
  readonly leaders: readonly OwnChild[];
  /** Value of `EXECWIRE_COMMAND_ID` in the environments; one that ends with a dot stands for all that begin so. */
  readonly mark: string;
  /** Whether every orphan belongs to it, marked or not: what commands left behind, when the server ends. Default: false. */
  readonly allOrphans?: boolean;
}

/** To be made when the kill is asked for: the numbers may be others' later. */
export function treeTarget(pids: readonly number[], mark: string): TreeTarget {
  return { leaders: pids.map(ownChild).filter((child) => child !== undefined), mark };
}

/** Marks of all processes of the host, where the table has to be read: most are strangers and stay the same. */
let marksInTable = new Map<string, string | undefined>();

/** Looks for the processes of some commands, as often as it is asked to, and remembers those that it has met. */
export class TreeScan {
  readonly #leaders: readonly OwnChild[];
  readonly #marks = new Set<string>();
  readonly #prefixes: string[] = [];
  readonly #takesAllOrphans: boolean;
  /** Every process met so far. */
  readonly #met = new Map<number, ProcEntry>();
  /** Orphans of others. */
  readonly #strangers = new Set<string>();
  #onNew: (entry: ProcEntry) => void = () => {};
  /** Found by the look that is under way, parents before their children. */
  #found = new Map<number, ProcEntry>();
  #groups = new Set<number>();
  #sessions = new Set<number>();
  #isRestless = false;

  constructor(targets: readonly TreeTarget[]) {
    this.#leaders = targets.flatMap(({ leaders }) => leaders);
    this.#takesAllOrphans = targets.some(({ allOrphans }) => allOrphans === true);
    for (const { mark } of targets) {
      if (mark.endsWith('.')) this.#prefixes.push(mark);
      else this.#marks.add(mark);
    }
  }

  /** Leaders that are not reaped: their numbers are sure. */
  get leaders(): OwnChild[] {
    return this.#leaders.filter(({ isReaped }) => !isReaped);
  }

  /** Whether the last look met a process for the first time, or one that could not be asked whose it is: it was gone, or changed its program. */
  get isRestless(): boolean {
    return this.#isRestless;
  }

  /**
   * Looks once.
   * @param onNew called for each that lives and is met for the first time, before its children are looked up.
   * @returns those that live, parents before their children; leaders only where no process can be seen.
   */
  look(onNew: (entry: ProcEntry) => void = () => {}): ProcEntry[] {
    this.#onNew = onNew;
    this.#isRestless = false;
    this.#found = new Map();
    // Of leaders and of what THIS look finds alive or a zombie: a number that was seen earlier may be another's by now.
    this.#groups = new Set();
    this.#sessions = new Set();
    for (const leader of this.leaders) this.#addLeader(leader);
    if (!this.#searchChildren()) this.#searchTable();
    return [...this.#found.values()].filter(({ alive }) => alive);
  }

  #addLeader(leader: OwnChild): void {
    const { pid } = leader;
    const hasEnded = leader.hasEnded();
    const met = this.#met.get(pid);
    // Its number is sure, and nothing that matters has changed: a look at a thousand leaders costs half.
    if (leader.isHeld && !hasEnded && met !== undefined) {
      this.#add(met);
      return;
    }
    const entry = readEntry(pid, process.pid);
    // Reaped by somebody else a moment ago, and its number given away.
    if (hasEnded && entry?.startTime !== undefined && entry.alive) return;
    this.#add(entry?.startTime === undefined ? { ...(entry ?? unseen(pid)), alive: !hasEnded } : entry);
  }

  /** @returns false where it cannot be done. */
  #searchChildren(): boolean {
    if (!adoptsOrphans()) return false;
    for (const { pid } of this.leaders) this.#addDescendants(pid);
    // AFTER the descendants: who loses his parent meanwhile is an orphan by now.
    const orphans = livingOrphans();
    if (orphans === undefined) return false;
    if (orphans.died.some((pid) => !this.#met.has(pid))) this.#isRestless = true;
    // Met below a parent that has died since.
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
        // Another parent: it was reaped, and its number given away, since the list was read.
        if (entry === undefined || (entry.parent !== parent && entry.parent !== process.pid)) continue;
        this.#add(entry);
        waiting.push(child);
      }
    }
  }

  #searchTable(): void {
    const table = readProcTable();
    this.#addKinInTable(table);
    // AFTER the kin: the rest must be asked one by one, and a marked process may have kin of its own.
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

  /** Adds by group, session and parent until nothing is added any more: a parent may stand behind its child in the table. */
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

  #add(entry: ProcEntry): void {
    this.#found.set(entry.pid, entry);
    // Groups and sessions of a command are its own: only a process inside a session can join it, and ours is never one.
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
    // Another look will tell, or meet what it has left.
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

/** Names a process for good: a number alone may be another's tomorrow. */
function identity({ pid, startTime }: ProcEntry): string {
  return `${pid}@${startTime}`;
}

/** A leader where there is no /proc: it is ours, and more is not known. */
function unseen(pid: number): ProcEntry {
  return {
    pid,
    parent: process.pid,
    group: pid,
    session: pid,
    startTime: undefined,
    alive: true,
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
