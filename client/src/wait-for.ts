/** Waits until output shows a pattern, or falls silent. Knows no command and no wire. */
import { newDecoder } from './capture.js';
import type { Cancel, Clock } from './platform.js';

/** Characters of output that are searched; older ones are forgotten. */
const SEARCHED_CHARACTERS = 1024 * 1024;

/**
 * What to wait for: a text, a pattern, or silence of so many milliseconds.
 *
 * @example
 * import type { Expectation } from 'execwire-client';
 * const prompt: Expectation = /name\? $/;
 * const run = box.exec(['sh', '-c', 'printf "name? "; read name; echo "hello $name"'], { stdin: 'pipe' });
 * await run.waitFor(prompt);
 * await run.write('Ada\n');
 * console.log((await run.waitFor('hello Ada')).match); // hello Ada
 */
export type Expectation = string | RegExp | { readonly idle: number };

/**
 * What was met.
 *
 * @example
 * import type { Met } from 'execwire-client';
 * const run = box.exec(['echo', 'ready on port 8080']);
 * const { match, groups, before }: Met = await run.waitFor(/port (\d+)/);
 * console.log(match, groups[0], [before]); // port 8080 8080 [ 'ready on ' ]
 */
export interface Met {
  /** The text that matched; empty for silence. */
  readonly match: string;
  /** Groups of the pattern. */
  readonly groups: readonly (string | undefined)[];
  /** Output before the match that no earlier wait has passed. */
  readonly before: string;
}

/** Why waiting ended without a match. */
export type NotMet = 'ended' | 'timeout';

interface Waiting {
  readonly expectation: Expectation;
  readonly resolve: (met: Met | NotMet) => void;
}

/** The output that no wait has passed yet. Each wait begins after the match of the last one. */
export class Expecter {
  readonly #clock: Clock;
  readonly #decoder = newDecoder();
  #text = '';
  #hasEnded = false;
  #waiting: Waiting | undefined;
  #cancelIdle: Cancel = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  push(bytes: Uint8Array): void {
    this.#text = (this.#text + this.#decoder.decode(bytes, { stream: true })).slice(-SEARCHED_CHARACTERS);
    this.#look();
  }

  end(): void {
    this.#hasEnded = true;
    this.#look();
    this.#settle('ended');
  }

  /** The last characters that no wait has passed. */
  rest(characters: number): string {
    return this.#text.slice(-characters);
  }

  /**
   * Waits for one thing at a time.
   * @throws {Error} while another wait is under way
   */
  async wait(expectation: Expectation, timeoutMs: number): Promise<Met | NotMet> {
    if (this.#waiting !== undefined) throw new Error('Another waitFor is waiting');
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeoutMs, () => this.#settle('timeout'));
      this.#waiting = {
        expectation,
        resolve(met) {
          cancel();
          resolve(met);
        },
      };
      this.#look();
      if (this.#hasEnded) this.#settle('ended');
    });
  }

  #look(): void {
    const expectation = this.#waiting?.expectation;
    if (expectation === undefined) return;
    if (typeof expectation === 'object' && 'idle' in expectation) {
      this.#cancelIdle();
      this.#cancelIdle = this.#clock.after(expectation.idle, () => this.#meet('', [], this.#text.length));
      return;
    }
    const found =
      typeof expectation === 'string'
        ? Object.assign([expectation], { index: this.#text.indexOf(expectation) })
        : // Without these flags a pattern keeps a position of its own from one text to the next.
          new RegExp(expectation.source, expectation.flags.replace(/[gy]/g, '')).exec(this.#text);
    if (found !== null && found.index >= 0) this.#meet(found[0] ?? '', found.slice(1), found.index);
  }

  #meet(match: string, groups: readonly (string | undefined)[], at: number): void {
    const before = this.#text.slice(0, at);
    this.#text = this.#text.slice(at + match.length);
    this.#settle({ match, groups, before });
  }

  #settle(met: Met | NotMet): void {
    this.#cancelIdle();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(met);
  }
}
