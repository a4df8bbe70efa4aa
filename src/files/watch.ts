/**
 * Watches a path, whatever is there or will be: changes of a file, its replacement, its appearance; of a folder also those of its entries, but not
 * deeper. Knows no wire.
 *
 * It watches the folder of the path, or the nearest one that exists, because only that sees a file replaced or made; and the path itself if
 * it is a folder. After each change it looks again at what is there.
 */
import { type FSWatcher, watch as watchNode } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { FileAccess, Reached } from './file-access.js';
import { errnoError, errnoOf, FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, joinPath, splitPath } from './file-path.js';
import { isTemporaryName } from './temporary-name.js';

/** Changes that come within this time are told together, as in the reference. */
const MERGE_MS = 200;
/** A folder is watched by this name in it, which no entry has, so that a change of the folder itself is told apart from one of an entry. */
const ITSELF = '.';
/** Distinct paths of one report; more than that is told as a change of the watched folder itself. */
const MAX_CHANGED_PATHS = 10_000;

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

interface Level {
  readonly reached: Reached;
  readonly watcher: FSWatcher;
}

class Watching implements PathWatch {
  readonly #access: FileAccess;
  readonly #path: Buffer;
  readonly #events: WatchEvents;
  readonly #changed = new Map<string, Buffer>();
  /** The folder that tells of the path's name, or of what is missing on the way to it. */
  #above: Level | undefined;
  /** The path itself, if it is a folder. */
  #inside: Level | undefined;
  /** The first missing name below `#above`. */
  #awaited: Buffer | undefined;
  #identity = '';
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(access: FileAccess, path: Buffer, events: WatchEvents) {
    this.#access = access;
    this.#path = path;
    this.#events = events;
  }

  async start(): Promise<void> {
    await this.#look();
    this.#changed.clear();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    // AFTER a look that is going on, which may open another.
    void this.#looking.catch(() => {}).then(() => this.#leave());
    void this.#leave();
  }

  /** Watches what is there now. @throws {FileError} */
  #look(): Promise<void> {
    this.#looking = this.#looking.catch(() => {}).then(() => this.#lookNow());
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    if (this.#isClosed) return;
    await this.#leave();
    // The watch comes first, so that what happens between it and the look at the path is not missed.
    if (!this.#access.isRoot(this.#path)) await this.#watchAbove();
    const identity = await this.#watchInside();
    if (identity !== this.#identity) this.#add(this.#path);
    this.#identity = identity;
    if (this.#isClosed) await this.#leave();
  }

  async #watchAbove(): Promise<void> {
    let { folder, name } = splitPath(this.#path);
    for (;;) {
      try {
        this.#above = await this.#open(folder, (changed) => this.#toldAbove(changed));
        this.#awaited = name;
        return;
      } catch (error) {
        const isMissing =
          error instanceof FileError && (error.reason === 'notFound' || error.reason === 'notADirectory');
        if (!isMissing || this.#access.isRoot(folder)) throw error;
        ({ folder, name } = splitPath(folder));
      }
    }
  }

  /** @returns what the path is now: nothing, or device and inode */
  async #watchInside(): Promise<string> {
    try {
      const reached = await this.#access.reach(this.#path, 'read');
      const stats = await stat(reached.path, { bigint: true }).finally(() => reached.close());
      if (stats.isDirectory()) {
        this.#inside = await this.#open(this.#path, (changed) => this.#toldInside(changed));
      }
      return `${stats.dev}:${stats.ino}`;
    } catch (error) {
      const reason = error instanceof FileError ? error.reason : errnoOf(error);
      if (reason === 'notFound' || reason === 'ENOENT' || reason === 'notADirectory' || reason === 'ENOTDIR') return '';
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

  #toldAbove(name: Buffer | undefined): void {
    if (name !== undefined && this.#awaited !== undefined && !name.equals(this.#awaited)) return;
    // Only the parent itself tells of the path; higher up, something on the way to it has changed.
    if (this.#awaited?.equals(splitPath(this.#path).name)) this.#add(this.#path);
    this.#lookSoon();
  }

  #toldInside(name: Buffer | undefined): void {
    if (name !== undefined && isTemporaryName(name)) return;
    this.#add(name === undefined ? this.#path : joinPath(this.#path, name));
    if (name === undefined) this.#lookSoon();
  }

  #add(path: Buffer): void {
    if (this.#isClosed) return;
    const full = this.#changed.size >= MAX_CHANGED_PATHS ? this.#path : path;
    this.#changed.set(full.toString('latin1'), full);
    this.#timer ??= setTimeout(() => this.#tell(), MERGE_MS);
  }

  #tell(): void {
    this.#timer = undefined;
    const paths = [...this.#changed.values()].sort(Buffer.compare);
    this.#changed.clear();
    if (!this.#isClosed && paths.length > 0) this.#events.changed(paths);
  }

  #lookSoon(): void {
    // What cannot be watched now may be seen again at the next change above it.
    this.#look().catch(() => {});
  }

  async #leave(): Promise<void> {
    const levels = [this.#above, this.#inside];
    this.#above = undefined;
    this.#inside = undefined;
    for (const level of levels) {
      level?.watcher.close();
      await level?.reached.close();
    }
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
