/** A connection, and a session on it, in memory: the base of the tests of rpc, session and commands. Knows no method. */
import { ANONYMOUS } from '../../src/auth/principal.js';
import { Connection, type ConnectionOptions } from '../../src/rpc/connection.js';
import { RequestBudget, TotalRequests } from '../../src/rpc/request-budget.js';
import { Session } from '../../src/session/session.js';
import { MemoryTransport } from './memory-transport.js';

export interface TestConnection {
  readonly transport: MemoryTransport;
  readonly connection: Connection;
  /** Reports of the connection: notifications, its end, inner errors. */
  readonly reports: { notifications: string[]; closed: number[]; internal: { error: unknown; traceId: string }[] };
}

/** An open connection. */
export function openConnection(options: Partial<ConnectionOptions> = {}): TestConnection {
  const transport = new MemoryTransport();
  const reports: TestConnection['reports'] = { notifications: [], closed: [], internal: [] };
  const connection = new Connection({
    transport,
    serve: () => ({}),
    onNotification: (method) => reports.notifications.push(method),
    onClose: (code) => reports.closed.push(code),
    onInternalError: (error, traceId) => reports.internal.push({ error, traceId }),
    budget: new RequestBudget(1000, new TotalRequests(1000)),
    maxOwedReplyBytes: 64 * 1024 * 1024,
    ...options,
  });
  connection.open();
  return { transport, connection, reports };
}

/** An initialized session on a connection of its own. */
export function openSession(agreed: { experimentalApi?: boolean; optOut?: string[] } = {}): {
  readonly session: Session;
  readonly transport: MemoryTransport;
} {
  const { connection, transport } = openConnection();
  const session = new Session(connection, ANONYMOUS);
  session.initialize({
    dialect: 'app-server',
    clientName: 'test',
    clientVersion: '1',
    experimentalApi: agreed.experimentalApi ?? false,
    optOut: new Set(agreed.optOut),
    heartbeatMs: undefined,
  });
  return { session, transport };
}
