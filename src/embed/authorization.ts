/** Asks the embedding program whether a request is let in, and makes an answer of everything that can come back. Knows no socket and no path. */
import type { IncomingMessage } from 'node:http';

/** The program's decision. */
export type Authorize = (request: IncomingMessage) => boolean | Promise<boolean>;

/** The part of the program's log that is used here. */
export interface AuthorizationLog {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** The decisions of one plugin. */
export class Authorization {
  readonly #authorize: Authorize | undefined;
  readonly #log: AuthorizationLog;
  #hasWarned = false;

  /** @param authorize undefined: everybody is let in, because the server itself checks a credential */
  constructor(authorize: Authorize | undefined, log: AuthorizationLog) {
    this.#authorize = authorize;
    this.#log = log;
  }

  /** The status that a request is refused with: 401 unless the answer is `true`, 500 when the function fails; undefined if the request is let in. */
  async refusal(request: IncomingMessage): Promise<401 | 500 | undefined> {
    if (this.#authorize === undefined) return undefined;
    let answer: unknown;
    try {
      answer = await this.#authorize(request);
    } catch (error) {
      this.#log.error({ err: error }, 'execwire: `authorize` failed; the request was answered with 500');
      return 500;
    }
    if (answer === true) return undefined;
    // An object or a number may stand for anything, so nothing but `true` lets a client in that can then run commands.
    if (answer !== false && !this.#hasWarned) {
      this.#hasWarned = true;
      this.#log.warn(
        { type: typeof answer },
        'execwire: `authorize` returned no boolean; only `true` lets a client in',
      );
    }
    return 401;
  }
}
