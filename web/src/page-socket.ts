/**
 * A WebSocket that can be given up at once. After a sleep a browser takes minutes to notice that a connection is dead; the page asks the server, and
 * does not wait for the browser.
 */
import type { WebSocketLike } from '../../client/src/browser.js';

/** What is told where the browser tells nothing (RFC 6455, section 7.4.1). */
const ABNORMAL = 1006;

interface Listeners {
  open(): void;
  error(event: unknown): void;
  message(event: { data: unknown }): void;
  close(event: { code: number; reason: string }): void;
}

/** One socket. */
export class PageSocket implements WebSocketLike {
  readonly #socket: WebSocket;
  readonly #onClose = new Set<Listeners['close']>();
  #hasEnded = false;

  constructor(url: string, protocols: string[], onEnd: (socket: PageSocket) => void) {
    this.#socket = new WebSocket(url, protocols);
    this.#onClose.add(() => onEnd(this));
    this.#socket.addEventListener('close', (event) => this.#end(event));
  }

  addEventListener<K extends keyof Listeners>(type: K, listener: Listeners[K]): void {
    if (type === 'close') {
      this.#onClose.add(listener as Listeners['close']);
      return;
    }
    this.#socket.addEventListener(type, (event) => {
      if (!this.#hasEnded) (listener as (event: unknown) => void)(event);
    });
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  /** Ends it without waiting for anyone. */
  drop(): void {
    this.#socket.close();
    this.#end({ code: ABNORMAL, reason: 'no answer' });
  }

  #end(event: { code: number; reason: string }): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const listener of this.#onClose) listener(event);
  }
}
