/** Watches paths until something appears at one of them, or another one goes. Knows no wire. */
import type { FileAccess } from '../../files/file-access.js';
import { FileError } from '../../files/file-error.js';
import type { FilePath } from '../../files/file-path.js';
import { readMetadata } from '../../files/metadata.js';
import { type PathWatch, watchPath } from '../../files/watch.js';

export interface MissingWatchOptions {
  readonly access: FileAccess;
  /** Nothing is there. */
  readonly missing: readonly FilePath[];
  /** Something is there; undefined for no such path. */
  readonly present: FilePath | undefined;
  /** It has happened. Called once, and not after `close`. */
  readonly onChanged: () => void;
}

export class MissingWatch {
  readonly #options: MissingWatchOptions;
  readonly #watches: PathWatch[] = [];
  #isOver = false;
  #isLooking = false;
  #mustLookAgain = false;

  constructor(options: MissingWatchOptions) {
    this.#options = options;
  }

  /** Paths that are watched. */
  get pathCount(): number {
    const { missing, present } = this.#options;
    return missing.length + (present === undefined ? 0 : 1);
  }

  /** Begins. @returns false if it has happened already @throws {FileError} */
  async start(): Promise<boolean> {
    const { access, missing, present } = this.#options;
    const paths = [...missing, ...(present === undefined ? [] : [present])];
    const changed = (): void => void this.#look();
    try {
      for (const path of paths) this.#keep(await watchPath(access, path, { changed }));
      // AFTER the watches exist, so that nothing is missed in between.
      if (!(await this.#hasHappened())) return !this.#isOver;
    } catch (error) {
      this.close();
      throw error;
    }
    this.close();
    return false;
  }

  close(): void {
    this.#isOver = true;
    for (const watch of this.#watches) watch.close();
    this.#watches.length = 0;
  }

  #keep(watch: PathWatch): void {
    if (this.#isOver) watch.close();
    else this.#watches.push(watch);
  }

  /** Looks at all paths, once for all changes that come meanwhile. */
  async #look(): Promise<void> {
    this.#mustLookAgain = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#mustLookAgain && !this.#isOver) {
      this.#mustLookAgain = false;
      if (!(await this.#hasHappened()) || this.#isOver) continue;
      this.close();
      this.#options.onChanged();
    }
    this.#isLooking = false;
  }

  async #hasHappened(): Promise<boolean> {
    const { missing, present } = this.#options;
    if (present !== undefined && !(await this.#exists(present))) return true;
    for (const path of missing) if (await this.#exists(path)) return true;
    return false;
  }

  async #exists(path: FilePath): Promise<boolean> {
    try {
      await readMetadata(this.#options.access, path);
      return true;
    } catch (error) {
      if (error instanceof FileError) return error.reason !== 'notFound' && error.reason !== 'notADirectory';
      throw error;
    }
  }
}
