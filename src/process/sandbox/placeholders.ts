/**
 * Empty folders in the place of missing protected folders, so that something can be mounted there. Counts their users and removes them after the
 * last. It knows no threads and no mounts.
 *
 * Commands may write where these folders are made, and may replace each of them at any moment. So nothing is changed by its path: a link in the
 * place of the folder would give away what it leads to.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { birthOf } from './path-lookup.js';

const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

interface Placeholder {
  readonly identity: string;
  holders: number;
}

export class Placeholders {
  readonly #held = new Map<string, Placeholder>();
  /** For an end at once, such as that by a second signal, which waits for nobody who holds a folder. */
  readonly #removeAll = (): void => {
    for (const [path, placeholder] of this.#held) this.#remove(path, placeholder);
  };

  /** Whether this is one of these folders, and not something that replaced it. */
  has(path: string, identity: string): boolean {
    return this.#held.get(path)?.identity === identity;
  }

  /**
   * Creates the missing folders. If the server cannot create one, or another process has just created it, it is not held.
   * @returns the held ones, to be released
   */
  hold(paths: readonly string[]): string[] {
    const held = paths.filter((path) => this.#holdOne(path));
    if (held.length > 0) process.off('exit', this.#removeAll).on('exit', this.#removeAll);
    return held;
  }

  /** Removes folders that are not held any more and still empty. */
  release(paths: readonly string[]): void {
    for (const path of paths) {
      const placeholder = this.#held.get(path);
      if (placeholder === undefined) continue;
      placeholder.holders -= 1;
      if (placeholder.holders > 0) continue;
      this.#remove(path, placeholder);
    }
    if (this.#held.size === 0) process.off('exit', this.#removeAll);
  }

  #remove(path: string, { identity }: Placeholder): void {
    this.#held.delete(path);
    if (currentIdentity(path) !== identity) return;
    try {
      rmdirSync(path);
    } catch {
      // A process outside of the sandbox has put something into it, so it stays.
    }
  }

  #holdOne(path: string): boolean {
    const held = this.#held.get(path);
    const current = currentIdentity(path);
    if (held !== undefined && held.identity === current) {
      held.holders += 1;
      return true;
    }
    if (current !== undefined) return false;
    try {
      this.#held.set(path, { identity: create(path), holders: (held?.holders ?? 0) + 1 });
      return true;
    } catch {
      return false;
    }
  }
}

function currentIdentity(path: string): string | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : birthOf(stats);
}

/** Creates a folder as if the owner of its parent had done so. @returns its identity @throws {Error} when it cannot, or it was replaced. */
function create(path: string): string {
  return inFolder(dirname(path), (parent) => {
    const name = `/proc/self/fd/${parent}/${basename(path)}`;
    mkdirSync(name);
    return inFolder(name, (created) => {
      giveToOwnerOf(parent, created);
      return birthOf(fstatSync(created, { bigint: true }));
    });
  });
}

/** Only root can do that; another user is that owner, or may not create anything there. @param created an empty folder of this user's */
function giveToOwnerOf(parent: number, created: number): void {
  if (process.getuid?.() !== 0) return;
  const isOwn = fstatSync(created).uid === 0 && readdirSync(`/proc/self/fd/${created}`).length === 0;
  if (!isOwn) throw new Error('the folder was replaced');
  const { uid, gid } = fstatSync(parent);
  fchownSync(created, uid, gid);
}

function inFolder<T>(path: string, use: (descriptor: number) => T): T {
  const descriptor = openSync(path, OPEN_FOLDER);
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
