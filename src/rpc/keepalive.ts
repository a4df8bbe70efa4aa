/**
 * Watches connections for signs of life: pings them, and ends those that are dead or make no progress. Knows no session.
 *
 * A peer that does not read answers no ping, because the ping waits behind its output. So silence means death only if nothing was sent since the last
 * sign of life. If something was sent, the limit for output without progress holds where it is longer. A peer whose output is pending is not asked, so its
 * silence counts only from the end of that.
 * @see PROTOCOL "Finer points"
 */
import { closeCodes } from '../protocol/close-codes.js';
import type { Connection } from './connection.js';
import { ServedTime } from './served-time.js';

export interface KeepaliveOptions {
  /** Milliseconds between two pings; 0 for none. */
  readonly pingIntervalMs: number;
  /** Milliseconds for which pending output, or an incomplete message, may make no progress; 0 for no limit. */
  readonly stallTimeoutMs: number;
}

/** Silent intervals after which a peer counts as gone. */
const SILENT_INTERVALS = 2;
const LOOKS_PER_LIMIT = 4;
/** Without any limit the timer still looks this often, so that time is counted. */
const MAX_LIMIT_MS = 300_000;
/** A message that grows by fewer bytes a second does not count as arriving. Any link that carries a terminal is faster. */
const SLOWEST_MESSAGE_BYTES_PER_SECOND = 1024;

interface Watched {
  receivedBytes: number;
  receivedMessages: number;
  /** Bytes received when the last message was complete. Any bytes above these belong to a message that is not complete yet. */
  bytesWhenWhole: number;
  /** Bytes received at {@link arrivingAtMs}. */
  bytesWhenArriving: number;
  progressBytes: number;
  /** When something last came in, and how many bytes had certainly been sent before that. */
  heardAtMs: number;
  sentWhenHeard: number;
  /** Bytes sent by the last look. Later bytes may have been sent after the peer's last sign of life. */
  sentAtLook: number;
  /** When a message was last arriving: a whole message or a ping came in, no message was incomplete, or the incomplete one had grown fast enough. */
  arrivingAtMs: number;
  /** When pending output last moved, or none was pending. */
  movedAtMs: number;
  /** When output was last pending: behind it no ping is sent, so silence up to then says nothing. */
  pendingAtMs: number;
  pingedAtMs: number;
}

/** One timer for all connections: ten thousand timers would cost more than the connections they watch. */
export class Keepalive {
  readonly #options: KeepaliveOptions;
  readonly #watched = new Map<Connection, Watched>();
  readonly #time: ServedTime;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeepaliveOptions) {
    this.#options = options;
    this.#time = new ServedTime(this.#intervalMs());
  }

  add(connection: Connection): void {
    // The time before the first connection counts for nothing.
    if (this.#timer === undefined) this.#time.look();
    const { nowMs } = this.#time;
    this.#watched.set(connection, {
      receivedBytes: connection.transport.receivedBytes,
      receivedMessages: 0,
      bytesWhenWhole: connection.transport.receivedBytes,
      bytesWhenArriving: connection.transport.receivedBytes,
      arrivingAtMs: nowMs,
      progressBytes: 0,
      heardAtMs: nowMs,
      sentWhenHeard: 0,
      sentAtLook: 0,
      movedAtMs: nowMs,
      pendingAtMs: nowMs,
      pingedAtMs: nowMs,
    });
    this.#timer ??= setInterval(() => this.#look(), this.#intervalMs()).unref();
  }

  remove(connection: Connection): void {
    this.#watched.delete(connection);
    if (this.#watched.size === 0) this.close();
  }

  /** Stops watching all connections. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#watched.clear();
  }

  /** A quarter of the shortest limit, so that each limit is noticed in time. */
  #intervalMs(): number {
    const limits = [this.#options.pingIntervalMs, this.#options.stallTimeoutMs].filter((ms) => ms > 0);
    return Math.max(1, Math.min(MAX_LIMIT_MS, ...limits) / LOOKS_PER_LIMIT);
  }

  #look(): void {
    const nowMs = this.#time.look();
    for (const [connection, seen] of this.#watched) this.#lookAt(connection, seen, nowMs);
  }

  #lookAt(connection: Connection, seen: Watched, nowMs: number): void {
    if (!connection.isOpen) return;
    const { pingIntervalMs } = this.#options;
    const stallTimeoutMs = this.#options.stallTimeoutMs || Number.POSITIVE_INFINITY;
    const { receivedBytes, receivedMessages, sentBytes } = connection.transport;
    const { progressBytes, pendingBytes } = connection.outbox;
    if (receivedMessages !== seen.receivedMessages || receivedBytes === seen.bytesWhenWhole) {
      seen.receivedMessages = receivedMessages;
      seen.bytesWhenWhole = receivedBytes;
      seen.bytesWhenArriving = receivedBytes;
      seen.arrivingAtMs = nowMs;
    } else if (nowMs - seen.arrivingAtMs >= stallTimeoutMs) {
      const bytesPerSecond = ((receivedBytes - seen.bytesWhenArriving) * 1000) / (nowMs - seen.arrivingAtMs);
      if (bytesPerSecond < SLOWEST_MESSAGE_BYTES_PER_SECOND) {
        connection.close(closeCodes.policyViolation, 'a message takes too long to arrive');
        return;
      }
      seen.bytesWhenArriving = receivedBytes;
      seen.arrivingAtMs = nowMs;
    }
    if (receivedBytes !== seen.receivedBytes) {
      seen.receivedBytes = receivedBytes;
      seen.heardAtMs = nowMs;
      seen.sentWhenHeard = seen.sentAtLook;
    }
    seen.sentAtLook = sentBytes;
    // Greater, not just different: an answer to the peer's ping also waits here, and counts as pending although it is not among the bytes sent.
    if (progressBytes > seen.progressBytes || pendingBytes === 0) {
      seen.progressBytes = progressBytes;
      seen.movedAtMs = nowMs;
    }
    if (nowMs - seen.movedAtMs >= stallTimeoutMs) {
      connection.close(closeCodes.policyViolation, 'output is not being read');
      return;
    }
    // Standard input answers no ping, and the kernel reports its end.
    if (pingIntervalMs === 0 || connection.transport.kind === 'stdio') return;
    // Behind pending output a ping would ask nothing, and wait as long.
    if (pendingBytes > 0) {
      seen.pendingAtMs = nowMs;
      return;
    }
    const patienceMs = SILENT_INTERVALS * pingIntervalMs;
    const limitMs = sentBytes === seen.sentWhenHeard ? patienceMs : Math.max(patienceMs, stallTimeoutMs);
    if (nowMs - Math.max(seen.heardAtMs, seen.pendingAtMs) > limitMs) connection.transport.abort();
    else if (nowMs - seen.pingedAtMs >= pingIntervalMs) {
      seen.pingedAtMs = nowMs;
      connection.transport.ping();
    }
  }
}
