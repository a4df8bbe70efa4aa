/** Changes of one watch on their way to the client. Knows no file. */
import type { Session } from '../../session/session.js';

const CHANGED = 'fs/changed';
/** Bytes of changed paths that are kept for a client that does not read. */
const MAX_PENDING_BYTES = 64 * 1024;

export interface PendingChangesOptions {
  readonly session: Session;
  readonly watchId: string;
  /** What is watched. */
  readonly path: Buffer;
  readonly isOver: () => boolean;
}

/**
 * Sends changes, or collects them while the client reads nothing, so that they do not pile up; when they are too many, the watched path alone stands
 * for all.
 */
export class PendingChanges {
  readonly #options: PendingChangesOptions;
  readonly #paths = new Map<string, Buffer>();
  #bytes = 0;
  #isWaiting = false;

  constructor(options: PendingChangesOptions) {
    this.#options = options;
  }

  add(paths: readonly Buffer[]): void {
    for (const path of paths) this.#keep(path);
    const { outbox } = this.#options.session.connection;
    if (!outbox.isFull) this.#send();
    else {
      if (this.#bytes > MAX_PENDING_BYTES) this.#keepOnly(this.#options.path);
      if (this.#isWaiting) return;
      this.#isWaiting = true;
      outbox.whenWritable(() => this.#send());
    }
  }

  #keep(path: Buffer): void {
    const key = path.toString('latin1');
    if (!this.#paths.has(key)) this.#bytes += path.length;
    this.#paths.set(key, path);
  }

  #keepOnly(path: Buffer): void {
    this.#paths.clear();
    this.#bytes = 0;
    this.#keep(path);
  }

  #send(): void {
    const { session, watchId, isOver } = this.#options;
    this.#isWaiting = false;
    if (isOver()) return;
    const paths = [...this.#paths.values()].sort(Buffer.compare).map(String);
    this.#paths.clear();
    this.#bytes = 0;
    session.notify(CHANGED, { watchId, changedPaths: paths });
  }
}
