/**
 * The standard input of one command as its clients see it: writes are accepted in order, wait while too much is queued, and are
 * answered when accepted. Each byte has a position, so that a write whose answer was lost can be sent again. Knows the writer of a process
 * and no connection.
 *
 *     open ──close()──► closing (no further byte) ──all bytes taken──► ended
 *       └───────────────reader gone, command ended───────────────────────▲
 */
import type { StdinWriter } from '../process/os-process.js';
import { CommandError } from './command-error.js';

interface WaitingWrite {
  readonly chunk: Buffer;
  readonly accepted: () => void;
  readonly refused: (error: Error) => void;
}

const NO_BYTES = Buffer.alloc(0);

/** Queues writes for a process that may not have started yet. */
export class CommandInput {
  readonly #maxQueuedBytes: number;
  #writer: StdinWriter | undefined;
  #waiting: WaitingWrite[] = [];
  #waitingBytes = 0;
  #state: 'open' | 'closing' | 'ended' = 'open';
  /** Bytes that the process's end has taken. */
  takenBytes = 0;
  /** Position after the last accepted byte. */
  acceptedBytes = 0;

  /** @param maxQueuedBytes accepted bytes that may wait for the process; as many again may wait for acceptance */
  constructor(maxQueuedBytes: number) {
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  /** Connects the process's end once it exists. */
  feed(writer: StdinWriter): void {
    this.#writer = writer;
    this.#accept();
  }

  /**
   * Queues bytes; resolves when they are accepted, after all earlier ones.
   * @param offset position of the first byte in all input; bytes that were accepted before are skipped. Default: after all earlier bytes
   * @throws {CommandError} inputClosed, also for writes that still wait when the command ends; inputFull when too many bytes wait; inputGap
   */
  write(chunk: Buffer, offset?: number): Promise<void> | undefined {
    const fresh = offset === undefined ? chunk : this.#unseenOf(chunk, offset);
    if (fresh === undefined) return this.#whenAccepted();
    if (this.#state !== 'open') throw new CommandError('inputClosed', {});
    if (this.#waiting.length === 0 && this.#hasRoomFor(fresh)) {
      this.#pass(fresh);
      return undefined;
    }
    if (this.#waiting.length > 0 && this.#waitingBytes + fresh.length > this.#maxQueuedBytes) {
      throw new CommandError('inputFull', {});
    }
    return this.#wait(fresh);
  }

  /** Ends the input after everything queued. A second call changes nothing. */
  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#accept();
  }

  /** The command has ended, or its input is not read any more: waiting writes are refused. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const write of waiting) write.refused(new CommandError('inputClosed', {}));
    this.#writer?.destroy();
  }

  /** Position after the last byte that was accepted or waits for that: where the next new byte belongs. */
  get nextOffset(): number {
    return this.acceptedBytes + this.#waitingBytes;
  }

  /** The part of a write that was not accepted before; undefined when there is none. @throws {CommandError} inputGap */
  #unseenOf(chunk: Buffer, offset: number): Buffer | undefined {
    const next = this.nextOffset;
    if (offset > next) throw new CommandError('inputGap', { offset, next });
    return offset + chunk.length > next ? chunk.subarray(next - offset) : undefined;
  }

  /** Resolves when all waiting bytes are accepted; undefined when none wait. */
  #whenAccepted(): Promise<void> | undefined {
    return this.#waiting.length === 0 ? undefined : this.#wait(NO_BYTES);
  }

  #wait(chunk: Buffer): Promise<void> {
    return new Promise((accepted, refused) => {
      this.#waiting.push({ chunk, accepted, refused });
      this.#waitingBytes += chunk.length;
    });
  }

  #hasRoomFor(chunk: Buffer): boolean {
    const queued = this.#writer?.queuedBytes;
    if (queued === undefined) return false;
    return queued === 0 || queued + chunk.length <= this.#maxQueuedBytes;
  }

  #pass(chunk: Buffer): void {
    this.acceptedBytes += chunk.length;
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
