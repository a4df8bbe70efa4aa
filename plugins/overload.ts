/**
 * Knows when the service is full: its own bounds, its descriptors, its event loop. `/readyz` turns 503 while it is; a start or an
 * upgrade that finds no room is refused by who was asked. Knows no connection.
 */
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import { countOpenDescriptors, descriptorLimit } from '../src/process/open-descriptors.js';
import { EventLoopDelay } from '../src/server/event-loop-delay.js';

/** What the other plugins and the probes ask. */
export interface Overload {
  /** The bound of the machine that leaves no room for something that takes so many descriptors, or undefined. */
  shortage(descriptors: number): string | undefined;
  /** Counts an accepted socket. @returns false when so few descriptors are left that it cannot even wait for its own refusal */
  takeSocket(): boolean;
  /** Counts a socket that has closed. */
  releaseSocket(): void;
  /** Whether new clients should go elsewhere, with hysteresis. */
  readonly isOverloaded: boolean;
  readonly loopDelay: EventLoopDelay;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly overload: Overload;
  }
}

/** Descriptors left free for logs, files of the server, probes, and sockets that wait for their refusal. */
const SPARE_DESCRIPTORS = 128;
/** Part of a small limit that is spare. */
const SPARE_PART = 1 / 4;
/** Part of the spare ones in which a socket is answered at once: at the very limit libuv closes what it accepts without a word. */
const LAST_PART = 1 / 2;
/** A command takes up to this many while it starts: three pipes with two ends each, and those of the spawn itself. */
export const DESCRIPTORS_PER_COMMAND = 10;
/** A connection has its socket, which is counted already when the question is asked. */
export const DESCRIPTORS_PER_CONNECTION = 0;
/** Counting reads a directory with an entry per descriptor: at most this often. Between two counts starts and sockets are added up. */
const COUNT_EVERY_MS = 100;
/** What was added up is too much when things end as fast as they start: before a refusal it is counted again, at most this often. */
const RECOUNT_EVERY_MS = 10;
/** Overload ends when everything is below this part of its bound. */
const RECOVERED_AT = 0.9;

export const overloadPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const loopDelay = new EventLoopDelay();
    loopDelay.start();
    const limit = descriptorLimit() ?? Number.POSITIVE_INFINITY;
    const spare = Math.min(SPARE_DESCRIPTORS, Math.floor(limit * SPARE_PART));
    const last = Math.floor(spare * LAST_PART);
    let open = 0;
    let countedAtMs = Number.NEGATIVE_INFINITY;
    let overloaded = false;
    let isShort = false;

    function count(notWithinMs: number): void {
      const nowMs = performance.now();
      if (nowMs - countedAtMs < notWithinMs) return;
      countedAtMs = nowMs;
      const counted = countOpenDescriptors();
      // Counting takes a descriptor itself: when there is none, what was known last is the best that is known.
      if (counted === undefined) return;
      // What a command takes that is only being started does not show yet.
      open = counted + app.exec.starting * DESCRIPTORS_PER_COMMAND;
    }

    function hasRoom(descriptors: number, reserve: number): boolean {
      count(COUNT_EVERY_MS);
      if (open + descriptors + reserve >= limit) count(RECOUNT_EVERY_MS);
      return open + descriptors + reserve < limit;
    }

    function shortage(descriptors: number): string | undefined {
      const isFree = hasRoom(descriptors, spare);
      if (isFree) open += descriptors;
      tell(!isFree);
      return isFree ? undefined : 'descriptors';
    }

    function tell(short: boolean): void {
      if (short && !isShort) {
        app.log.warn({ open, limit }, 'out of descriptors: new connections and commands are refused');
      }
      isShort = short;
    }

    /** How much of its bound the fullest thing has taken. */
    function load(): number {
      count(COUNT_EVERY_MS);
      const connections = app.sessions.size / config.maxConnections;
      const requests = app.rpc.requests.inFlight / config.maxRequests;
      const processes = app.exec.running / config.maxProcesses;
      const descriptors = (open + DESCRIPTORS_PER_COMMAND) / (limit - spare);
      const delay = loopDelay.maxMs / config.maxEventLoopDelayMs;
      return Math.max(connections, requests, processes, descriptors, delay);
    }

    app.decorate('overload', {
      shortage,
      loopDelay,
      takeSocket(): boolean {
        open += 1;
        const isFree = hasRoom(0, last);
        if (!isFree) tell(true);
        return isFree;
      },
      releaseSocket(): void {
        open -= 1;
      },
      get isOverloaded(): boolean {
        const now = load();
        if (overloaded ? now < RECOVERED_AT : now >= 1) {
          overloaded = !overloaded;
          app.log.warn(
            { loopDelayMs: Math.round(loopDelay.maxMs), open, limit },
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
