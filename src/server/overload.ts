/**
 * Knows when the service is full: the bounds that were added to it, its descriptors and its event loop. Callers ask it before a start or an upgrade,
 * and `/readyz` turns 503 while the service is overloaded. Knows no connection and no command.
 */
import type { Log } from '../log.js';
import { countOpenDescriptors, descriptorLimit } from '../process/open-descriptors.js';
import { EventLoopDelay } from './event-loop-delay.js';

/** Descriptors kept free for logs, the server's files, probes, and sockets that wait for their refusal. */
const SPARE_DESCRIPTORS = 128;
/** Of a small limit, this part is kept free instead. */
const SPARE_PART = 1 / 4;
/** Within this part of the spare descriptors a new socket is refused at once, because at the limit itself libuv closes sockets without an answer. */
const LAST_PART = 1 / 2;
/** The most descriptors that a command takes while it starts: three pipes with two ends each, and four for the spawn itself. */
export const DESCRIPTORS_PER_COMMAND = 10;
/** A connection needs no further descriptor: its socket is already counted when the question is asked. */
export const DESCRIPTORS_PER_CONNECTION = 0;
/**
 * Counting reads a directory with an entry per descriptor, so it is done at most this often. Between two counts, new starts and sockets are added. Those
 * that end are not taken off: a socket tells its end after its descriptor is closed, so a count between the two would be lowered twice.
 */
const COUNT_EVERY_MS = 100;
/** The sum is too high when commands and sockets end as fast as they start. So descriptors are counted again before a refusal, at most this often. */
const RECOUNT_EVERY_MS = 10;
/** Overload ends when every load is below this part of its bound. */
const RECOVERED_AT = 0.9;

export interface OverloadOptions {
  /** Milliseconds by which the event loop may be late; 0 for no limit. */
  readonly maxEventLoopDelayMs: number;
  readonly log: Log;
  /** Most descriptors of this process. Default: its own limit. */
  readonly descriptorLimit?: number;
  /** Open descriptors of this process; undefined when they cannot be counted. Default: counts them in /proc. */
  readonly countDescriptors?: () => number | undefined;
  readonly loopDelay?: Pick<EventLoopDelay, 'maxMs' | 'start' | 'stop'>;
  /** Milliseconds on a clock that does not jump. Default: that of this process. */
  readonly nowMs?: () => number;
}

/** Tells whether the machine and the bounds of one service still have room. */
export class Overload {
  readonly loopDelay: Pick<EventLoopDelay, 'maxMs' | 'start' | 'stop'>;
  readonly #options: OverloadOptions;
  readonly #countDescriptors: () => number | undefined;
  readonly #nowMs: () => number;
  readonly #limit: number;
  readonly #spare: number;
  readonly #last: number;
  readonly #loads: Array<() => number> = [];
  readonly #expected: Array<() => number> = [];
  #open = 0;
  #countedAtMs = Number.NEGATIVE_INFINITY;
  #isOverloaded = false;
  #isShort = false;

  constructor(options: OverloadOptions) {
    this.#options = options;
    this.loopDelay = options.loopDelay ?? new EventLoopDelay();
    this.#countDescriptors = options.countDescriptors ?? countOpenDescriptors;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#limit = options.descriptorLimit ?? descriptorLimit() ?? Number.POSITIVE_INFINITY;
    this.#spare = Math.min(SPARE_DESCRIPTORS, Math.floor(this.#limit * SPARE_PART));
    this.#last = Math.floor(this.#spare * LAST_PART);
  }

  start(): void {
    this.loopDelay.start();
  }

  stop(): void {
    this.loopDelay.stop();
  }

  /** Adds a bound. @param load the part of it that is taken; 1 when it is reached */
  addLoad(load: () => number): void {
    this.#loads.push(load);
  }

  /** Adds descriptors that will be taken soon and are not open yet. @param descriptors how many */
  addExpected(descriptors: () => number): void {
    this.#expected.push(descriptors);
  }

  /** Asks for so many descriptors. @returns the name of the bound that is reached; undefined when there is room, and then they count as taken */
  shortage(descriptors: number): string | undefined {
    const isFree = this.#hasRoom(descriptors, this.#spare);
    if (isFree) this.#open += descriptors;
    this.#tell(!isFree);
    return isFree ? undefined : 'descriptors';
  }

  /** Counts an accepted socket. @returns false when too few descriptors are left even for a socket that waits for its refusal */
  takeSocket(): boolean {
    this.#open += 1;
    const isFree = this.#hasRoom(0, this.#last);
    if (!isFree) this.#tell(true);
    return isFree;
  }

  /** Whether new clients should go elsewhere. Overload ends only below {@link RECOVERED_AT}, so that a probe does not flap. */
  get isOverloaded(): boolean {
    const load = this.#load();
    if (this.#isOverloaded ? load < RECOVERED_AT : load >= 1) {
      this.#isOverloaded = !this.#isOverloaded;
      const state = { loopDelayMs: Math.round(this.loopDelay.maxMs), open: this.#open, limit: this.#limit };
      this.#options.log.warn(state, this.#isOverloaded ? 'overloaded' : 'no longer overloaded');
    }
    return this.#isOverloaded;
  }

  /** The highest load: the part of a bound that is taken. */
  #load(): number {
    this.#hasRoom(DESCRIPTORS_PER_COMMAND, this.#spare);
    const descriptors = (this.#open + DESCRIPTORS_PER_COMMAND) / (this.#limit - this.#spare);
    const { maxEventLoopDelayMs } = this.#options;
    const delay = maxEventLoopDelayMs === 0 ? 0 : this.loopDelay.maxMs / maxEventLoopDelayMs;
    return Math.max(descriptors, delay, ...this.#loads.map((load) => load()));
  }

  /** Counts as often as the answer needs it. */
  #hasRoom(descriptors: number, reserve: number): boolean {
    this.#count(COUNT_EVERY_MS);
    if (this.#open + descriptors + reserve >= this.#limit) this.#count(RECOUNT_EVERY_MS);
    return this.#open + descriptors + reserve < this.#limit;
  }

  #count(notWithinMs: number): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#countedAtMs < notWithinMs) return;
    this.#countedAtMs = nowMs;
    const counted = this.#countDescriptors();
    // Counting takes a descriptor itself. When there is none, the last count stays.
    if (counted === undefined) return;
    this.#open = this.#expected.reduce((sum, descriptors) => sum + descriptors(), counted);
  }

  /** Logs once each time the shortage begins. */
  #tell(isShort: boolean): void {
    if (isShort && !this.#isShort) {
      const state = { open: this.#open, limit: this.#limit };
      this.#options.log.warn(state, 'out of descriptors: new connections and commands are refused');
    }
    this.#isShort = isShort;
  }
}
