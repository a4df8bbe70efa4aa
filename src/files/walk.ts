/** Walks a tree breadth first. Knows no wire. */
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type FileAccess, holding } from './file-access.js';
import { FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, joinPath } from './file-path.js';
import { describeEntry, listFolder, MAX_LISTED_ENTRIES } from './read-directory.js';

const DOT = 0x2e;

export interface WalkOptions {
  /** Levels below the first folder; its own entries are level 1. */
  readonly maxDepth: number;
  /** Folders that are listed, the first one counted. */
  readonly maxDirectories: number;
  readonly maxEntries: number;
  readonly followDirectorySymlinks: boolean;
  /** Folders whose name begins with a dot are in the result, but not entered. */
  readonly pruneHiddenDirectories: boolean;
}

export interface WalkedEntry {
  readonly path: Buffer;
  readonly kind: 'file' | 'directory';
}

export interface WalkResult {
  /** In the order of the walk; the entries of each folder by name. */
  readonly entries: readonly WalkedEntry[];
  /** Folders below the first one that could not be listed. */
  readonly errors: ReadonlyArray<{ readonly path: Buffer; readonly error: FileError }>;
  /** Whether a bound on entries or folders cut the walk off. */
  readonly truncated: boolean;
}

interface Visit {
  readonly path: Buffer;
  readonly depth: number;
}

/** @throws {FileError} when the first folder cannot be listed */
export function walk(access: FileAccess, path: FilePath, options: WalkOptions): Promise<WalkResult> {
  return filing(async () => {
    const first = absolutePath(path);
    const walker = new Walker(access, options);
    await walker.visit({ path: first, depth: 0 });
    return walker.finish();
  });
}

class Walker {
  readonly #access: FileAccess;
  readonly #options: WalkOptions;
  readonly #entries: WalkedEntry[] = [];
  readonly #errors: Array<{ path: Buffer; error: FileError }> = [];
  readonly #waiting: Visit[] = [];
  /** Device and inode of every folder entered, so that links in a circle end. */
  readonly #seen = new Set<string>();
  #listed = 0;
  #truncated = false;

  constructor(access: FileAccess, options: WalkOptions) {
    this.#access = access;
    this.#options = options;
  }

  async finish(): Promise<WalkResult> {
    for (let next = this.#waiting.shift(); next !== undefined && !this.#isFull(); next = this.#waiting.shift()) {
      try {
        await filing(() => this.visit(next as Visit));
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        this.#errors.push({ path: next.path, error });
      }
    }
    return { entries: this.#entries, errors: this.#errors, truncated: this.#truncated };
  }

  async visit({ path, depth }: Visit): Promise<void> {
    const { maxDepth, maxEntries } = this.#options;
    if (depth >= maxDepth) return;
    if (this.#listed >= this.#options.maxDirectories) {
      this.#truncated = true;
      return;
    }
    this.#listed += 1;
    const raw = await holding(this.#access.openFolder(path, 'read'), async (folder) => {
      const isNew = this.#isNew(await stat(folder.path, { bigint: true }));
      return isNew ? listFolder(folder, MAX_LISTED_ENTRIES) : [];
    });
    raw.sort((a, b) => Buffer.compare(a.name, b.name));
    for (const entry of raw) {
      const at = joinPath(path, entry.name);
      const described = await describeEntry(this.#access, at, entry);
      if (described === undefined || !(described.isFile || described.isDirectory)) continue;
      if (described.isDirectory && entry.isSymlink && !this.#options.followDirectorySymlinks) continue;
      if (this.#entries.length >= maxEntries) {
        this.#truncated = true;
        return;
      }
      this.#entries.push({ path: at, kind: described.isDirectory ? 'directory' : 'file' });
      const isHidden = entry.name[0] === DOT && this.#options.pruneHiddenDirectories;
      if (described.isDirectory && !isHidden) this.#waiting.push({ path: at, depth: depth + 1 });
    }
  }

  #isFull(): boolean {
    return this.#truncated;
  }

  #isNew({ dev, ino }: BigIntStats): boolean {
    const identity = `${dev}:${ino}`;
    if (this.#seen.has(identity)) return false;
    this.#seen.add(identity);
    return true;
  }
}
