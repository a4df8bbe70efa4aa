/**
 * Reads a terminal's master and hands over every byte, however the terminal ends. It knows nothing of the process.
 *
 *   reading ──pause──▶ paused ──resume──▶ reading          ended: by hang-up (EIO), `cut` or `destroy`
 *
 * One read of a master gives at most 4 KB. Reads are collected until a whole turn of the event loop brings nothing new, so that a stream is handed
 * over in large chunks and a single key at once.
 *
 * libuv before 1.52 (Node 20 and 22) mistakes a hang-up after a short read for the end while the kernel still holds bytes. So an end that libuv
 * reports only means "hung up", and the rest is read here until the kernel itself says EIO.
 */
import { readSync } from 'node:fs';
import type { OnReadOpts, SocketConstructorOpts } from 'node:net';
import { ReadStream } from 'node:tty';
import { errnoOf } from './program-path.js';

/** Longest chunk that is handed over. */
const CHUNK_BYTES = 65_536;
/** Longest single read of a master: N_TTY_BUF_SIZE of the Linux line discipline. A chunk with less room than this is full. */
const READ_BYTES = 4096;
/** Bytes that come a few at a time, in every turn, are handed over after this long, in ms: shorter than a frame of any screen. */
const MAX_COLLECT_MS = 2;
/** A read of this much is part of a stream: more bytes arrive while it is being taken. */
const STREAM_BYTES = 2048;
/**
 * Reads that are tried here after one of libuv's, so that a chunk is filled without a turn of the loop for each read. The kernel refills a terminal 4
 * KB at a time, and asking again costs less than sleeping until it has: 0.93 of the speed of a blocking loop in C, where libuv's reads alone give
 * 0.82 and take a tenth more CPU (`npm run bench -- --only pty-stream`). It takes some 0.7 ms.
 */
const READS_AT_ONCE = 16;
/** Less than this in a turn is no stream. It is handed over at the end of the same turn, which is the shortest way for an echo. */
const TRICKLE_BYTES = 1024;
/** More than the kernel can hold for one terminal (two flip buffers of 8 KiB and the line discipline's 4 KiB). */
const MAX_KERNEL_BYTES = 65_536;
/** Buffers kept for the next terminals that have output. */
const SPARE_BUFFERS = 4;

/** libuv reads into this and calls back before any other read. */
const landing = Buffer.allocUnsafeSlow(READ_BYTES);
const spares: Buffer[] = [];

export interface PtyReaderEvents {
  /** `chunk` is lent for the duration of the call. */
  onChunk(chunk: Buffer): void;
  /** The master is about to be closed; its number must not be used any more. Called once, also on `destroy`. */
  onClosing(): void;
  /** Every byte was handed over and the master is closed. Once, not after `destroy`. */
  onEnd(): void;
}

export class PtyReader {
  readonly #master: number;
  readonly #events: PtyReaderEvents;
  readonly #stream: ReadStream;
  #buffer: Buffer | undefined;
  #filled = 0;
  #firstByteAt = 0;
  #broughtNew = false;
  #turning: NodeJS.Immediate | undefined;
  #paused = false;
  #ended = false;

  /** @param master non-blocking; belongs to the reader from now on */
  constructor(master: number, events: PtyReaderEvents) {
    this.#master = master;
    this.#events = events;
    const options: SocketConstructorOpts & { onread: OnReadOpts } = {
      onread: {
        buffer: landing,
        callback: (bytes) => {
          this.#onBytes(bytes);
          return true;
        },
      },
    };
    this.#stream = new ReadStream(master, options);
    // The stream closes the master right after this event, so the rest is read now. A hung-up terminal holds little.
    this.#stream.on('end', () => this.#onHangUp());
    // EIO comes after the last byte; the stream has closed the master by itself.
    this.#stream.on('error', () => this.#finish());
    this.#stream.resume();
  }

  pause(): void {
    if (this.#ended || this.#paused) return;
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (this.#ended || !this.#paused) return;
    this.#paused = false;
    this.#stream.resume();
  }

  /** Hands over what the kernel holds at this moment, then ends. No-op after the end. */
  cut(): void {
    if (this.#ended) return;
    this.#drain();
    this.#finish();
  }

  /** Closes the master; nothing but `onClosing` is reported. Idempotent. */
  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#close();
  }

  #onBytes(bytes: number): void {
    if (this.#ended) return;
    landing.copy(this.#room(), this.#filled, 0, bytes);
    this.#took(bytes);
    if (bytes >= STREAM_BYTES) this.#readOn();
    this.#turning ??= setImmediate(() => this.#onTurn());
  }

  #readOn(): void {
    for (let reads = 0; reads < READS_AT_ONCE && !this.#ended && !this.#paused; reads += 1) {
      if (this.#readOnce() < 0) return; // Hung up; libuv will notice it by itself.
    }
  }

  /** One turn of the event loop later: hands the bytes over when the turn brought nothing new, or when they are no stream but a key. */
  #onTurn(): void {
    this.#turning = undefined;
    if (this.#ended) return;
    const isTrickle = this.#filled < TRICKLE_BYTES;
    const waitedLong = this.#filled > 0 && performance.now() - this.#firstByteAt >= MAX_COLLECT_MS;
    if (!this.#broughtNew || this.#paused || isTrickle || waitedLong) this.#handOver();
    // Goes round without sleeping while a stream lasts, because waking up would cost more than the turn.
    if (this.#broughtNew && !this.#paused && !this.#ended) this.#turning = setImmediate(() => this.#onTurn());
    this.#broughtNew = false;
  }

  #onHangUp(): void {
    if (this.#ended) return;
    this.#drain();
    this.#finish();
  }

  #drain(): void {
    for (let taken = 0; taken < MAX_KERNEL_BYTES && !this.#ended; ) {
      const bytes = this.#readOnce();
      if (bytes <= 0) return;
      taken += bytes;
    }
  }

  /** @returns bytes read; 0 when there are none at the moment; -1 when there will be none */
  #readOnce(): number {
    try {
      const room = this.#room();
      const bytes = readSync(this.#master, room, this.#filled, room.length - this.#filled, null);
      if (bytes === 0) return -1;
      this.#took(bytes);
      return bytes;
    } catch (error) {
      return errnoOf(error) === 'EAGAIN' ? 0 : -1;
    }
  }

  #took(bytes: number): void {
    if (this.#filled === 0) this.#firstByteAt = performance.now();
    this.#filled += bytes;
    this.#broughtNew = true;
    if (CHUNK_BYTES - this.#filled < READ_BYTES) this.#handOver();
  }

  #room(): Buffer {
    this.#buffer ??= spares.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    return this.#buffer;
  }

  #handOver(): void {
    const buffer = this.#buffer;
    const length = this.#filled;
    if (buffer === undefined) return;
    // BEFORE the call, because the owner may cut or destroy from within it.
    this.#buffer = undefined;
    this.#filled = 0;
    if (length > 0) this.#events.onChunk(buffer.subarray(0, length));
    if (spares.length < SPARE_BUFFERS) spares.push(buffer);
  }

  #finish(): void {
    if (this.#ended) return;
    this.#handOver();
    // The owner may have disposed of everything during the call.
    if (this.#ended) return;
    this.#ended = true;
    this.#close();
    this.#events.onEnd();
  }

  #close(): void {
    clearImmediate(this.#turning);
    this.#turning = undefined;
    this.#buffer = undefined;
    this.#events.onClosing();
    this.#stream.destroy();
  }
}
