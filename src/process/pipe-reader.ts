/**
 * Reads one output pipe of a child at full speed and hands the bytes over as they come. It knows nothing of the process.
 *
 * No byte is lost at the end: a read takes all that a pipe holds, up to the size of the buffer. So after a hang-up (POLLHUP) and a short read the
 * pipe is empty.
 */
import { readSync } from 'node:fs';
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

/** Bytes of one read: the capacity of a Linux pipe. Larger buffers and larger pipes measured no faster. */
const READ_BYTES = 65_536;
/**
 * Reads of one pipe in one turn of the event loop. libuv would do 32, which with encoding and sending take 4 ms in which no other connection is
 * served. Measured in five alternating runs beside a stream: the best p99 of an echo 3.6 ms in place of 13 ms, the median p99 13 ms in place of 15 ms
 * on a busy machine. A stream alone is no slower.
 */
const READS_PER_TURN = 4;
/**
 * Reads of all pipes together in one turn, beside the one that each pipe gets. With ten streams at full speed other connections wait half as long for
 * their turn as with 4 reads for each stream (`test/stress/fairness.ts`), and the streams are no slower.
 */
const READS_OF_ALL_PER_TURN = 8;
/** The most a child can have made its pipe hold: /proc/sys/fs/pipe-max-size, 1 MiB by default. */
const MAX_PIPE_BYTES = 1_048_576;

/** The current turn of the event loop, for all pipes. */
const turn = {
  number: 0,
  reads: 0,
  stopped: [] as PipeReader[],
  next: undefined as NodeJS.Immediate | undefined,
};

/** One buffer serves all pipes: libuv reads into it and calls back before anything else can read. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

export interface PipeReaderEvents {
  /** `chunk` is lent for the duration of the call. */
  onChunk(chunk: Buffer): void;
  /** Every byte was handed over and the descriptor is closed. Once. */
  onEnd(): void;
}

export class PipeReader {
  readonly #socket: Socket;
  readonly #events: PipeReaderEvents;
  #ended = false;
  #paused = false;
  #turnNumber = 0;
  #readsThisTurn = 0;

  private constructor(socket: Socket, events: PipeReaderEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on('end', () => this.#finish());
    // ECONNRESET of a socket pair whose other end closed with unread bytes; a pipe has no such end.
    socket.on('error', () => this.#finish());
  }

  /** Reads a real pipe and owns its descriptor from now on. */
  static ofPipe(fd: number, events: PipeReaderEvents): PipeReader {
    const options: SocketConstructorOpts & { onread: OnReadOpts } = {
      fd,
      readable: true,
      writable: false,
      onread: {
        buffer: shared,
        callback: (bytes) => {
          if (!reader.#ended) events.onChunk(shared.subarray(0, bytes));
          return reader.#mayReadOn();
        },
      },
    };
    const socket = new Socket(options);
    const reader = new PipeReader(socket, events);
    socket.resume();
    return reader;
  }

  /** Reads a socket that Node opened, if there can be no real pipes. */
  static ofSocket(socket: Socket, events: PipeReaderEvents): PipeReader {
    const reader = new PipeReader(socket, events);
    socket.on('data', (chunk: Buffer) => {
      if (!reader.#ended) events.onChunk(chunk);
    });
    return reader;
  }

  pause(): void {
    if (this.#ended) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (this.#ended) return;
    this.#paused = false;
    this.#socket.resume();
  }

  /** @returns false when other pipes must have their turn first; the socket stops and is resumed after them */
  #mayReadOn(): boolean {
    turn.next ??= setImmediate(PipeReader.#beginTurn);
    if (this.#turnNumber !== turn.number) {
      this.#turnNumber = turn.number;
      this.#readsThisTurn = 0;
    }
    this.#readsThisTurn += 1;
    turn.reads += 1;
    if (this.#readsThisTurn < READS_PER_TURN && turn.reads < READS_OF_ALL_PER_TURN) return true;
    turn.stopped.push(this);
    return false;
  }

  static #beginTurn(): void {
    turn.next = undefined;
    turn.number += 1;
    turn.reads = 0;
    const { stopped } = turn;
    turn.stopped = [];
    for (const reader of stopped) {
      if (!reader.#paused && !reader.#ended) reader.#socket.resume();
    }
  }

  /** Hands over what the pipe holds at this moment, then ends. No-op after the end. */
  cut(): void {
    if (this.#ended) return;
    // BEFORE the descriptor: bytes that a paused stream has already taken from it (only in `ofSocket`).
    for (let held: Buffer | null = this.#socket.read(); held !== null; held = this.#socket.read()) {
      if (this.#socket.listenerCount('data') === 0) this.#events.onChunk(held);
    }
    const fd = descriptorOf(this.#socket);
    // A buffer of its own, because a cut can happen while another pipe's chunk is handed over.
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let taken = 0; fd !== undefined && taken < MAX_PIPE_BYTES && !this.#ended; ) {
      let bytes = 0;
      try {
        bytes = readSync(fd, buffer, 0, READ_BYTES, null);
      } catch {
        break; // EAGAIN: the pipe is empty.
      }
      if (bytes === 0) break;
      taken += bytes;
      this.#events.onChunk(buffer.subarray(0, bytes));
    }
    this.#finish();
  }

  /** Closes the descriptor; nothing is reported afterwards. */
  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.#events.onEnd();
  }
}

/** The descriptor behind a socket; Node has no public name for it. */
function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd;
  return fd !== undefined && fd >= 0 ? fd : undefined;
}
