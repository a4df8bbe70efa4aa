/**
 * Answers TCP connections for which there is no room at all, before anything is read from them. Node itself closes such connections
 * without a word (`maxConnections`), and so does libuv at the limit of descriptors. Knows no HTTP beyond that one answer.
 */
import { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';

/** TCP connections beside those of sessions: probes, scrapes, upgrades that are being refused. */
const SPARE_CONNECTIONS = 256;
/** How long the request of a refused peer is waited for. It follows the connection closely, and descriptors are what is short. */
const REQUEST_TIMEOUT_MS = 50;
/** Refused peers whose request is waited for at a time. */
const MAX_WAITING = 8;
const REFUSAL =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nfull\n';

export const tcpAdmissionPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const { server } = app;
    const max = config.maxConnections + SPARE_CONNECTIONS;
    // TLS has no words for it before the handshake: there the peer sees a closed connection.
    const speaksPlainly = server instanceof HttpServer;
    let open = 0;
    let waiting = 0;

    function refuse(socket: Socket): void {
      const close = (): void => socket.destroySoon();
      socket.on('error', () => socket.destroy());
      socket.end(REFUSAL);
      if (waiting >= MAX_WAITING) {
        close();
        return;
      }
      waiting += 1;
      socket.once('close', () => {
        waiting -= 1;
      });
      // AFTER its request has come: bytes that nobody has read turn the close into a reset, which may overtake the answer.
      socket.once('data', close);
      socket.once('end', close);
      socket.setTimeout(REQUEST_TIMEOUT_MS, close);
    }

    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      open += 1;
      const hasDescriptor = app.overload.takeSocket();
      socket.once('close', () => {
        open -= 1;
        app.overload.releaseSocket();
      });
      if (open <= max && hasDescriptor) {
        for (const listener of listeners) listener.call(server, socket);
      } else if (speaksPlainly) refuse(socket);
      else socket.destroy();
    });
  },
  { name: 'tcp-admission', dependencies: ['overload'] },
);
