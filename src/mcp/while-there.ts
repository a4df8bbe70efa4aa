/** Work that needs the connection to the server: it is not begun while the connection is away, and not waited for when that stays away. Knows no tool. */
import type { ConnectionNews } from './connection-news.js';
import { ToolError } from './tool-error.js';

/** Milliseconds that a call waits for a connection to come back: a server that restarts is back by then, and agents give a call up after 60 s. */
const AWAY_LIMIT_MS = 10_000;

/** Work, and what to say of it when the connection breaks under it. */
export interface ConnectedWork<T> {
  readonly news: Pick<ConnectionNews, 'isAway' | 'isGivenUp' | 'onChange' | 'retried'>;
  /** Connects again where that was given up. */
  readonly reconnect: () => void;
  /** A sentence for an agent: what is known of the work, and what to do. */
  readonly unclear: string;
  readonly work: () => Promise<T>;
  /** Whether it has been sent already. Default false. */
  readonly isBegun?: boolean;
  /** Default {@link AWAY_LIMIT_MS}. */
  readonly limitMs?: number;
}

/** @throws {ToolError} when the connection is away for too long @throws what the work throws */
export async function whileThere<T>(asked: ConnectedWork<T>): Promise<T> {
  const { news, reconnect, unclear, work, isBegun = false, limitMs = AWAY_LIMIT_MS } = asked;
  if (news.isGivenUp) {
    news.retried();
    reconnect();
  }
  if (!isBegun && news.isAway && !(await isBackWithin(news, limitMs))) {
    throw new ToolError(
      'Nothing was sent: the connection to the server is away. Try again when list says that it is back.',
    );
  }
  const away = new AwayLimit(news, limitMs, new ToolError(unclear));
  try {
    return await Promise.race([work(), away.reached]);
  } finally {
    away.stop();
  }
}

async function isBackWithin(news: ConnectedWork<unknown>['news'], limitMs: number): Promise<boolean> {
  const away = new AwayLimit(news, limitMs, new Error('away'));
  let remove = (): void => {};
  const back = new Promise<boolean>((resolve) => {
    remove = news.onChange(() => {
      if (!news.isAway) resolve(true);
    });
  });
  const isBack = await Promise.race([back, away.reached.catch(() => false)]);
  remove();
  away.stop();
  return isBack;
}

/** Watches whether a connection is away for too long without a break. */
class AwayLimit {
  /** Never resolves; rejects when it is. */
  readonly reached: Promise<never>;
  readonly #remove: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(news: ConnectedWork<unknown>['news'], limitMs: number, error: Error) {
    let reject: (error: Error) => void = () => {};
    this.reached = new Promise((_, rejected) => {
      reject = rejected;
    });
    // It may be reached when nobody waits any more.
    this.reached.catch(() => {});
    const look = (): void => {
      if (news.isAway) this.#timer ??= setTimeout(reject, limitMs, error);
      else this.#clear();
    };
    this.#remove = news.onChange(look);
    look();
  }

  stop(): void {
    this.#remove();
    this.#clear();
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
