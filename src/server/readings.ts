/**
 * Looks up states for the metrics whenever they are asked for: connections, commands, queues, the phase. Events are counted elsewhere. Knows no
 * exporter and no request.
 */
import type { Detachables } from '../commands/detachables.js';
import type { CommandTable } from '../commands/table.js';
import type { Sandboxes } from '../process/sandbox/sandboxes.js';
import type { TotalRequests } from '../rpc/request-budget.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Metrics } from '../telemetry/metric-store.js';
import { type Lifecycle, PHASES } from './lifecycle.js';
import type { Overload } from './overload.js';

const MS_PER_SECOND = 1000;
const TRANSPORTS = ['websocket', 'stdio'];

export interface ReadingsOptions {
  readonly metrics: Metrics;
  readonly lifecycle: Pick<Lifecycle, 'phase'>;
  readonly sessions: Pick<SessionRegistry, 'all'>;
  readonly requests: Pick<TotalRequests, 'inFlight'>;
  readonly commands: Pick<CommandTable, 'running' | 'all'>;
  readonly detachables: Pick<Detachables, 'detachedCount' | 'budget'>;
  readonly overload: Pick<Overload, 'loopDelay'>;
  readonly sandboxes: Pick<Sandboxes, 'figures'>;
}

/** The states of one service. */
export class Readings {
  readonly #options: ReadingsOptions;
  /** What running commands had counted at the last refresh. The totals include it, so only the difference is added. */
  #counted = { outputBytes: 0, stdinBytes: 0, pausedMs: 0 };

  constructor(options: ReadingsOptions) {
    this.#options = options;
  }

  /** Puts the present states into the metrics. */
  refresh(): void {
    const { metrics, lifecycle, requests, commands, detachables, overload } = this.#options;
    for (const phase of PHASES) metrics.phase.set(lifecycle.phase === phase ? 1 : 0, phase);
    metrics.requestsInFlight.set(requests.inFlight);
    metrics.commandsRunning.set(commands.running);
    metrics.commandsDetached.set(detachables.detachedCount);
    metrics.replayBytes.set(detachables.budget.heldBytes);
    metrics.eventLoopDelay.set(overload.loopDelay.maxMs / MS_PER_SECOND);
    this.#lookAtSessions();
    this.#lookAtSandboxes();
    this.#countRunning();
  }

  #lookAtSessions(): void {
    const { metrics, sessions } = this.#options;
    const open = new Map(TRANSPORTS.map((transport) => [transport, 0]));
    let initialized = 0;
    let outboxBytes = 0;
    for (const { connection, initialized: isInitialized } of sessions.all()) {
      const { kind } = connection.transport;
      open.set(kind, (open.get(kind) ?? 0) + 1);
      if (isInitialized) initialized += 1;
      outboxBytes += connection.outbox.pendingBytes;
    }
    for (const [transport, count] of open) metrics.connections.set(count, transport);
    metrics.sessions.set(initialized);
    metrics.outboxBytes.set(outboxBytes);
  }

  #lookAtSandboxes(): void {
    const { metrics, sandboxes } = this.#options;
    const { threads, threadsStarted, startMs, threadsFailed, refused } = sandboxes.figures;
    metrics.sandboxThreads.set(threads);
    metrics.sandboxThreadsStarted.set(threadsStarted);
    metrics.sandboxThreadStartSeconds.set(startMs / MS_PER_SECOND);
    metrics.sandboxThreadsFailed.set(threadsFailed);
    metrics.sandboxRefusals.set(refused);
  }

  #countRunning(): void {
    const { metrics, commands } = this.#options;
    const now = { outputBytes: 0, stdinBytes: 0, pausedMs: 0 };
    for (const { command, outputs, input } of commands.all()) {
      now.outputBytes += outputs.stdout.receivedBytes + outputs.stderr.receivedBytes;
      now.stdinBytes += input?.takenBytes ?? 0;
      now.pausedMs += command.pausedMs;
    }
    metrics.outputBytes.add(now.outputBytes - this.#counted.outputBytes);
    metrics.stdinBytes.add(now.stdinBytes - this.#counted.stdinBytes);
    metrics.pausedSeconds.add((now.pausedMs - this.#counted.pausedMs) / MS_PER_SECOND);
    this.#counted = now;
  }
}
