/**
 * Moves what is in one open folder into another one, following no link, or takes all of it back if a step fails. Files that are replaced are kept until
 * the end in a third folder. All three are on one file system. Knows no tar.
 */
import { constants } from 'node:fs';
import { access as accessFile, link, rename, rmdir, stat } from 'node:fs/promises';
import { type FileAccess, type Folder, holding } from './file-access.js';
import { errnoOf, FileError } from './file-error.js';
import { joinPath } from './file-path.js';
import { checkReplaceable, lstatIfThere } from './lstat-if-there.js';
import { inTurn } from './name-turns.js';
import { descend } from './open-folder.js';
import { entriesOf, listSome } from './read-directory.js';

const ENTRIES_AT_ONCE = 1000;
/** Of the list of what was put in place, by which it is taken back. */
const MAX_LIST_BYTES = 64 * 1024 * 1024;
/** What an entry of that list takes beside its name. */
const ENTRY_BYTES = 64;
const TO_CHANGE = constants.W_OK | constants.X_OK;

interface Put {
  readonly name: Buffer;
  /** Its name in the folder of what was replaced; undefined if nothing was there. */
  readonly kept: Buffer | undefined;
}

/** What was put into one folder. */
interface PutInto {
  readonly path: readonly Buffer[];
  readonly entries: Put[];
}

interface Pair {
  readonly from: Folder;
  readonly to: Folder;
  /** Names that lead to both from where the move began. */
  readonly path: readonly Buffer[];
}

export interface PlacingOptions {
  readonly from: Folder;
  readonly to: Folder;
  /** Gets what is replaced; nobody else uses it. */
  readonly kept: Folder;
}

/** One move. First `check`, then `place`, and `undo` if that or a later step failed. */
export class Placing {
  readonly #access: FileAccess;
  readonly #top: Pair;
  readonly #kept: Folder;
  readonly #done: PutInto[] = [];
  #keptCount = 0;
  #listBytes = 0;

  constructor(access: FileAccess, { from, to, kept }: PlacingOptions) {
    this.#access = access;
    this.#top = { from, to, path: [] };
    this.#kept = kept;
  }

  /** Finds out before anything changes what would fail. @throws {FileError} `exists`, `notAFile`, `denied`, `readOnly`, `otherDevice`, `tooLarge` */
  async check(): Promise<void> {
    const { dev } = await stat(this.#top.from.path, { bigint: true });
    await this.#checkFolder(this.#top, dev);
  }

  /** Moves all entries; folders of the same name are joined, files are replaced. */
  place(): Promise<void> {
    return this.#placeFolder(this.#top);
  }

  /** Takes back what was put in place. @returns whether all of it could be taken back */
  async undo(): Promise<boolean> {
    let isUndone = true;
    for (const { path, entries } of this.#done.toReversed()) {
      try {
        await holding(descend(this.#top.to, path), async (folder) => {
          for (const put of entries.toReversed()) await this.#takeBack(folder, put);
        });
      } catch {
        isUndone = false;
      }
    }
    return isUndone;
  }

  async #checkFolder({ from, to, path }: Pair, device: bigint): Promise<void> {
    let isChanged = false;
    for await (const { name, isDirectory } of entriesOf(from)) {
      const present = await lstatIfThere(to.entry(name));
      if (isDirectory && present?.isDirectory() === true) {
        await inBoth({ from, to, path }, name, (pair) => this.#checkFolder(pair, device));
        continue;
      }
      isChanged = true;
      this.#listBytes += ENTRY_BYTES + name.length;
      if (this.#listBytes > MAX_LIST_BYTES)
        throw new FileError(
          'tooLarge',
          'nothing was unpacked: too many names of the tar are for folders that are there',
        );
      if (present === undefined) continue;
      if (isDirectory || present.isDirectory()) {
        const [is, was] = isDirectory ? ['a folder', 'none'] : ['none', 'a folder'];
        throw new FileError(
          'exists',
          `nothing was unpacked: ${textOf(path, name)} is ${is} in the tar and ${was} there`,
        );
      }
      checkReplaceable(present, `nothing was unpacked: ${textOf(path, name)}`);
      await this.#access.checkChange(present);
    }
    if (isChanged) await checkChangeable(to, path, device);
  }

  async #placeFolder(pair: Pair): Promise<void> {
    const { from, to, path } = pair;
    const done: PutInto = { path, entries: [] };
    this.#done.push(done);
    // Each round takes away what it lists, but for folders that are there already, which are then empty and removed.
    for (;;) {
      const entries = await listSome(from, ENTRIES_AT_ONCE);
      if (entries.length === 0) return;
      for (const { name, isDirectory } of entries) {
        if (isDirectory && (await lstatIfThere(to.entry(name))) !== undefined) {
          await inBoth(pair, name, (inner) => this.#placeFolder(inner));
          await rmdir(from.entry(name));
        } else {
          await inTurn([{ folder: to.path, name }], () => this.#placeOne(pair, name, done));
        }
      }
    }
  }

  async #placeOne({ from, to }: Pair, name: Buffer, { entries }: PutInto): Promise<void> {
    const target = to.entry(name);
    // AGAIN, because other programs may have put something there.
    const present = await lstatIfThere(target);
    if (present === undefined) {
      await rename(from.entry(name), target);
      entries.push({ name, kept: undefined });
      return;
    }
    checkReplaceable(present);
    await this.#access.checkChange(present);
    const kept = this.#newKept();
    // With a second name for the old file, the name leads to one of both at any time.
    await link(target, this.#kept.entry(kept)).catch(() => rename(target, this.#kept.entry(kept)));
    entries.push({ name, kept });
    await rename(from.entry(name), target);
  }

  async #takeBack(folder: Folder, { name, kept }: Put): Promise<void> {
    if (kept !== undefined) return rename(this.#kept.entry(kept), folder.entry(name));
    await rename(folder.entry(name), this.#kept.entry(this.#newKept()));
  }

  #newKept(): Buffer {
    this.#keptCount += 1;
    return Buffer.from(String(this.#keptCount));
  }
}

/** @throws {FileError} when nothing can be put into the folder, or not by a rename */
async function checkChangeable(to: Folder, path: readonly Buffer[], device: bigint): Promise<void> {
  if ((await stat(to.path, { bigint: true })).dev !== device) {
    throw new FileError(
      'otherDevice',
      `nothing was unpacked: the folder ${textOf(path)} is on another file system than the one that the tar is unpacked to`,
    );
  }
  try {
    await accessFile(to.path, TO_CHANGE);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    throw new FileError('denied', `nothing was unpacked: the folder ${textOf(path)} may not be written`, {
      cause: error,
      errno: 'EACCES',
    });
  }
}

async function inBoth({ from, to, path }: Pair, name: Buffer, work: (pair: Pair) => Promise<void>): Promise<void> {
  await holding(from.open(name), (inner) =>
    holding(to.open(name), (outer) => work({ from: inner, to: outer, path: [...path, name] })),
  );
}

function textOf(path: readonly Buffer[], name?: Buffer): string {
  const names = name === undefined ? path : [...path, name];
  return JSON.stringify(names.length === 0 ? '.' : String(names.reduce(joinPath)));
}
