/**
 * The one way in which a running service ends in good order. Owns the timeline of PROTOCOL "Drain"; knows no signal and no listener.
 *
 *     signal ─ leaving ─ drainDelay ─ draining: idle connections 1001, busy ones after their last reply ─► nothing left ─► done
 *                                        └─ drainTimeout ─ SIGTERM ─ killGrace ─ SIGKILL ─ replies, 1012 ─ flushing ─► done
 */

import type { CommandTable } from '../commands/table.js';
import type { Config } from '../config/config.js';
import type { Log } from '../log.js';
import { closeCodes } from '../protocol/close-codes.js';
import type { Connection } from '../rpc/connection.js';
import { FlushLimit } from '../rpc/flush-limit.js';
import { ServedTime } from '../rpc/served-time.js';
import type { Session } from '../session/session.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { DrainObservation, Telemetry } from '../telemetry/telemetry.js';
import type { Lifecycle } from './lifecycle.js';

/** How often connections are looked at, because no event tells that a peer has read. */
const LOOK_EVERY_MS = 20;
/**
 * A client may still connect during the drain when it names a key of a command that runs, or when a session of the exec-server protocol waits for it. It
 * has this long to attach to the command or come back to the session; then its connection counts as idle. A client that is away when its command ends has
 * as long to come for what it missed.
 */
const COME_BACK_MS = 5000;
/**
 * A client of the exec-server protocol starts its next process right after the last one. Its connection is closed only when it has sent nothing for so
 * long: a start that crosses the Close would fail, and it gets no answer that would tell its client to try elsewhere.
 */
const QUIET_MS = 500;
/**
 * A look that comes later than twice this shows that the process stood still (SIGSTOP, a paused container), and that time is not counted.
 * On a busy machine a look is late, too, but not by a second.
 */
const LATEST_LOOK_MS = 1000;

export interface DrainOptions {
  readonly config: Pick<Config, 'drainDelayMs' | 'drainTimeoutMs' | 'killGraceMs'>;
  readonly lifecycle: Lifecycle;
  readonly sessions: Pick<SessionRegistry, 'size' | 'all' | 'broadcast'>;
  readonly commands: Pick<CommandTable, 'running' | 'terminateAll'>;
  /** Files on their way; the deadline cuts them. */
  readonly transfers: { readonly count: number };
  /** Clients whose connection broke while something of theirs ran. */
  readonly absent: { readonly awaitsAnyone: boolean };
  readonly telemetry: Pick<Telemetry, 'drain'>;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

/** What became of the commands and connections of a drain. */
interface Outcome {
  /** Commands that ended by themselves. */
  finished: number;
  /** Commands that were ended at the deadline. */
  killed: number;
  /** Connections that were broken off with unsent output. */
  cut: number;
}

/** Drains one service once. */
export class Drain {
  readonly #options: DrainOptions;
  readonly #time = new ServedTime(LATEST_LOOK_MS);
  #done: Promise<void> | undefined;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** Drains once, however often it is called; resolves when no connection is left. */
  run(): Promise<void> {
    this.#done ??= this.#run();
    return this.#done;
  }

  async #run(): Promise<void> {
    const { lifecycle, sessions, commands, log, config, telemetry } = this.#options;
    const startedAtMs = performance.now();
    const observation = telemetry.drain(sessions.size, commands.running);
    lifecycle.advance('leaving');
    const { drainDelayMs } = config;
    log.info({ drainDelayMs, connections: sessions.size, commands: commands.running }, 'leaving');
    await this.#wait(drainDelayMs);
    const outcome = await this.#drain(observation);
    const durationMs = Math.round(performance.now() - startedAtMs);
    log.info({ durationMs, ...outcome }, 'left');
    observation.ended();
  }

  async #drain(observation: DrainObservation): Promise<Outcome> {
    const { lifecycle, sessions, commands, log, config } = this.#options;
    lifecycle.advance('draining');
    observation.draining();
    const deadlineAtMs = this.#time.look() + config.drainTimeoutMs;
    sessions.broadcast('server/draining', { deadlineMs: config.drainTimeoutMs });
    const before = commands.running;
    await this.#untilFinished(deadlineAtMs);
    const killed = commands.running;
    const finished = before - killed;
    if (sessions.size === 0 && killed === 0) return { finished, killed, cut: 0 };

    log.warn({ connections: sessions.size, commands: killed }, 'drain deadline passed');
    commands.terminateAll(config.killGraceMs);
    const graceEndsAtMs = this.#time.look() + config.killGraceMs;
    const cut = await this.#untilFlushed(graceEndsAtMs);
    // Commands with nobody attached get their grace, too.
    while (commands.running > 0 && this.#time.look() < graceEndsAtMs) await sleep(LOOK_EVERY_MS);
    return { finished, killed, cut };
  }

  /**
   * Closes every connection after its last reply; a slow reader has until the deadline. A client that connects meanwhile has
   * {@link COME_BACK_MS} to attach to its command.
   * @returns when no connection, no command and no transfer is left, and no client is awaited any more, or at the deadline
   */
  async #untilFinished(deadlineAtMs: number): Promise<void> {
    const { sessions, commands, transfers, absent } = this.#options;
    let idleSinceMs = Number.POSITIVE_INFINITY;
    const before = new Set(sessions.all());
    const cameAtMs = new Map<Session, number>();
    const quiet = new QuietSince();
    for (;;) {
      const nowMs = this.#time.look();
      for (const session of sessions.all()) {
        const { connection } = session;
        if (!before.has(session)) {
          const sinceMs = cameAtMs.get(session) ?? nowMs;
          cameAtMs.set(session, sinceMs);
          if (nowMs - sinceMs < COME_BACK_MS) continue;
        }
        if (connection.inFlight > 0 || connection.outbox.pendingBytes > 0) continue;
        if (session.agreement?.dialect === 'exec-server' && quiet.lookAt(connection, nowMs) < QUIET_MS) continue;
        connection.close(closeCodes.goingAway, 'server going away');
      }
      const leftMs = deadlineAtMs - nowMs;
      const isIdle = sessions.size === 0 && commands.running === 0 && transfers.count === 0;
      idleSinceMs = isIdle ? Math.min(idleSinceMs, nowMs) : Number.POSITIVE_INFINITY;
      const isDone = isIdle && (!absent.awaitsAnyone || nowMs - idleSinceMs >= COME_BACK_MS);
      if (isDone || leftMs <= 0) return;
      await sleep(Math.min(LOOK_EVERY_MS, leftMs));
    }
  }

  /**
   * Closes every connection whose last reply is queued, and cuts connections whose peers do not read.
   * @param graceEndsAtMs until then no connection is cut, because commands are still ending
   * @returns how many were cut
   */
  async #untilFlushed(graceEndsAtMs: number): Promise<number> {
    const { sessions } = this.#options;
    const limits = new Map<Session, FlushLimit>();
    const cut = new Set<Session>();
    for (;;) {
      const nowMs = this.#time.look();
      for (const session of [...sessions.all()]) {
        const { connection } = session;
        if (connection.inFlight === 0) connection.close(closeCodes.serviceRestart, 'drain deadline passed');
        if (nowMs < graceEndsAtMs || cut.has(session)) continue;
        const { progressBytes } = connection.outbox;
        const limit = limits.get(session) ?? new FlushLimit(progressBytes);
        limits.set(session, limit);
        if (!limit.isOver(progressBytes)) continue;
        cut.add(session);
        connection.transport.abort();
      }
      if ([...sessions.all()].every((session) => cut.has(session))) return cut.size;
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** Resolves after so many milliseconds in which the process ran. */
  async #wait(ms: number): Promise<void> {
    const endsAtMs = this.#time.look() + ms;
    for (let leftMs = ms; leftMs > 0; leftMs = endsAtMs - this.#time.look())
      await sleep(Math.min(LOOK_EVERY_MS, leftMs));
  }
}

/** For how long connections have sent nothing, as far as it was looked at. */
class QuietSince {
  readonly #looks = new Map<Connection, { readonly messages: number; readonly sinceMs: number }>();

  /** @returns milliseconds */
  lookAt(connection: Connection, nowMs: number): number {
    const { receivedMessages: messages } = connection.transport;
    const last = this.#looks.get(connection);
    if (last?.messages === messages) return nowMs - last.sinceMs;
    this.#looks.set(connection, { messages, sinceMs: nowMs });
    return 0;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
