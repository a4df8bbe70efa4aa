/**
 * Finds and kills everything a command started: its group, its session, its descendants in groups and sessions of their own, and
 * those that carry its marker after their parents have gone. It knows nothing of why.
 */
import { MARKER_VARIABLE } from './environment.js';
import { type ProcEntry, readProcEntry, readProcTable, startedWith } from './proc-table.js';

/** What a command is known by. */
export interface TreeTarget {
  /** Pid of the process that was started; also the number of its group and session. */
  readonly pid: number;
  /** Value of `EXECWIRE_COMMAND_ID` in its environment. */
  readonly marker: string;
}

/** What many commands are known by, also those that have ended and left something behind. */
export interface FamilyTarget {
  /** Pids of the leaders that still run. */
  readonly pids: readonly number[];
  /** What all their markers begin with. */
  readonly markerPrefix: string;
}

/** Waits between two looks, in ms: a killed process needs a moment to go, and a long wait is for the kernel to end. */
const LOOK_AGAIN_MS = [1, 2, 4, 8, 16, 32, 64, 128, 250, 250, 250, 500, 500] as const;
/** Looks in one go before the event loop gets its turn: a tree that forks as fast as it can loses this race quickly. */
const LOOKS_AT_ONCE = 4;

/**
 * Sends a signal to every process of a command, descendants before the leader (their parent's end would hide them).
 *
 * SIGKILL is repeated until nothing is left, for 2 s at most; any other signal goes once to each process (with SIGCONT behind it, so
 * that a stopped job can act on it). The first round is done before this function returns.
 * @returns pids of those that lived at the last look: after SIGKILL the survivors.
 */
export function killTree(target: TreeTarget, signal: NodeJS.Signals): Promise<number[]> {
  return killTrees([target], signal);
}

/** `killTree` for many commands at the price of one look at the process table. */
export async function killTrees(targets: readonly TreeTarget[], signal: NodeJS.Signals): Promise<number[]> {
  return chase(
    targets.map(({ pid }) => pid),
    exactly(targets),
    signal,
  );
}

/** SIGKILL to all processes of many commands, and of those that have ended before. As {@link killTree} otherwise. */
export async function killFamilies(families: readonly FamilyTarget[]): Promise<number[]> {
  const prefixes = families.map(({ markerPrefix }) => markerPrefix);
  const isMarked = (marker: string): boolean => prefixes.some((prefix) => marker.startsWith(prefix));
  return chase(
    families.flatMap(({ pids }) => pids),
    isMarked,
    'SIGKILL',
    { alsoOlder: true },
  );
}

function exactly(targets: readonly TreeTarget[]): (marker: string) => boolean {
  const markers = new Set(targets.map(({ marker }) => marker));
  return (marker) => markers.has(marker);
}

async function chase(
  pids: readonly number[],
  isMarked: (marker: string) => boolean,
  signal: NodeJS.Signals,
  options: { alsoOlder?: boolean } = {},
): Promise<number[]> {
  if (pids.length === 0 && options.alsoOlder !== true) return [];
  const hunt = new Hunt(pids, isMarked, signal, options.alsoOlder === true);
  let left = hunt.strike();
  for (let looks = 1; looks < LOOKS_AT_ONCE && hunt.foundNew; looks += 1) left = hunt.strike();
  if (signal !== 'SIGKILL') return left;
  for (const delayMs of LOOK_AGAIN_MS) {
    if (left.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    left = hunt.strike();
  }
  return left;
}

/**
 * SIGKILL to what is left of a command's group, after its leader has ended or before. Cheap: no look at the process table.
 * @returns whether there was such a group, if only of zombies.
 */
export function killGroup(pid: number): boolean {
  return signalGroup(pid, 'SIGKILL');
}

/** Sends a signal to the group that a child leads, if that is still our child. @returns whether somebody got it */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  if (!mayBeSignalled(pid)) return false;
  // A leader is our child as long as its number is in use; a process of that number with another parent is a stranger.
  const holder = readProcEntry(pid);
  if (holder !== undefined && holder.parent !== process.pid) return false;
  // A child on a terminal has no group of its own until a moment after its fork.
  return send(-pid, signal) || (holder !== undefined && send(pid, signal));
}

/** Every living process of the commands, in no order. */
export function findTrees(targets: readonly TreeTarget[]): number[] {
  const pids = targets.map(({ pid }) => pid);
  return new Hunt(pids, exactly(targets), 'SIGKILL', false).find().map(({ pid }) => pid);
}

/** Names a process for good: a number alone may be another's tomorrow. */
function identity({ pid, startTime }: ProcEntry): string {
  return `${pid}@${startTime}`;
}

/** One kill from its first look to its last. It remembers what it has seen: groups and sessions outlive their leaders. */
class Hunt {
  readonly #isMarked: (marker: string) => boolean;
  /** Whether what is older than the leaders may belong, too: commands that have ended before. */
  readonly #alsoOlder: boolean;
  readonly #leaders: ReadonlySet<number>;
  readonly #signal: NodeJS.Signals;
  readonly #groups = new Set<number>();
  readonly #sessions = new Set<number>();
  readonly #seen = new Set<string>();
  readonly #unmarked = new Set<string>();
  #oldest = 0;
  /** Whether the last strike met a process for the first time. */
  foundNew = false;

  constructor(
    pids: readonly number[],
    isMarked: (marker: string) => boolean,
    signal: NodeJS.Signals,
    alsoOlder: boolean,
  ) {
    this.#isMarked = isMarked;
    this.#alsoOlder = alsoOlder;
    this.#leaders = new Set(pids.filter(mayBeSignalled));
    this.#signal = signal;
    for (const pid of this.#leaders) {
      this.#groups.add(pid);
      this.#sessions.add(pid);
    }
  }

  /** Looks once and signals all that is found. @returns pids of what is found. */
  strike(): number[] {
    this.foundNew = false;
    const found = this.find();
    // Newest first: a child is younger than its parent, and the leaders, the oldest of their trees, come last.
    found.sort(
      (a, b) => Number(this.#leaders.has(a.pid)) - Number(this.#leaders.has(b.pid)) || b.startTime - a.startTime,
    );
    // BEFORE its children: a shell whose children die under it would go on, and might end with a code of its own before its turn.
    if (this.#signal === 'SIGKILL') for (const entry of found) if (this.#leaders.has(entry.pid)) stop(entry);
    for (const entry of found) this.#signalOne(entry);
    return found.map(({ pid }) => pid);
  }

  find(): ProcEntry[] {
    const table = readProcTable();
    if (table.length === 0 && process.platform !== 'linux') return this.#findWithoutProc();
    const members = new Map<number, ProcEntry>();
    this.#followKin(table, members);
    // AFTER the kin: the rest must be asked one by one, and a marked process may have kin of its own.
    if (this.#addMarked(table, members)) this.#followKin(table, members);
    return [...members.values()].filter(({ alive }) => alive);
  }

  /** Adds by group, session and parent until nothing is added any more: a parent may stand behind its child in the table. */
  #followKin(table: readonly ProcEntry[], members: Map<number, ProcEntry>): void {
    for (let grown = true; grown; ) {
      grown = false;
      for (const entry of table) {
        if (members.has(entry.pid) || !mayBeSignalled(entry.pid)) continue;
        if (this.#groups.has(entry.group) || this.#sessions.has(entry.session) || members.has(entry.parent)) {
          this.#add(entry, members);
          grown = true;
        }
      }
    }
  }

  #add(entry: ProcEntry, members: Map<number, ProcEntry>): void {
    members.set(entry.pid, entry);
    if (this.#leaders.has(entry.pid)) this.#oldest = Math.min(this.#oldest || entry.startTime, entry.startTime);
    // Groups and sessions of a command are its own: only a process inside a session can join it, and ours is never one.
    if (entry.group !== ownGroup() && entry.group > 1) this.#groups.add(entry.group);
    if (entry.session !== ownSession() && entry.session > 1) this.#sessions.add(entry.session);
  }

  #addMarked(table: readonly ProcEntry[], members: Map<number, ProcEntry>): boolean {
    let added = false;
    for (const entry of table) {
      if (members.has(entry.pid) || !entry.alive || !mayBeSignalled(entry.pid)) continue;
      // Nothing that is older than the command can be its child.
      if (!this.#alsoOlder && entry.startTime < this.#oldest) continue;
      const name = identity(entry);
      if (this.#unmarked.has(name)) continue;
      const marker = startedWith(entry.pid, MARKER_VARIABLE);
      if (marker !== undefined && this.#isMarked(marker)) {
        this.#add(entry, members);
        added = true;
      } else this.#unmarked.add(name);
    }
    return added;
  }

  #findWithoutProc(): ProcEntry[] {
    return [...this.#leaders]
      .filter((pid) => send(-pid, 0))
      .map((pid) => ({ pid, parent: 0, group: pid, session: pid, startTime: 0, alive: true }));
  }

  #signalOne(entry: ProcEntry): void {
    const name = identity(entry);
    const first = !this.#seen.has(name);
    if (first) {
      this.#seen.add(name);
      this.foundNew = true;
    } else if (this.#signal !== 'SIGKILL') return;
    if (process.platform !== 'linux') {
      send(-entry.pid, this.#signal);
      return;
    }
    if (!isStill(entry)) return;
    send(entry.pid, this.#signal);
    if (this.#signal !== 'SIGKILL') send(entry.pid, 'SIGCONT');
  }
}

/** Whether the number still means the same process: the table is some milliseconds old. */
function isStill(entry: ProcEntry): boolean {
  return readProcEntry(entry.pid)?.startTime === entry.startTime;
}

function stop(entry: ProcEntry): void {
  if (process.platform === 'linux' && isStill(entry)) send(entry.pid, 'SIGSTOP');
}

function mayBeSignalled(pid: number): boolean {
  return Number.isInteger(pid) && pid > 1 && pid !== process.pid;
}

let own: ProcEntry | undefined;

function ownGroup(): number {
  own ??= readProcEntry(process.pid);
  return own?.group ?? 0;
}

function ownSession(): number {
  own ??= readProcEntry(process.pid);
  return own?.session ?? 0;
}

/** @returns false when nobody was there to get it. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false; // ESRCH: gone. EPERM: another user's by now, or out of our reach; the caller sees it survive.
  }
}
