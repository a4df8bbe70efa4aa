/**
 * Feeds one input pipe of a child, in order, without ever blocking, and closes it behind the last byte.
 * It knows nothing of the process.
 */
import { Socket } from 'node:net';
import type { StdinWriter } from './os-process.js';

type Done = (error?: Error) => void;

export class PipeWriter implements StdinWriter {
  readonly #socket: Socket;
  #queuedBytes = 0;
  #unfinished = 0;
  #ending = false;
  #failure: Error | undefined;

  /** @param socket a real pipe wrapped by `pipeSocket`, or the socket that Node opened. It belongs to the writer from now on. */
  constructor(socket: Socket) {
    this.#socket = socket;
    // EPIPE also reaches the `onDone` of every later write.
    socket.on('error', (error) => this.#fail(error));
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  write(chunk: Buffer, onDone: Done): void {
    const refusal = this.#failure ?? (this.#ending ? new Error('stdin is already closed') : undefined);
    if (refusal !== undefined) {
      process.nextTick(onDone, refusal);
      return;
    }
    this.#queuedBytes += chunk.length;
    this.#unfinished += 1;
    this.#socket.write(chunk, (error) => {
      this.#queuedBytes -= chunk.length;
      this.#unfinished -= 1;
      // Node reports a write as done even if its socket was destroyed meanwhile.
      const failure = this.#failure ?? error;
      if (failure) onDone(failure);
      else onDone();
      this.#closeWhenDone();
    });
  }

  end(): void {
    this.#ending = true;
    this.#closeWhenDone();
  }

  destroy(): void {
    this.#fail(new Error('stdin is closed: the process is gone'));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy(error);
  }

  /** `end()` of the socket would try to shut the pipe down, which works only on sockets, and would leave it open. */
  #closeWhenDone(): void {
    if (this.#ending && this.#unfinished === 0) this.#socket.destroy();
  }
}

/** Wraps the write end of a real pipe. */
export function pipeSocket(fd: number): Socket {
  return new Socket({ fd, readable: false, writable: true });
}
