/** The watches of each connection by their names. Knows no method. */
import type { FileAccess } from '../../files/file-access.js';
import { FileError } from '../../files/file-error.js';
import { type PathWatch, watchPath } from '../../files/watch.js';
import { rpcError } from '../../protocol/errors.js';
import type { Session } from '../../session/session.js';
import { PendingChanges } from './pending-changes.js';

/** Watches of one connection: each takes up to two of the kernel's, of which a user has few. */
const MAX_WATCHES = 256;

/** Told of changes that were not sent yet because the client does not read. */
interface Watch {
  readonly on: Promise<PathWatch>;
  isOver: boolean;
}

/** All watches of a service. */
export class SessionWatches {
  readonly #sessions = new Map<Session, Map<string, Watch>>();

  /** @throws {RpcError} watchExists; serverOverloaded @throws {FileError} */
  async watch(
    session: Session,
    watchId: string,
    { access, path }: { access: FileAccess; path: string },
  ): Promise<void> {
    const watches = this.#sessions.get(session) ?? new Map<string, Watch>();
    if (watches.has(watchId)) throw rpcError('watchExists', { watchId });
    if (watches.size >= MAX_WATCHES) throw new FileError('noRoom', `a connection has at most ${MAX_WATCHES} watches`);
    this.#sessions.set(session, watches);
    const pending = new PendingChanges({ session, watchId, path: Buffer.from(path), isOver: () => watch.isOver });
    const watch: Watch = {
      isOver: false,
      on: watchPath(access, path, { changed: (paths) => pending.add(paths) }),
    };
    watches.set(watchId, watch);
    try {
      const on = await watch.on;
      // It was ended, or the client left, while it began.
      if (watch.isOver) on.close();
    } catch (error) {
      if (watches.get(watchId) === watch) watches.delete(watchId);
      throw error;
    }
  }

  /** Ends a watch, if there is one of that name. */
  unwatch(session: Session, watchId: string): void {
    const watches = this.#sessions.get(session);
    const watch = watches?.get(watchId);
    watches?.delete(watchId);
    if (watch !== undefined) end(watch);
  }

  /** Ends all watches of a connection that has ended. */
  closeSession(session: Session): void {
    for (const watch of this.#sessions.get(session)?.values() ?? []) end(watch);
    this.#sessions.delete(session);
  }
}

function end(watch: Watch): void {
  watch.isOver = true;
  watch.on.then((on) => on.close()).catch(() => {});
}
