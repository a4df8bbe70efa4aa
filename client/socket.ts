/** What the client needs of a WebSocket: browsers and Node 22 have one built in, `ws` gives it to Node 20. */

/** A WebSocket as in browsers. */
export interface SocketLike {
  readonly readyState: number;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'error', listener: (event: unknown) => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** Makes a WebSocket: the global class, or the one of `ws`. */
export type SocketConstructor = new (url: string, protocols?: string[]) => SocketLike;

/** The given class, or the global one. @throws {Error} where there is neither */
export function socketConstructor(given: SocketConstructor | undefined): SocketConstructor {
  const found = given ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
  if (found === undefined) {
    throw new Error(
      'No WebSocket here: pass one, as in connect(url, { WebSocket }) with `import { WebSocket } from "ws"`',
    );
  }
  return found;
}
