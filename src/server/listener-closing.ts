/** Closes the connections of a listener: sends a Close to each WebSocket, and cuts the peers that do not answer in time. */
import type { Server } from 'node:http';
import { closeCodes } from '../protocol/close-codes.js';

/** How long to wait for peers that do not answer the Close. */
const CLOSE_PEERS_MS = 1000;
/** How often idle keep-alive connections are closed while the server closes. */
const CLOSE_IDLE_EVERY_MS = 50;

/** The part of a WebSocket that is used here. */
export interface Peer {
  close(code: number, reason: string): void;
  terminate(): void;
}

/** Sends a Close to all peers. To be called before the server closes. @param peers asked again at the end */
export function closePeers(server: Server, peers: Iterable<Peer>): void {
  for (const peer of peers) peer.close(closeCodes.goingAway, 'server going away');
  if (!server.listening) return;
  const cut = setTimeout(() => {
    for (const peer of peers) peer.terminate();
    server.closeAllConnections();
  }, CLOSE_PEERS_MS);
  // Node itself closes a keep-alive connection only when it falls idle after its next request.
  const closeIdle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  server.once('close', () => {
    clearTimeout(cut);
    clearInterval(closeIdle);
  });
}
