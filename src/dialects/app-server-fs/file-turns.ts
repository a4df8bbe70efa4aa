/**
 * Lets few operations on files go on at a time: a client with a thousand listings at once takes neither the memory nor the time of the others, and
 * operations whose file system does not answer hold a part of the threads at the most. Knows no operation.
 */
import type { Session } from '../../session/session.js';

/** Operations at a time, of all clients. Each holds one thread of the pool now and then, or for ever on a file system that does not answer. */
export interface FilePlaces {
  /** Those that are over soon: one file or name each. */
  readonly quick: number;
  /** Listings and walks: one of a full folder takes some 30 MB. */
  readonly listings: number;
  /** Copies and removals of trees. */
  readonly changes: number;
}

/** Quick operations of one client at a time, so that one alone cannot hold all places. */
const QUICK_OF_ONE_CLIENT = 2;

/** What is left of a pool of threads when starts have their half of it, and others a few. */
export function filePlaces(poolThreads: number): FilePlaces {
  const eighth = Math.max(1, Math.floor(poolThreads / 8));
  return { quick: Math.max(1, Math.floor(poolThreads / 6)), listings: eighth, changes: eighth };
}

/** Stands for a client: its session or its socket. */
type Client = object;

/** Whether anybody still waits for what is read. */
export function isThere({ connection }: Session): () => boolean {
  return () => connection.isOpen;
}

export class FileTurns {
  readonly #quick: Lane;
  readonly #listings: Lane;
  readonly #changes: Lane;
  readonly #quickOf = new WeakMap<Client, Lane>();
  /** Long operations of one client, one after the other. */
  readonly #longOf = new WeakMap<Client, Lane>();

  constructor({ quick, listings, changes }: FilePlaces) {
    this.#quick = new Lane(quick);
    this.#listings = new Lane(listings);
    this.#changes = new Lane(changes);
  }

  /** Does what is over soon in its turn. */
  quick<T>(client: Client, work: () => Promise<T>): Promise<T> {
    return laneOf(this.#quickOf, client, QUICK_OF_ONE_CLIENT).run(() => this.#quick.run(work));
  }

  /** Makes a handler whose work is over soon do it in its turn. */
  quickly<P>(handle: (params: P, session: Session) => Promise<unknown>) {
    return (params: P, session: Session): Promise<unknown> => this.quick(session, () => handle(params, session));
  }

  /** Lists in its turn. @param isWanted asked when it is its turn: nothing is listed for a client that has left */
  listing<T>(client: Client, isWanted: () => boolean, list: () => Promise<T>): Promise<T | undefined> {
    const listIfWanted = async (): Promise<T | undefined> => (isWanted() ? list() : undefined);
    return laneOf(this.#longOf, client, 1).run(() => this.#listings.run(listIfWanted));
  }

  /** Copies or removes in its turn. What a client asked for before it left is done. */
  changing<T>(client: Client, change: () => Promise<T>): Promise<T> {
    return laneOf(this.#longOf, client, 1).run(() => this.#changes.run(change));
  }
}

function laneOf(lanes: WeakMap<Client, Lane>, client: Client, places: number): Lane {
  let lane = lanes.get(client);
  if (lane === undefined) {
    lane = new Lane(places);
    lanes.set(client, lane);
  }
  return lane;
}

/** Work in the order in which it came, so much at a time. */
class Lane {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(places: number) {
    this.#free = places;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
