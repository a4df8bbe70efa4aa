/**
 * What the fleet model takes for given: times and rates that were measured or that the shipped files set, each with its source, and the choices
 * that a reader may make otherwise. `docs/fleet.md` shows all of them.
 */
import { CONNECT_TIMEOUT_MS, HEARTBEAT_MS, RECONNECT_MAX_MS } from '../../client/src/defaults.js';

/** Milliseconds of a second. */
export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** A figure of the page. */
interface Assumption {
  readonly what: string;
  readonly value: number;
  readonly unit: 'ms' | 's' | '/s' | '';
  readonly source: string;
}

/** Measured, or set by files of this project. */
export const measured = {
  handshakesPerSecond: {
    what: 'connections that one replica opens: connect, upgrade, `initialize`, close',
    value: 1_310,
    unit: '/s',
    source: 'measured on 2 cores, [benchmarks](benchmarks.md#connections-per-second) of 2026-11-27',
  },
  maxConnections: {
    what: 'most connections of a replica',
    value: 10_000,
    unit: '',
    source: '`--max-connections`',
  },
  readyMs: {
    what: 'from the start of a replica to its first 200 of `/readyz`, in a container',
    value: 800,
    unit: 'ms',
    source: 'measured with runc: 300 to 800',
  },
  injectMs: {
    what: 'an init container that copies execwire into a volume of the pod, from its start to its end',
    value: 490,
    unit: 'ms',
    source: 'measured',
  },
  checkMs: {
    what: 'between two checks of HAProxy; it takes a replica out at the first 404 of `/ownerz`, and after two checks without an answer',
    value: 500,
    unit: 'ms',
    source: '`deploy/haproxy/haproxy.cfg`',
  },
  preStopMs: {
    what: '`preStop` of the chart',
    value: 5_000,
    unit: 'ms',
    source: '`drain.preStop`',
  },
  drainDelayMs: {
    what: 'from SIGTERM to the notice to all clients',
    value: 5_000,
    unit: 'ms',
    source: '`drain.drainDelay`',
  },
  drainTimeoutMs: {
    what: 'from then to the end of commands that still run',
    value: 90_000,
    unit: 'ms',
    source: '`drain.drainTimeout`',
  },
  connectTimeoutMs: {
    what: 'a client gives up one attempt',
    value: CONNECT_TIMEOUT_MS,
    unit: 'ms',
    source: '`client/src/defaults.ts`',
  },
  reconnectMaxMs: {
    what: 'a client gives up coming back',
    value: RECONNECT_MAX_MS,
    unit: 'ms',
    source: '`client/src/defaults.ts`',
  },
  heartbeatMs: {
    what: 'between heartbeats; a client drops a connection after more than three without one',
    value: HEARTBEAT_MS,
    unit: 'ms',
    source: '`client/src/defaults.ts`',
  },
} as const satisfies Readonly<Record<string, Assumption>>;

/** Milliseconds that a replica works on one handshake. */
export const HANDSHAKE_MS = SECOND_MS / measured.handshakesPerSecond.value;

/** A fleet of the page. */
export interface FleetSize {
  readonly replicas: number;
  readonly clientsPerReplica: number;
}

/** Fleets of servers with many clients each, and fleets of sandboxes with few. */
export const SIZES: readonly FleetSize[] = [
  { replicas: 10, clientsPerReplica: 1_000 },
  { replicas: 100, clientsPerReplica: 1_000 },
  { replicas: 1_000, clientsPerReplica: 100 },
  { replicas: 10_000, clientsPerReplica: 10 },
  { replicas: 100_000, clientsPerReplica: 10 },
];
