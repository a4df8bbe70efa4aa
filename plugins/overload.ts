/**
 * Knows when the service is full: its own bounds, its descriptors, its event loop. `/readyz` turns 503 while it is; a start or an
 * upgrade that finds no room is refused by who was asked. Knows no connection.
 */
import fp from 'fastify-plugin';
import type { Config } from '../src/config.js';
import { EventLoopDelay } from '../src/event-loop-delay.js';
import { countOpenDescriptors, descriptorLimit } from '../src/process/open-descriptors.js';

/** What the other plugins and the probes ask. */
export interface Overload {
  /** The bound of the machine that leaves no room for something that takes so many descriptors, or undefined. */
  shortage(descriptors: number): string | undefined;
  /** Whether new clients should go elsewhere, with hysteresis. */
  readonly isOverloaded: boolean;
  readonly loopDelay: EventLoopDelay;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly overload: Overload;
  }
}

/** Descriptors left free for logs, files of the server and a spawn in progress. */
const SPARE_DESCRIPTORS = 64;
/** A command takes up to this many while it starts: three pipes with two ends each, and those of the spawn itself. */
export const DESCRIPTORS_PER_COMMAND = 10;
/** A connection has its socket. */
export const DESCRIPTORS_PER_CONNECTION = 1;
/** Counting reads a directory with an entry per descriptor: at most this often. */
const COUNT_EVERY_MS = 100;
/** Overload ends when everything is below this part of its bound. */
const RECOVERED_AT = 0.9;

export const overloadPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const loopDelay = new EventLoopDelay();
    loopDelay.start();
    const limit = descriptorLimit() ?? Number.POSITIVE_INFINITY;
    let open = 0;
    let countedAtMs = Number.NEGATIVE_INFINITY;
    let overloaded = false;
    let warned = false;

    function shortage(descriptors: number): string | undefined {
      const nowMs = performance.now();
      if (nowMs - countedAtMs >= COUNT_EVERY_MS) {
        open = countOpenDescriptors() ?? 0;
        countedAtMs = nowMs;
      }
      // Between two counts every question is taken for a start.
      open += descriptors;
      if (open + SPARE_DESCRIPTORS < limit) {
        warned = false;
        return undefined;
      }
      if (!warned) app.log.warn({ open, limit }, 'out of descriptors: new connections and commands are refused');
      warned = true;
      return 'descriptors';
    }

    /** How much of its bound the fullest thing has taken. */
    function load(): number {
      const connections = app.sessions.size / config.maxConnections;
      const requests = app.rpc.requests.inFlight / config.maxRequests;
      const processes = app.exec.running / config.maxProcesses;
      return Math.max(connections, requests, processes, loopDelay.maxMs / config.maxEventLoopDelayMs);
    }

    app.decorate('overload', {
      shortage,
      loopDelay,
      get isOverloaded(): boolean {
        const now = load();
        if (overloaded ? now < RECOVERED_AT : now >= 1) {
          overloaded = !overloaded;
          app.log.warn(
            { loopDelayMs: Math.round(loopDelay.maxMs) },
            overloaded ? 'overloaded' : 'no longer overloaded',
          );
        }
        return overloaded;
      },
    });
    app.addHook('onClose', async () => loopDelay.stop());
  },
  { name: 'overload', dependencies: ['sessions'] },
);
