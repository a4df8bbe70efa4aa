/**
 * Empty folders in the place of missing protected folders, so that something can be mounted there. Counts their users and removes them after the
 * last. It knows no threads and no mounts.
 */
import { chownSync, lstatSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { identityOf } from './writable-roots.js';

interface Placeholder {
  readonly identity: string;
  holders: number;
}

export class Placeholders {
  readonly #held = new Map<string, Placeholder>();

  /** Whether this is one of these folders, and not something that replaced it. */
  has(path: string, identity: string): boolean {
    return this.#held.get(path)?.identity === identity;
  }

  /**
   * Creates the missing folders. If the server cannot create one, or another process has just created it, it is not held.
   * @returns the held ones, to be released
   */
  hold(paths: readonly string[]): string[] {
    return paths.filter((path) => this.#holdOne(path));
  }

  /** Removes folders that are not held any more and still empty. */
  release(paths: readonly string[]): void {
    for (const path of paths) {
      const placeholder = this.#held.get(path);
      if (placeholder === undefined) continue;
      placeholder.holders -= 1;
      if (placeholder.holders > 0) continue;
      this.#held.delete(path);
      if (currentIdentity(path) !== placeholder.identity) continue;
      try {
        rmdirSync(path);
      } catch {
        // Somebody outside the sandbox has put something into it: it is theirs now.
      }
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
      mkdirSync(path);
      giveToOwnerOf(dirname(path), path);
      this.#held.set(path, { identity: identityOf(lstatSync(path)), holders: (held?.holders ?? 0) + 1 });
      return true;
    } catch {
      return false;
    }
  }
}

function currentIdentity(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : identityOf(stats);
}

/** As if the owner of the parent folder had created it. Only root can do that; another user is that owner, or may not write there. */
function giveToOwnerOf(folder: string, path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(folder);
  chownSync(path, uid, gid);
}
