/**
 * Leaves well: decorates the app with `drain()`, the one way in which a running service ends. Owns the timeline of PROTOCOL "Drain":
 *
 *     signal ─ leaving ─ drainDelay ─ draining: idle connections 1001, busy ones after their last reply ─► nothing left ─► done
 *                                        └─ drainTimeout ─ SIGTERM ─ killGrace ─ SIGKILL ─ replies, 1012 ─ 5 s of flushing ─► done
 */
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import { closeCodes } from '../src/protocol/close-codes.js';
import { CLOSE_TIMEOUT_MS } from '../src/rpc/websocket-transport.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Drains once, however often it is called; resolves when no connection is left. */
    readonly drain: () => Promise<void>;
  }
}

/** How often connections are looked at: a peer's reading makes no event of its own. */
const LOOK_EVERY_MS = 20;

export const drainPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    let draining: Promise<void> | undefined;
    app.decorate('drain', () => {
      draining ??= drain(app, config);
      return draining;
    });
  },
  { name: 'drain', dependencies: ['lifecycle', 'sessions', 'rpc', 'exec'] },
);

async function drain(app: FastifyInstance, config: Config): Promise<void> {
  const { lifecycle, sessions, exec } = app;
  lifecycle.advance('leaving');
  app.log.info({ drainDelayMs: config.drainDelayMs, connections: sessions.size, commands: exec.running }, 'leaving');
  await sleep(config.drainDelayMs);

  lifecycle.advance('draining');
  const deadlineAtMs = performance.now() + config.drainTimeoutMs;
  sessions.broadcast('server/draining', { deadlineMs: config.drainTimeoutMs });
  await untilGone(app, deadlineAtMs, closeCodes.goingAway);
  if (sessions.size === 0) return;

  app.log.warn({ connections: sessions.size, commands: exec.running }, 'drain deadline passed');
  exec.terminateAll(config.killGraceMs);
  const flushedAtMs = performance.now() + config.killGraceMs + CLOSE_TIMEOUT_MS;
  await untilGone(app, flushedAtMs, closeCodes.serviceRestart);
  // Left are those whose command cannot end because they take none of its output.
  for (const session of [...sessions.all()]) session.connection.transport.abort();
}

/**
 * Closes every connection as soon as it has its last reply. Before the drain's deadline it may take that as slowly as it likes; after it
 * the reply is queued in front of the Close, for which a transport has its own limit. @returns when none is left, or at the deadline
 */
async function untilGone(app: FastifyInstance, deadlineAtMs: number, code: number): Promise<void> {
  const isLate = code === closeCodes.serviceRestart;
  const reason = isLate ? 'drain deadline passed' : 'server going away';
  for (;;) {
    for (const { connection } of app.sessions.all()) {
      if (connection.inFlight === 0 && (isLate || connection.outbox.pendingBytes === 0)) connection.close(code, reason);
    }
    if (app.sessions.size === 0 || performance.now() >= deadlineAtMs) return;
    await sleep(Math.min(LOOK_EVERY_MS, Math.max(1, deadlineAtMs - performance.now())));
  }
}

function sleep(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
