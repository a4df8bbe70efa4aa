/** The session that a command is on now and its name there, and waiting for the next one after a break. Knows no reply. */
import { Change } from './change.js';
import { fieldOf } from './errors.js';
import { ConnectionEnded } from './rpc-connection.js';
import type { Session } from './session.js';

/** A session and the name of the command on it. */
export interface Place {
  readonly session: Session;
  readonly processId: string;
}

/** The places of one command, one after the other. */
export class CommandPlace {
  /** The present place. */
  current: Place | undefined;
  /** Whether there will never be another place. */
  hasEnded = false;
  readonly #change = new Change();

  set(place: Place): void {
    this.current = place;
    this.#change.happen();
  }

  clear(): void {
    this.current = undefined;
  }

  end(): void {
    this.hasEnded = true;
    this.clear();
    this.#change.happen();
  }

  /** The present place, or the next one; not the given one again. Undefined when the command has ended. */
  async wait(other?: Place): Promise<Place | undefined> {
    while (!this.hasEnded) {
      if (this.current !== undefined && this.current !== other) return this.current;
      await this.#change.wait();
    }
    return undefined;
  }

  /**
   * Sends a request about the command at its present place, and again at the next one if the connection breaks, or if the command is not there: a
   * start that was refused begins again at another place.
   * @returns false when the command has ended
   */
  async request(method: string, paramsOf: () => object): Promise<boolean> {
    let last: Place | undefined;
    for (;;) {
      const place = await this.wait(last);
      if (place === undefined) return false;
      last = place;
      const { session, processId } = place;
      try {
        await session.request(method, { processId, ...paramsOf() });
        return true;
      } catch (error) {
        if (fieldOf(error, 'reason') !== 'processNotFound' && !(error instanceof ConnectionEnded)) throw error;
      }
    }
  }
}
