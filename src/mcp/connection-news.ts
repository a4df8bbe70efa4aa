/**
 * What an agent should know of the connection to its server: that it is away, that it came back, and that another server answers now. Results of tools say
 * it. Knows no tool and no command.
 *
 *     there ⇄ away → given up, until a call connects again
 */
import type { Box, BoxStatus } from '../../client/src/node.js';
import { secondsText } from './result-text.js';

/** Follows one box. */
export class ConnectionNews {
  #serverId: string | undefined;
  /** When the connection broke; undefined while it is there. */
  #awaySinceMs: number | undefined;
  /** Why it broke, or why it was given up. */
  #why = '';
  #isGivenUp = false;
  /** Since the agent was told last. */
  #returns = 0;
  #awayMs = 0;
  #isAnotherServer = false;
  #isDraining = false;
  readonly #listeners = new Set<() => void>();

  /** Whether there is no connection now, after there was one. */
  get isAway(): boolean {
    return this.#awaySinceMs !== undefined;
  }

  /** Whether nobody tries to connect any more. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Calls back when the connection breaks, comes back or is given up. @returns takes the listener away */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Somebody tries again. */
  retried(): void {
    this.#isGivenUp = false;
  }

  follow(box: Pick<Box, 'serverId' | 'onStatus'>): void {
    this.#serverId = box.serverId;
    box.onStatus((status) => {
      this.#on(status);
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** Sentences for the next result. What has happened is told once, and what is so now each time. */
  take(): string[] {
    const said = [this.#returned(), this.#present()].filter((sentence) => sentence !== undefined);
    this.#returns = 0;
    this.#awayMs = 0;
    this.#isAnotherServer = false;
    this.#isDraining = false;
    return said;
  }

  #on(status: BoxStatus): void {
    switch (status.state) {
      case 'away':
        this.#awaySinceMs ??= performance.now();
        this.#why = status.reason === '' ? `code ${status.code}` : status.reason;
        return;
      case 'offline':
        this.#awaySinceMs ??= performance.now();
        this.#why = status.error.message;
        this.#isGivenUp = true;
        return;
      case 'draining':
        this.#isDraining = true;
        return;
      case 'online':
        this.#online(status.serverId);
        return;
      default:
    }
  }

  #online(serverId: string | undefined): void {
    if (this.#awaySinceMs !== undefined) {
      this.#returns += 1;
      this.#awayMs += performance.now() - this.#awaySinceMs;
    }
    if (this.#serverId !== undefined && serverId !== undefined && serverId !== this.#serverId) {
      this.#isAnotherServer = true;
    }
    this.#serverId = serverId;
    this.#awaySinceMs = undefined;
    this.#isGivenUp = false;
  }

  #returned(): string | undefined {
    const times = this.#returns > 1 ? `broke ${this.#returns} times, was away for` : 'was away for';
    const away = `The connection to the server ${times} ${secondsText(this.#awayMs)}`;
    if (this.#isAnotherServer) {
      const before = this.#returns === 0 ? '' : `${away}. `;
      return `${before}Another server answers now: it was restarted or replaced, and commands of the one before may be lost; list shows how each of them ended.`;
    }
    return this.#returns === 0 ? undefined : `${away} and is back; commands went on meanwhile.`;
  }

  #present(): string | undefined {
    if (this.#awaySinceMs !== undefined) {
      const since = `The connection to the server is away for ${secondsText(performance.now() - this.#awaySinceMs)} (${this.#why})`;
      return this.#isGivenUp
        ? `${since} and was given up; the next call that needs it tries again.`
        : `${since}: it is tried again all the time. Commands go on there; what is said of them is from before, and the rest comes when it is back.`;
    }
    return this.#isDraining
      ? 'The server is about to end: what runs there is finished, and new commands go to the next server.'
      : undefined;
  }
}
