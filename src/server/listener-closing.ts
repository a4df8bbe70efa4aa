/** How a listener lets go of its peers when everything is said: a Close for each WebSocket, and a bound on those that never answer. */
import type { Server } from 'node:http';
import { closeCodes } from '../protocol/close-codes.js';

/** How long after the last goodbye peers that never answer are waited for. */
const CLOSE_PEERS_MS = 1000;
/** How often idle keep-alive connections are closed while the server closes. */
const CLOSE_IDLE_EVERY_MS = 50;

/** As much of a WebSocket as is used. */
export interface Peer {
  close(code: number, reason: string): void;
  terminate(): void;
}

/** Says goodbye to all peers. To be called before the server closes. @param peers asked again at the end */
export function closePeers(server: Server, peers: Iterable<Peer>): void {
  server.removeAllListeners('upgrade');
  for (const peer of peers) peer.close(closeCodes.goingAway, 'server going away');
  if (!server.listening) return;
  const cut = setTimeout(() => {
    for (const peer of peers) peer.terminate();
    server.closeAllConnections();
  }, CLOSE_PEERS_MS);
  // Node closes keep-alive connections only when they fall idle after their next request.
  const closeIdle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  server.once('close', () => {
    clearTimeout(cut);
    clearInterval(closeIdle);
  });
}
