/** A WebSocket server whose answers a test chooses, so that a test can show a wrong or a silent server. Knows nothing of the program. */
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';

/** A request of a client. */
export interface Asked {
  readonly id: number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Answers a request with a result, or leaves it without an answer when it returns undefined. */
export type Answerer = (asked: Asked, socket: WebSocket) => { readonly result: unknown } | undefined;

/** What a good server says about itself in its reply to `initialize`. */
export const GOOD_SERVER = {
  serverInfo: { name: 'execwire', version: '0.1.0' },
  serverId: 'a-server',
  limits: { maxReplayBytes: 1_048_576, maxDetached: 3_600_000 },
};

/** Starts a server that answers `initialize` with `initialized`, and every other request as `answer` says. @returns its URL */
export async function fakeServer(t: Test, answer: Answerer, initialized: unknown = GOOD_SERVER): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise<void>((resolve) => server.once('listening', resolve));
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const asked = JSON.parse(String(data)) as Asked;
      if (asked.id === undefined) return;
      const answered = asked.method === 'initialize' ? { result: initialized } : answer(asked, socket);
      if (answered !== undefined) socket.send(JSON.stringify({ id: asked.id, ...answered }));
    });
  });
  t.teardown(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
