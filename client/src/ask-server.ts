/** Sends one request that is no command to the present server, and sends it again if the server certainly did nothing. Knows no method. */
import { backOffMs } from './back-off.js';
import { askedDelayMs, isCertainlyUndone, isDraining, isRefusedForNow, unknownBy } from './command-fate.js';
import { messageOf } from './errors.js';
import type { LinkSet } from './link-set.js';
import { sleep } from './platform.js';
import { UnknownOutcomeError } from './result.js';
import { ConnectionEnded } from './rpc-connection.js';
import type { Session } from './session.js';

/** How a request may be sent again. */
export interface AskOptions {
  /** Whether the request may be done twice; it is then sent again after any break of the connection. */
  readonly isRepeatable?: boolean;
  /** Key of a detachable command: the request goes to its server. Default: to the server that takes new work. */
  readonly key?: string | undefined;
}

/**
 * @param ask sends the request on a session
 * @throws {RpcError} the refusal
 * @throws {UnknownOutcomeError} no server in time, or no valid answer
 */
export async function askServer<T>(
  links: LinkSet,
  ask: (session: Session) => Promise<T>,
  options: AskOptions = {},
): Promise<T> {
  const { clock, random } = links.platform;
  const startedAt = clock.now();
  for (let attempt = 0; ; attempt += 1) {
    const link = options.key === undefined ? links.linkForWork() : links.linkOf(options.key);
    const session = await link.session().catch((cause) => {
      throw new UnknownOutcomeError(`The request was not sent: ${messageOf(cause)}`, { wasSent: false, cause });
    });
    try {
      return await ask(session);
    } catch (error) {
      const isLate = clock.now() - startedAt >= links.retryMaxMs;
      if (error instanceof ConnectionEnded) {
        const wasNotDone = isCertainlyUndone(error, session);
        if (wasNotDone) link.retire();
        if (!isLate && (wasNotDone || options.isRepeatable)) continue;
        throw new UnknownOutcomeError(unknownBy(error).message, { cause: error });
      }
      if (isLate || !isRefusedForNow(error)) throw error;
      if (isDraining(error)) link.retire();
      await sleep(clock, backOffMs(attempt, random, askedDelayMs(error)));
    }
  }
}
