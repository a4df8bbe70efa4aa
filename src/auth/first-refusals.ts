/** Remembers which origins and hosts were refused, so that each of them is logged once and a page cannot fill the log. Knows no log. */

/** An operator reads the first few; more than this is a page that makes them up. */
const MAX_REMEMBERED = 64;
/** Longest part of a header that is kept; a host name has at most 253 characters. */
const MAX_CHARACTERS = 300;

/** A refused header. */
export interface RefusedHeader {
  readonly header: 'origin' | 'host';
  /** As received, cut to 300 characters. */
  readonly value: string;
}

/** What was refused by one server. */
export class FirstRefusals {
  readonly #seen = new Set<string>();

  /** @returns the header to log when it is refused for the first time; undefined otherwise, and after 64 different ones */
  note(header: RefusedHeader['header'], received: string | undefined): RefusedHeader | undefined {
    const value = (received ?? '').slice(0, MAX_CHARACTERS);
    const key = `${header} ${value}`;
    if (this.#seen.size >= MAX_REMEMBERED || this.#seen.has(key)) return undefined;
    this.#seen.add(key);
    return { header, value };
  }
}
