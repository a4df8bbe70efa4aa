/**
 * Replicas behind a balancer, and the clients that move between them. Clients have no state of their own, because one that is sent away takes a new
 * affinity: only their number on each replica counts. Knows no reason for a move.
 */
import { type FleetSize, HANDSHAKE_MS } from './assumptions.js';
import { type Balancer, newBalancer, type Rule, type Slot } from './balancers.js';
import type { Random } from './random.js';
import { Rate } from './rate.js';

/** How evenly the connections lie on the replicas. */
export interface Balance {
  /** Connections of the replica with the most, and with the fewest, divided by the mean. */
  readonly mostByMean: number;
  readonly leastByMean: number;
  /** Standard deviation divided by the mean. */
  readonly variation: number;
  /** Share of replicas without any. */
  readonly emptyShare: number;
}

/** A fleet whose clients are connected. */
export class Fleet {
  readonly balancer: Balancer;
  readonly clients: number;
  /** Connections that were opened again. */
  readonly rate = new Rate();
  /** All moves of clients. */
  moves = 0;
  /** Longest time that a client waited for its handshake, in milliseconds. */
  longestHandshakeMs = 0;
  readonly #random: Random;
  readonly #freeAt: Float64Array;

  /** @param spares slots beside those of the replicas, closed at first */
  constructor(size: FleetSize, rule: Rule, random: Random, spares = 0) {
    const slots = size.replicas + spares;
    this.#random = random;
    this.balancer = newBalancer(rule, slots, random);
    this.#freeAt = new Float64Array(slots);
    this.clients = size.replicas * size.clientsPerReplica;
    for (let slot = 0; slot < size.replicas; slot += 1) this.balancer.open(slot);
    for (let client = 0; client < this.clients; client += 1) this.balancer.connect(random.bits());
  }

  /** All clients of a slot connect elsewhere at a time. The slot is closed. */
  moveAll(slot: Slot, atMs: number): void {
    const count = this.balancer.connections(slot);
    this.balancer.disconnect(slot, count);
    for (let client = 0; client < count; client += 1) this.connect(atMs);
  }

  /** One client connects again at a time. Its connection before was taken off its slot. */
  connect(atMs: number): void {
    const slot = this.balancer.connect(this.#random.bits());
    const doneAt = Math.max(atMs, this.#freeAt[slot] ?? 0) + HANDSHAKE_MS;
    this.#freeAt[slot] = doneAt;
    this.longestHandshakeMs = Math.max(this.longestHandshakeMs, doneAt - atMs);
    this.rate.count(atMs);
    this.moves += 1;
  }

  /** Connections of these slots, fewest first. */
  loads(slots: readonly Slot[]): number[] {
    return slots.map((slot) => this.balancer.connections(slot)).sort((one, other) => one - other);
  }
}

/** @param loads connections of each replica, fewest first */
export function balanceOf(loads: readonly number[]): Balance {
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  const variance = loads.reduce((sum, load) => sum + (load - mean) ** 2, 0) / loads.length;
  return {
    mostByMean: (loads.at(-1) ?? 0) / mean,
    leastByMean: (loads[0] ?? 0) / mean,
    variation: Math.sqrt(variance) / mean,
    emptyShare: loads.filter((load) => load === 0).length / loads.length,
  };
}
