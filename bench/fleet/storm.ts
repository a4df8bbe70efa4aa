/**
 * A reconnect storm: all clients lose their connections at one moment, every attempt is refused until the outage is over, and then each replica
 * takes one handshake after the other. The client's own back-off decides when each tries again. Knows no balancer: each client comes back to its
 * replica, as affinity has it.
 */
import { backOffMs } from '../../client/src/back-off.js';
import { type FleetSize, measured, SECOND_MS } from './assumptions.js';
import { EventQueue } from './event-queue.js';
import { Random } from './random.js';
import { Rate } from './rate.js';

export interface StormOptions extends FleetSize {
  readonly outageMs: number;
  /** Whether a part of each delay is random, as in the client. */
  readonly jitter: boolean;
  readonly seed: number;
  /** Handshakes that a replica takes in a second. Default: as measured. */
  readonly handshakesPerSecond?: number;
}

export interface StormFigures {
  readonly clients: number;
  /** All attempts, and those that came to nothing. */
  readonly attempts: number;
  readonly failedAttempts: number;
  /** Clients that gave up before they were back. */
  readonly gaveUp: number;
  /** Attempts in each tenth of a second since the break. */
  readonly attemptsPerBin: readonly number[];
  /** Most attempts in one second, and in a tenth of one, from the end of the outage on. */
  readonly busiestSecond: number;
  readonly busiestBin: number;
  /** Milliseconds from the end of the outage until half of the clients, and all that did not give up, are back. */
  readonly halfBackMs: number;
  readonly allBackMs: number;
  /** Longest time from an attempt that succeeded to its end, in milliseconds. */
  readonly longestHandshakeMs: number;
}

/** Runs the storm. */
export function simulateStorm(options: StormOptions): StormFigures {
  const { replicas, clientsPerReplica, outageMs, jitter, seed } = options;
  const handshakeMs = SECOND_MS / (options.handshakesPerSecond ?? measured.handshakesPerSecond.value);
  const random = new Random(seed);
  const draw = jitter ? (): number => random.uniform() : (): number => 0;
  const clients = replicas * clientsPerReplica;
  const failures = new Uint8Array(clients);
  /** When each replica has done all handshakes that it was asked for. */
  const freeAt = new Float64Array(replicas);
  const backAt: number[] = [];
  const rate = new Rate();
  const queue = new EventQueue();
  let attempts = 0;
  let failedAttempts = 0;
  let gaveUp = 0;
  let longestHandshakeMs = 0;

  /** The client goes on at a time after an attempt that failed then. */
  const fail = (client: number, atMs: number): void => {
    failedAttempts += 1;
    const attempt = failures[client] ?? 0;
    failures[client] = attempt + 1;
    const nextMs = atMs + backOffMs(attempt, draw);
    if (nextMs < measured.reconnectMaxMs.value) queue.add(nextMs, client);
    else gaveUp += 1;
  };

  // The client tries at once when its connection breaks.
  for (let client = 0; client < clients; client += 1) queue.add(0, client);
  for (let client = queue.next(); client !== undefined; client = queue.next()) {
    const { now } = queue;
    attempts += 1;
    rate.count(now);
    if (now < outageMs) {
      fail(client, now);
      continue;
    }
    const replica = client % replicas;
    const doneAt = Math.max(now, freeAt[replica] ?? 0) + handshakeMs;
    // A client that has given up costs the replica as much as any other.
    freeAt[replica] = doneAt;
    const patienceMs = Math.min(measured.connectTimeoutMs.value, measured.reconnectMaxMs.value - now);
    if (doneAt - now > patienceMs) fail(client, now + patienceMs);
    else {
      backAt.push(doneAt);
      longestHandshakeMs = Math.max(longestHandshakeMs, doneAt - now);
    }
  }
  const sorted = Float64Array.from(backAt).sort();
  return {
    clients,
    attempts,
    failedAttempts,
    gaveUp,
    attemptsPerBin: rate.perBin(),
    busiestSecond: rate.busiestSecond(outageMs),
    busiestBin: rate.busiestBin(outageMs),
    halfBackMs: (sorted[sorted.length >> 1] ?? outageMs) - outageMs,
    allBackMs: (sorted.at(-1) ?? outageMs) - outageMs,
    longestHandshakeMs,
  };
}
