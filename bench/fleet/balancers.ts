/**
 * How a balancer chooses a replica: the one with the fewest connections, or the one that a ring gives to the hash of the client. Both choose
 * among the replicas that take new clients, and count connections. Know no time.
 */
import { mixed, type Random } from './random.js';

/** A place for a replica, as the line `server` of a balancer's configuration: a new replica may take the place of one that has gone. */
export type Slot = number;

/** A balancer. All slots are closed at first. */
export interface Balancer {
  /** New clients may come here from now on. */
  open(slot: Slot): void;
  /** No new client comes here from now on; those that are here stay. */
  close(slot: Slot): void;
  /** Connects a client. @param hash the hash of its affinity @returns its slot @throws {Error} when no slot is open */
  connect(hash: number): Slot;
  /** Ends connections of a slot. */
  disconnect(slot: Slot, count: number): void;
  /** Connections of a slot. */
  connections(slot: Slot): number;
}

const NONE = -1;

/** Points that HAProxy gives a server of weight 1 on its ring: its scale of weights. `weight 16` gives 256. */
export const POINTS_OF_WEIGHT_1 = 16;

/** Slots that a ring may have: with a place of 32 bits a point is a whole number that a double holds. */
const SLOT_ROOM = 2 ** 20;

/**
 * A ring as HAProxy's `hash-type consistent` has it: each slot has points at random places of a circle of 2^32, and a client goes to the point
 * that is closest to its hash, on either side. Points of closed slots are left out.
 */
export class HashRing implements Balancer {
  readonly #isOpen: Uint8Array;
  readonly #counts: Int32Array;
  /** The points in order: the place of each times {@link SLOT_ROOM}, plus its slot. As one number, because a large ring has millions. */
  readonly #points: Float64Array;
  #openCount = 0;

  /** @param slots how many there are @param pointsPerSlot points of each @param seed which places they have */
  constructor(slots: number, pointsPerSlot: number, seed: number) {
    if (slots > SLOT_ROOM) throw new Error(`a ring has at most ${SLOT_ROOM} slots`);
    this.#isOpen = new Uint8Array(slots);
    this.#counts = new Int32Array(slots);
    this.#points = new Float64Array(slots * pointsPerSlot);
    for (let point = 0; point < this.#points.length; point += 1) {
      this.#points[point] = mixed(mixed(point) ^ seed) * SLOT_ROOM + Math.floor(point / pointsPerSlot);
    }
    this.#points.sort();
  }

  open(slot: Slot): void {
    if (this.#isOpen[slot] === 1) return;
    this.#isOpen[slot] = 1;
    this.#openCount += 1;
  }

  close(slot: Slot): void {
    if (this.#isOpen[slot] !== 1) return;
    this.#isOpen[slot] = 0;
    this.#openCount -= 1;
  }

  connect(hash: number): Slot {
    const slot = this.slotOf(hash);
    this.#counts[slot] = this.connections(slot) + 1;
    return slot;
  }

  /** The open slot whose point is closest to the hash. */
  slotOf(hash: number): Slot {
    if (this.#openCount === 0) throw new Error('no replica takes clients');
    const after = this.#firstFrom(hash);
    const next = this.#openPoint(after, 1);
    const previous = this.#openPoint(after - 1, -1);
    const toNext = this.#distance(hash, this.#placeOf(next));
    const toPrevious = this.#distance(this.#placeOf(previous), hash);
    return this.#ownerOf(toPrevious <= toNext ? previous : next);
  }

  disconnect(slot: Slot, count: number): void {
    this.#counts[slot] = this.connections(slot) - count;
  }

  connections(slot: Slot): number {
    return this.#counts[slot] ?? 0;
  }

  /** Index of the first point at or behind a place. */
  #firstFrom(place: number): number {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#placeOf(middle) < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first point of an open slot, from an index in one direction around the circle. */
  #openPoint(from: number, direction: 1 | -1): number {
    const count = this.#points.length;
    let point = (from + count) % count;
    while (this.#isOpen[this.#ownerOf(point)] !== 1) point = (point + direction + count) % count;
    return point;
  }

  #placeOf(point: number): number {
    return Math.floor((this.#points[point] ?? 0) / SLOT_ROOM);
  }

  #ownerOf(point: number): Slot {
    return (this.#points[point] ?? 0) % SLOT_ROOM;
  }

  /** From one place forwards to another, around the circle. */
  #distance(from: number, to: number): number {
    return (to - from) >>> 0;
  }
}

/**
 * The slot with the fewest connections, as `balance leastconn`; among equal ones the one that waited longest. Slots with the same number of
 * connections are a list, so that a choice takes the same time for any number of slots.
 */
export class LeastConnections implements Balancer {
  readonly #isOpen: Uint8Array;
  readonly #counts: Int32Array;
  readonly #before: Int32Array;
  readonly #behind: Int32Array;
  /** First and last slot of each list, by the number of connections. */
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];
  /** No list of fewer connections has a slot. */
  #least = 0;
  #openCount = 0;

  constructor(slots: number) {
    this.#isOpen = new Uint8Array(slots);
    this.#counts = new Int32Array(slots);
    this.#before = new Int32Array(slots).fill(NONE);
    this.#behind = new Int32Array(slots).fill(NONE);
  }

  open(slot: Slot): void {
    if (this.#isOpen[slot] === 1) return;
    this.#isOpen[slot] = 1;
    this.#openCount += 1;
    this.#append(slot);
  }

  close(slot: Slot): void {
    if (this.#isOpen[slot] !== 1) return;
    this.#isOpen[slot] = 0;
    this.#openCount -= 1;
    this.#takeOut(slot);
  }

  connect(_hash: number): Slot {
    if (this.#openCount === 0) throw new Error('no replica takes clients');
    while ((this.#firsts[this.#least] ?? NONE) === NONE) this.#least += 1;
    const slot = this.#firsts[this.#least] ?? NONE;
    this.#change(slot, 1);
    return slot;
  }

  disconnect(slot: Slot, count: number): void {
    this.#change(slot, -count);
  }

  connections(slot: Slot): number {
    return this.#counts[slot] ?? 0;
  }

  #change(slot: Slot, by: number): void {
    const isListed = this.#isOpen[slot] === 1;
    if (isListed) this.#takeOut(slot);
    this.#counts[slot] = this.connections(slot) + by;
    if (isListed) this.#append(slot);
  }

  #append(slot: Slot): void {
    const count = this.connections(slot);
    const last = this.#lasts[count] ?? NONE;
    this.#before[slot] = last;
    this.#behind[slot] = NONE;
    if (last === NONE) this.#firsts[count] = slot;
    else this.#behind[last] = slot;
    this.#lasts[count] = slot;
    this.#least = Math.min(this.#least, count);
  }

  #takeOut(slot: Slot): void {
    const count = this.connections(slot);
    const before = this.#before[slot] ?? NONE;
    const behind = this.#behind[slot] ?? NONE;
    if (before === NONE) this.#firsts[count] = behind;
    else this.#behind[before] = behind;
    if (behind === NONE) this.#lasts[count] = before;
    else this.#before[behind] = before;
  }
}

/** The rules that are compared. */
export const RULES = ['leastconn', 'hash', 'hash, weight 16'] as const;
export type Rule = (typeof RULES)[number];

/** A balancer of a rule with its slots closed. */
export function newBalancer(rule: Rule, slots: number, random: Random): Balancer {
  if (rule === 'leastconn') return new LeastConnections(slots);
  const weight = rule === 'hash' ? 1 : 16;
  return new HashRing(slots, POINTS_OF_WEIGHT_1 * weight, random.bits());
}
