/** The commands that one connection can name: those it started and those it views. Knows no process. */
import type { Attachment } from '../../commands/attachment.js';
import type { DetachableCommand } from '../../commands/detachable.js';
import type { OutputLog } from '../../commands/output/log.js';
import type { Viewer } from '../../commands/output/viewer.js';
import type { Owner } from '../../commands/owner.js';
import type { RunningCommand } from '../../commands/running-command.js';
import type { OutputName } from '../../process/os-process.js';
import type { ExecRequest } from './exec-request.js';

/** One command as one connection knows it. */
export interface NamedCommand {
  readonly processId: string | undefined;
  readonly running: RunningCommand;
  readonly request: ExecRequest;
  /** Given for a command that outlives its connection. */
  readonly detachable: DetachableCommand | undefined;
  readonly attachment: Attachment | undefined;
  /** Streams of an ordinary command that is streamed. */
  readonly streams: readonly NamedStream[];
}

/** One stream of an ordinary command, with the only view of it. */
export interface NamedStream {
  readonly name: OutputName;
  readonly log: OutputLog;
  readonly viewer: Viewer;
}

export class SessionCommands {
  /** Owner of its ordinary commands, which end with the connection. */
  readonly owner: Owner;
  /** In the order of their start. */
  readonly all = new Set<NamedCommand>();
  /** Functions to call when replies that are held in pieces have left the process. */
  readonly heldReplies = new Set<() => void>();
  readonly #byId = new Map<string, NamedCommand>();

  constructor(owner: Owner) {
    this.owner = owner;
  }

  find(processId: string): NamedCommand | undefined {
    return this.#byId.get(processId);
  }

  add(named: NamedCommand): void {
    this.all.add(named);
    if (named.processId !== undefined) this.#byId.set(named.processId, named);
  }

  remove(named: NamedCommand): void {
    this.all.delete(named);
    const { processId } = named;
    if (processId !== undefined && this.#byId.get(processId) === named) this.#byId.delete(processId);
  }
}
