/**
 * Leaves well: the one way in which a running service ends. Owns the timeline of PROTOCOL "Drain"; knows no signal and no listener.
 *
 *     signal ─ leaving ─ drainDelay ─ draining: idle connections 1001, busy ones after their last reply ─► nothing left ─► done
 *                                        └─ drainTimeout ─ SIGTERM ─ killGrace ─ SIGKILL ─ replies, 1012 ─ flushing ─► done
 */

import type { CommandTable } from '../commands/table.js';
import type { Config } from '../config/config.js';
import type { Log } from '../log.js';
import { closeCodes } from '../protocol/close-codes.js';
import { FlushLimit } from '../rpc/flush-limit.js';
import type { Session } from '../session/session.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { DrainObservation, Telemetry } from '../telemetry/telemetry.js';
import type { Lifecycle } from './lifecycle.js';

/** How often connections are looked at: a peer's reading makes no event of its own. */
const LOOK_EVERY_MS = 20;
/** Within this a client that connects during the drain, which only one with a known key can, says to what it comes back. */
const COME_BACK_MS = 5000;

export interface DrainOptions {
  readonly config: Pick<Config, 'drainDelayMs' | 'drainTimeoutMs' | 'killGraceMs'>;
  readonly lifecycle: Lifecycle;
  readonly sessions: Pick<SessionRegistry, 'size' | 'all' | 'broadcast'>;
  readonly commands: Pick<CommandTable, 'running' | 'terminateAll'>;
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
    await sleep(drainDelayMs);
    const outcome = await this.#drain(observation);
    const durationMs = Math.round(performance.now() - startedAtMs);
    log.info({ durationMs, ...outcome }, 'left');
    observation.ended();
  }

  async #drain(observation: DrainObservation): Promise<Outcome> {
    const { lifecycle, sessions, commands, log, config } = this.#options;
    lifecycle.advance('draining');
    observation.draining();
    const deadlineAtMs = performance.now() + config.drainTimeoutMs;
    sessions.broadcast('server/draining', { deadlineMs: config.drainTimeoutMs });
    const before = commands.running;
    await this.#untilFinished(deadlineAtMs);
    const killed = commands.running;
    const finished = before - killed;
    if (sessions.size === 0 && killed === 0) return { finished, killed, cut: 0 };

    log.warn({ connections: sessions.size, commands: killed }, 'drain deadline passed');
    commands.terminateAll(config.killGraceMs);
    const graceEndsAtMs = performance.now() + config.killGraceMs;
    const cut = await this.#untilFlushed(graceEndsAtMs);
    // Commands that nobody is attached to have their grace, too.
    while (commands.running > 0 && performance.now() < graceEndsAtMs) await sleep(LOOK_EVERY_MS);
    return { finished, killed, cut };
  }

  /**
   * Closes every connection behind its last reply, which it may take as slowly as it likes. Who comes back to a command while that goes on has
   * some time to say so. @returns when no connection and no command is left, or at the deadline
   */
  async #untilFinished(deadlineAtMs: number): Promise<void> {
    const { sessions, commands } = this.#options;
    const before = new Set(sessions.all());
    const cameAtMs = new Map<Session, number>();
    for (;;) {
      for (const session of sessions.all()) {
        const { connection } = session;
        if (!before.has(session)) {
          const nowMs = performance.now();
          const sinceMs = cameAtMs.get(session) ?? nowMs;
          cameAtMs.set(session, sinceMs);
          if (nowMs - sinceMs < COME_BACK_MS) continue;
        }
        if (connection.inFlight > 0 || connection.outbox.pendingBytes > 0) continue;
        connection.close(closeCodes.goingAway, 'server going away');
      }
      const leftMs = deadlineAtMs - performance.now();
      if ((sessions.size === 0 && commands.running === 0) || leftMs <= 0) return;
      await sleep(Math.min(LOOK_EVERY_MS, leftMs));
    }
  }

  /**
   * Closes every connection that has its last reply in its queue, and cuts those that do not take theirs.
   * @param graceEndsAtMs until then nobody is cut: commands are still ending
   * @returns how many were cut
   */
  async #untilFlushed(graceEndsAtMs: number): Promise<number> {
    const { sessions } = this.#options;
    const limits = new Map<Session, FlushLimit>();
    const cut = new Set<Session>();
    for (;;) {
      for (const session of [...sessions.all()]) {
        const { connection } = session;
        if (connection.inFlight === 0) connection.close(closeCodes.serviceRestart, 'drain deadline passed');
        if (performance.now() < graceEndsAtMs || cut.has(session)) continue;
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
}

function sleep(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
