/** Walks a tree breadth first. Knows no wire. */
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setImmediate as immediate } from 'node:timers/promises';
import { type FileAccess, holding } from './file-access.js';
import { FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, joinPath } from './file-path.js';
import { describeEntry, listFolder, MAX_LISTED_ENTRIES, type RawEntry } from './read-directory.js';

const DOT = 0x2e;
const MAX_PATH_BYTES = 16 * 1024 * 1024;
/** Entries that are worked on before other work gets its turn. */
const ENTRIES_PER_TURN = 500;
const SORTED_AT_ONCE = 4000;

export interface WalkOptions {
  /** Levels below the first folder; its own entries are level 1. */
  readonly maxDepth: number;
  /** Folders that are listed, the first one counted. */
  readonly maxDirectories: number;
  readonly maxEntries: number;
  readonly followDirectorySymlinks: boolean;
  /** Folders whose name begins with a dot are in the result, but not entered. */
  readonly pruneHiddenDirectories: boolean;
  /** Bytes of all paths together; a reply of 50,000 long paths would be hundreds of megabytes. Default 16 MiB. */
  readonly maxPathBytes?: number | undefined;
  /** Whether anybody still waits for the result: without, the walk ends early. Default: yes. */
  readonly isWanted?: (() => boolean) | undefined;
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
  /** Whether a bound on entries, folders or the length of all paths cut the walk off. */
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
  #pathBytes = 0;
  #looked = 0;
  #truncated = false;

  constructor(access: FileAccess, options: WalkOptions) {
    this.#access = access;
    this.#options = options;
  }

  async finish(): Promise<WalkResult> {
    for (let next = this.#waiting.shift(); next !== undefined && !this.#truncated; next = this.#waiting.shift()) {
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
    const { maxDepth, maxEntries, maxPathBytes = MAX_PATH_BYTES } = this.#options;
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
    for (const { entry } of await sortedByName(raw)) {
      if (this.#isEnough()) return;
      this.#looked += 1;
      if (this.#looked % ENTRIES_PER_TURN === 0) await immediate();
      const at = joinPath(path, entry.name);
      const described = await describeEntry(this.#access, at, entry);
      if (described === undefined || !(described.isFile || described.isDirectory)) continue;
      if (described.isDirectory && entry.isSymlink && !this.#options.followDirectorySymlinks) continue;
      if (this.#entries.length >= maxEntries || this.#pathBytes + at.length > maxPathBytes) {
        this.#truncated = true;
        return;
      }
      this.#pathBytes += at.length;
      this.#entries.push({ path: at, kind: described.isDirectory ? 'directory' : 'file' });
      const isHidden = entry.name[0] === DOT && this.#options.pruneHiddenDirectories;
      if (described.isDirectory && !isHidden) this.#waiting.push({ path: at, depth: depth + 1 });
    }
  }

  /** Nobody waits for the result any more. */
  #isEnough(): boolean {
    const { isWanted } = this.#options;
    if (isWanted !== undefined && !isWanted()) this.#truncated = true;
    return this.#truncated;
  }

  #isNew({ dev, ino }: BigIntStats): boolean {
    const identity = `${dev}:${ino}`;
    if (this.#seen.has(identity)) return false;
    this.#seen.add(identity);
    return true;
  }
}

interface Named {
  /** The name: texts of one byte a character are compared in half the time of buffers. */
  readonly key: string;
  readonly entry: RawEntry;
}

/** In the order of their bytes. Sorts a few at a time and then merges, because sorting a full folder at once would hold up the server. */
async function sortedByName(entries: readonly RawEntry[]): Promise<Named[]> {
  let runs: Named[][] = [];
  for (let from = 0; from < entries.length; from += SORTED_AT_ONCE) {
    if (from > 0) await immediate();
    const run = entries
      .slice(from, from + SORTED_AT_ONCE)
      .map((entry) => ({ key: entry.name.toString('latin1'), entry }));
    runs.push(run.sort((a, b) => (a.key < b.key ? -1 : 1)));
  }
  while (runs.length > 1) {
    const merged: Named[][] = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(await merge(runs[at] ?? [], runs[at + 1] ?? []));
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(one: readonly Named[], other: readonly Named[]): Promise<Named[]> {
  const merged: Named[] = [];
  for (let [at, otherAt] = [0, 0]; ; ) {
    const [first, second] = [one[at], other[otherAt]];
    if (first !== undefined && (second === undefined || first.key < second.key)) {
      merged.push(first);
      at += 1;
    } else if (second !== undefined) {
      merged.push(second);
      otherAt += 1;
    } else return merged;
    if (merged.length % SORTED_AT_ONCE === 0) await immediate();
  }
}
