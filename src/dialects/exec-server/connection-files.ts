/** What one connection has open of files: handles and watches. Knows no method. */
import type { FileAccess } from '../../files/file-access.js';
import { FileError } from '../../files/file-error.js';
import { FileHandles } from '../../files/file-handles.js';
import type { FilePath } from '../../files/file-path.js';
import type { Session } from '../../session/session.js';
import { MissingWatch } from './missing-watch.js';

/** Watches of one connection, and their paths: each path takes up to two of the kernel's watches, of which a user has few. */
const MAX_WATCHES = 64;
const MAX_WATCHED_PATHS = 512;
const MISSING_CHANGED = 'fs/missingChanged';

interface Opened {
  readonly handles: FileHandles;
  readonly watches: Map<number, MissingWatch>;
}

export class ConnectionFiles {
  readonly #access: FileAccess;
  readonly #connections = new Map<Session, Opened>();

  constructor(access: FileAccess) {
    this.#access = access;
  }

  handlesOf(session: Session): FileHandles {
    return this.#of(session).handles;
  }

  /** @returns whether it watches; false if the change has happened already, or the number is in use @throws {FileError} */
  async watch(
    session: Session,
    watchId: number,
    { missing, present }: { readonly missing: readonly FilePath[]; readonly present: FilePath | undefined },
  ): Promise<boolean> {
    const { watches } = this.#of(session);
    if (watches.has(watchId)) return false;
    if (watches.size >= MAX_WATCHES) throw new FileError('noRoom', `a connection has at most ${MAX_WATCHES} watches`);
    const watchedPaths = [...watches.values()].reduce((sum, { pathCount }) => sum + pathCount, 0);
    const onChanged = (): void => {
      watches.delete(watchId);
      session.notify(MISSING_CHANGED, { watchId });
    };
    const watch = new MissingWatch({ access: this.#access, missing, present, onChanged });
    if (watchedPaths + watch.pathCount > MAX_WATCHED_PATHS) {
      throw new FileError('noRoom', `the watches of a connection have at most ${MAX_WATCHED_PATHS} paths`);
    }
    watches.set(watchId, watch);
    let isOn = false;
    try {
      isOn = await watch.start();
    } finally {
      // The number may be that of another one by now.
      if (!isOn && watches.get(watchId) === watch) watches.delete(watchId);
    }
    return isOn;
  }

  /** Closes everything of a connection that has ended. */
  closeSession(session: Session): void {
    const opened = this.#connections.get(session);
    if (opened === undefined) return;
    this.#connections.delete(session);
    for (const watch of opened.watches.values()) watch.close();
    void opened.handles.closeAll();
  }

  /** @throws {FileError} when the connection has ended meanwhile: nothing would close what it opens now */
  #of(session: Session): Opened {
    if (!session.connection.isOpen) throw new FileError('failed', 'the connection has ended');
    let opened = this.#connections.get(session);
    if (opened === undefined) {
      opened = { handles: new FileHandles(this.#access), watches: new Map() };
      this.#connections.set(session, opened);
    }
    return opened;
  }
}
