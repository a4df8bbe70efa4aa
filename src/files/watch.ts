/**
 * Watches a path, whatever is there or will be: changes of a file, its replacement, its appearance; of a folder also those of its entries, but not
 * deeper. Knows no wire.
 *
 * It watches the folder of the path, or the nearest one that exists, because only that sees a file replaced or made; and the path itself if
 * it is a folder. After each change it looks again at what is there. Long because all of this changes one state of one watch.
 */
import { type FSWatcher, watch as watchNode } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type FileAccess, holding, type Reached } from './file-access.js';
import { errnoError, errnoOf, FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, joinPath, splitPath } from './file-path.js';
import { isTemporaryName } from './temporary-name.js';

/** Changes that come within this time are told together, as in the reference. */
const MERGE_MS = 200;
/** Milliseconds between two looks at what is there, where changes come all the time. */
const LOOK_EVERY_MS = 20;
/**
 * Milliseconds of processor time that one turn of the loop may spend on changes. Node takes them until there is none left, and a program can make them faster than they
 * are taken, so beyond this a watch ends, and begins again after a rest.
 */
const MAX_TURN_MS = 5;
/** Changes of one turn that are always taken. So few are no flood, and processor time counts other threads of this process, too. */
const MIN_TURN_CHANGES = 256;
const REST_MS = 200;
const MICROSECONDS_PER_MS = 1000;
/** A folder is watched by this name in it, which no entry has, so that a change of the folder itself is told apart from one of an entry. */
const ITSELF = '.';
/** Distinct paths of one report, and their bytes; more than that is told as a change of the watched folder itself. */
const MAX_CHANGED_PATHS = 10_000;
const MAX_CHANGED_BYTES = 1024 * 1024;

/** A watch that is on. */
export interface PathWatch {
  /** Nothing is told any more once this was called. */
  close(): void;
}

/** What a watch tells. */
export interface WatchEvents {
  /** @param paths of what changed, in the order of their bytes, each once */
  changed(paths: readonly Buffer[]): void;
}

/**
 * Watches until it is closed.
 * @throws {FileError} `noRoom` when the system allows no further watch; `outsideRoot`
 */
export async function watchPath(access: FileAccess, path: FilePath, events: WatchEvents): Promise<PathWatch> {
  const watching = new Watching(access, absolutePath(path), events);
  await filing(() => watching.start());
  return watching;
}

/** The changes that this turn of the loop has taken, when it took the first, and the processor time of this process until then; undefined before that. */
let turn: { changes: number; readonly beganAtMs: number; readonly usage: NodeJS.CpuUsage } | undefined;

/** Whether this turn of the loop has spent its time on changes. Time in which the process waited for a core does not count. */
function isTurnSpent(): boolean {
  if (turn === undefined) {
    turn = { changes: 0, beganAtMs: performance.now(), usage: process.cpuUsage() };
    setImmediate(() => {
      turn = undefined;
    });
  }
  turn.changes += 1;
  // In the order of what they cost.
  if (turn.changes <= MIN_TURN_CHANGES) return false;
  if (performance.now() - turn.beganAtMs <= MAX_TURN_MS) return false;
  const { user, system } = process.cpuUsage(turn.usage);
  return (user + system) / MICROSECONDS_PER_MS > MAX_TURN_MS;
}

interface Level {
  readonly reached: Reached;
  readonly watcher: FSWatcher;
}

class Watching implements PathWatch {
  readonly #access: FileAccess;
  readonly #path: Buffer;
  readonly #events: WatchEvents;
  readonly #changed = new Map<string, Buffer>();
  /** Of the changed paths. */
  #changedBytes = 0;
  /** The folder that tells of the path's name, or of what is missing on the way to it; and the path itself, if it is a folder. */
  #levels: readonly Level[] = [];
  #identity = '';
  #telling: NodeJS.Timeout | undefined;
  /** Whether it is time to tell, and a look is going on. */
  #mustTell = false;
  /** A look that is going on. */
  #looking: Promise<void> | undefined;
  #mustLookAgain = false;
  /** Whether a watch was ended because changes came too fast. */
  #mustRest = false;
  #isClosed = false;

  constructor(access: FileAccess, path: Buffer, events: WatchEvents) {
    this.#access = access;
    this.#path = path;
    this.#events = events;
  }

  /** @throws {FileError} */
  async start(): Promise<void> {
    this.#looking = this.#look();
    try {
      await this.#looking;
    } finally {
      this.#looking = undefined;
    }
    this.#forgetChanges();
    this.#mustTell = false;
    if (this.#mustLookAgain) this.#lookSoon();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#telling);
    const leave = (): void => void leaveAll(this.#levels);
    // AFTER a look that is going on, which may open others.
    if (this.#looking === undefined) leave();
    else this.#looking.then(leave, leave);
  }

  /** Looks again soon, once for all changes that come meanwhile. */
  #lookSoon(): void {
    this.#mustLookAgain = true;
    this.#looking ??= this.#lookWhileNeeded().finally(() => {
      this.#looking = undefined;
      if (this.#mustTell) this.#tell();
    });
  }

  async #lookWhileNeeded(): Promise<void> {
    while (this.#mustLookAgain && !this.#isClosed) {
      this.#mustLookAgain = false;
      const hasRested = this.#mustRest;
      this.#mustRest = false;
      if (hasRested) await pause(REST_MS);
      if (this.#isClosed) return;
      // What cannot be watched now may be seen again at the next change above it.
      await this.#look().catch(() => {});
      // What changed during the rest is not known.
      if (hasRested) this.#add(this.#path);
      if (this.#mustTell) this.#tell();
      await pause(LOOK_EVERY_MS);
    }
  }

  /** Watches what is there now. The new watches begin before the old ones end, so that nothing between them is missed. */
  async #look(): Promise<void> {
    const levels: Level[] = [];
    try {
      if (!this.#access.isRoot(this.#path)) levels.push(await this.#watchAbove());
      const { identity, inside } = await this.#watchInside();
      if (inside !== undefined) levels.push(inside);
      if (identity !== this.#identity) this.#add(this.#path);
      this.#identity = identity;
    } finally {
      const before = this.#levels;
      this.#levels = levels;
      await leaveAll(before);
    }
  }

  /** Watches the folder of the path, or the nearest one that is there. */
  async #watchAbove(): Promise<Level> {
    let { folder, name } = splitPath(this.#path);
    for (let isParent = true; ; isParent = false) {
      const awaited = name;
      try {
        const level = await this.#open(folder, (changed) => this.#toldAbove(changed, { awaited, isParent }));
        // The folder that was missing may have come before this watch began.
        if (!isParent && (await this.#isFolder(joinPath(folder, awaited)))) this.#mustLookAgain = true;
        return level;
      } catch (error) {
        const isMissing =
          error instanceof FileError && (error.reason === 'notFound' || error.reason === 'notADirectory');
        if (!isMissing || this.#access.isRoot(folder)) throw error;
        ({ folder, name } = splitPath(folder));
      }
    }
  }

  async #isFolder(path: Buffer): Promise<boolean> {
    try {
      const stats = await holding(this.#access.reach(path, 'read'), (reached) => stat(reached.path));
      return stats.isDirectory();
    } catch {
      return false;
    }
  }

  /** @returns what the path is now, empty for nothing, and a watch of it if it is a folder */
  async #watchInside(): Promise<{ readonly identity: string; readonly inside?: Level }> {
    try {
      const stats = await holding(this.#access.reach(this.#path, 'read'), (reached) =>
        stat(reached.path, { bigint: true }),
      );
      const identity = `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`;
      if (!stats.isDirectory()) return { identity };
      return { identity, inside: await this.#open(this.#path, (changed) => this.#toldInside(changed)) };
    } catch (error) {
      const reason = error instanceof FileError ? error.errno : errnoOf(error);
      if (reason === 'ENOENT' || reason === 'ENOTDIR') return { identity: '' };
      throw error;
    }
  }

  async #open(path: Buffer, told: (name: Buffer | undefined) => void): Promise<Level> {
    return filing(async () => {
      const reached = await this.#access.reach(path, 'read');
      try {
        // A watch of a file would not see it replaced.
        if (!(await stat(reached.path)).isDirectory()) throw errnoError('ENOTDIR');
        const at = joinPath(reached.path, Buffer.from(ITSELF));
        const watcher = watchNode(at, { encoding: 'buffer', persistent: false }, (_kind, name) => {
          if (isTurnSpent()) {
            watcher.close();
            this.#rest();
            return;
          }
          told(name === null || name.toString('latin1') === ITSELF ? undefined : name);
        });
        // The folder is gone or cannot be read any more: the look finds out.
        watcher.on('error', () => told(undefined));
        return { reached, watcher };
      } catch (error) {
        await reached.close();
        throw watchLimit(error);
      }
    });
  }

  /** Changes come too fast. */
  #rest(): void {
    this.#mustRest = true;
    this.#add(this.#path);
    this.#lookSoon();
  }

  #toldAbove(
    name: Buffer | undefined,
    { awaited, isParent }: { readonly awaited: Buffer; readonly isParent: boolean },
  ): void {
    if (name !== undefined && !name.equals(awaited)) return;
    // Only the parent itself tells of the path; higher up, something on the way to it has changed.
    if (isParent && name !== undefined) this.#add(this.#path);
    this.#lookSoon();
  }

  #toldInside(name: Buffer | undefined): void {
    if (name !== undefined && isTemporaryName(name)) return;
    this.#add(name === undefined ? this.#path : joinPath(this.#path, name));
    if (name === undefined) this.#lookSoon();
  }

  #add(path: Buffer): void {
    if (this.#isClosed) return;
    const isFull = this.#changed.size >= MAX_CHANGED_PATHS || this.#changedBytes >= MAX_CHANGED_BYTES;
    const told = isFull ? this.#path : path;
    const key = told.toString('latin1');
    if (!this.#changed.has(key)) this.#changedBytes += told.length;
    this.#changed.set(key, told);
    this.#telling ??= setTimeout(() => {
      // After the look: what the listener does next is then seen.
      if (this.#looking === undefined) this.#tell();
      else this.#mustTell = true;
    }, MERGE_MS);
  }

  #forgetChanges(): void {
    this.#changed.clear();
    this.#changedBytes = 0;
  }

  #tell(): void {
    this.#telling = undefined;
    this.#mustTell = false;
    const paths = [...this.#changed.values()].sort(Buffer.compare);
    this.#forgetChanges();
    if (!this.#isClosed && paths.length > 0) this.#events.changed(paths);
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms).unref());
}

async function leaveAll(levels: readonly Level[]): Promise<void> {
  for (const { watcher, reached } of levels) {
    watcher.close();
    await reached.close();
  }
}

/** inotify answers ENOSPC when the user has no watch left, and EMFILE when it has no instance left. */
function watchLimit(error: unknown): unknown {
  const code = errnoOf(error);
  if (code !== 'ENOSPC' && code !== 'EMFILE') return error;
  return new FileError('noRoom', 'the system allows no further watch: see fs.inotify.max_user_watches', {
    cause: error,
    errno: code,
  });
}
