/**
 * Answers TCP connections for which there is no room at all, before anything is read from them. Node itself closes such connections
 * without a word (`maxConnections`), and so does libuv at the limit of descriptors. Knows no HTTP beyond that one answer.
 */
import { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import fp from 'fastify-plugin';
import type { Config } from '../src/config.js';

/** TCP connections beside those of sessions: probes, scrapes, upgrades that are being refused. */
const SPARE_CONNECTIONS = 256;
/** How long the request of a refused peer is waited for. It follows the connection closely, and descriptors are what is short. */
const REQUEST_TIMEOUT_MS = 50;
const REFUSAL =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nfull\n';

export const tcpAdmissionPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const { server } = app;
    const max = config.maxConnections + SPARE_CONNECTIONS;
    // TLS has no words for it before the handshake: there the peer sees a closed connection.
    const speaksPlainly = server instanceof HttpServer;
    let open = 0;
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      open += 1;
      socket.once('close', () => {
        open -= 1;
      });
      if (open <= max && !app.overload.isOutOfSockets) {
        for (const listener of listeners) listener.call(server, socket);
      } else if (speaksPlainly) refuse(socket);
      else socket.destroy();
    });
  },
  { name: 'tcp-admission', dependencies: ['overload'] },
);

function refuse(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  socket.end(REFUSAL);
  // AFTER its request has come: bytes that nobody has read would turn the close into a reset, which may overtake the answer.
  const close = (): void => socket.destroySoon();
  socket.once('data', close);
  socket.once('end', close);
  socket.setTimeout(REQUEST_TIMEOUT_MS, close);
}
