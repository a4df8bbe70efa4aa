/**
 * The standard input of one command as its client sees it: writes are accepted in order, wait while too much is queued, and are
 * answered when accepted. Knows the writer of a process and no connection.
 *
 *     open ──close()──► closing (no further write) ──all bytes taken──► ended
 *       └───────────────reader gone, command ended───────────────────────▲
 */

import type { StdinWriter } from '../process/os-process.js';
import { CommandError } from './command-error.js';

interface WaitingWrite {
  readonly chunk: Buffer;
  readonly accepted: () => void;
  readonly refused: (error: Error) => void;
}

/** Queues a client's writes for a process that may not have started yet. */
export class StdinFeed {
  readonly #maxQueuedBytes: number;
  #writer: StdinWriter | undefined;
  #waiting: WaitingWrite[] = [];
  #waitingBytes = 0;
  #state: 'open' | 'closing' | 'ended' = 'open';
  /** Bytes the process's end has taken. */
  takenBytes = 0;

  /** @param maxQueuedBytes accepted bytes that may wait for the process; as many again may wait for acceptance */
  constructor(maxQueuedBytes: number) {
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  /** Gives the process's end, once it has one. */
  attach(writer: StdinWriter): void {
    this.#writer = writer;
    this.#accept();
  }

  /**
   * Queues bytes; resolves when they are accepted, behind all earlier ones.
   * @throws {CommandError} inputClosed, also for writes still waiting when the command ends; inputFull when too many bytes wait
   */
  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#state !== 'open') throw new CommandError('inputClosed');
    if (this.#waiting.length === 0 && this.#hasRoomFor(chunk)) {
      this.#pass(chunk);
      return undefined;
    }
    if (this.#waiting.length > 0 && this.#waitingBytes + chunk.length > this.#maxQueuedBytes) {
      throw new CommandError('inputFull');
    }
    return new Promise((accepted, refused) => {
      this.#waiting.push({ chunk, accepted, refused });
      this.#waitingBytes += chunk.length;
    });
  }

  /** End of input behind everything queued. A second call changes nothing. */
  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#accept();
  }

  /** The command has ended or nobody reads: what still waits is refused. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const write of waiting) write.refused(new CommandError('inputClosed'));
    this.#writer?.destroy();
  }

  #hasRoomFor(chunk: Buffer): boolean {
    const queued = this.#writer?.queuedBytes;
    if (queued === undefined) return false;
    return queued === 0 || queued + chunk.length <= this.#maxQueuedBytes;
  }

  #pass(chunk: Buffer): void {
    this.#writer?.write(chunk, (error) => {
      if (error !== undefined) {
        this.end();
        return;
      }
      this.takenBytes += chunk.length;
      this.#accept();
    });
  }

  #accept(): void {
    if (this.#writer === undefined || this.#state === 'ended') return;
    for (let next = this.#waiting[0]; next !== undefined && this.#hasRoomFor(next.chunk); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#waitingBytes -= next.chunk.length;
      this.#pass(next.chunk);
      next.accepted();
    }
    if (this.#state === 'closing' && this.#waiting.length === 0) this.#writer.end();
  }
}
