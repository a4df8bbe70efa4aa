/** What `CommandExec` is handed: the table, bounds, and how a process is prepared and observed. */

import type { Detachables } from '../../commands/detachables.js';
import type { CaptureBudget } from '../../commands/output/capture-budget.js';
import type { Owner } from '../../commands/owner.js';
import type { CommandObservation, CommandTable } from '../../commands/table.js';
import type { ProcessSpec } from '../../process/os-process.js';
import type { Call } from '../../rpc/connection.js';
import type { Session } from '../../session/session.js';
import type { AttachmentEvents } from './attachment-port.js';
import type { ExecRequest } from './exec-request.js';

/** What a process gets in addition to its request. */
export interface AddedToProcess {
  readonly marker: string;
  /** The owner of the command; a thread of a sandbox serves one owner at a time. */
  readonly owner: Owner;
  readonly traceEnv: Readonly<Record<string, string | null>>;
}

/** Makes the complete environment and the absolute directory of a child. @throws {SpawnError} for impossible names */
export type PrepareProcess = (request: ExecRequest, added: AddedToProcess) => ProcessSpec;

export interface CommandExecOptions {
  readonly table: CommandTable;
  readonly detachables: Detachables;
  readonly captures: CaptureBudget;
  readonly prepare: PrepareProcess;
  /** Absolute directory of a request. */
  readonly cwdOf: (request: ExecRequest) => string;
  readonly maxProcessesPerConnection: number;
  readonly maxBufferedBytes: number;
  readonly isDraining: () => boolean;
  readonly events: AttachmentEvents;
  readonly observe?: ((request: ExecRequest, session: Session, call: Call) => CommandObservation) | undefined;
  /** A request views a command that runs already. @param started what was asked for at its start */
  readonly onReturn?: ((started: ExecRequest, call: Call) => void) | undefined;
}
