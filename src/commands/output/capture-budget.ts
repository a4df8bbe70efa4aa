/** The memory of all output that is kept for replies. Knows no command. */

/** Room for one command: with less than this left, none may start. */
const LEAST_ROOM_BYTES = 64 * 1024;

export class CaptureBudget {
  usedBytes = 0;
  readonly #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Whether nothing more can be kept. */
  get isFull(): boolean {
    return this.usedBytes + LEAST_ROOM_BYTES > this.#limitBytes;
  }

  /** @returns false when there is no room for so many more bytes */
  take(bytes: number): boolean {
    if (this.usedBytes + bytes > this.#limitBytes) return false;
    this.usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.usedBytes -= bytes;
  }
}
