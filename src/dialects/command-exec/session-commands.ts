/** The commands that one connection can name: those it started and those it views. Knows no process. */
import type { Attachment } from '../../commands/attachment.js';
import type { DetachableCommand } from '../../commands/detachable.js';
import type { OutputLog } from '../../commands/output/log.js';
import type { Viewer } from '../../commands/output/viewer.js';
import type { Owner } from '../../commands/owner.js';
import type { RunningCommand } from '../../commands/running-command.js';
import type { OutputName } from '../../process/os-process.js';
import type { DialectName, ExecRequest } from './exec-request.js';

/** One command as one connection knows it. */
export interface NamedCommand {
  readonly processId: string | undefined;
  /** The dialect in which `processId` is a name. A view is one of `command/exec`, however its command was started. */
  readonly viewedAs: DialectName;
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
  readonly #byName = new Map<string, NamedCommand>();

  constructor(owner: Owner) {
    this.owner = owner;
  }

  /** Each dialect has names of its own. */
  find(processId: string, dialect: DialectName): NamedCommand | undefined {
    return this.#byName.get(nameOf(processId, dialect));
  }

  add(named: NamedCommand): void {
    this.all.add(named);
    const { processId, viewedAs } = named;
    if (processId !== undefined) this.#byName.set(nameOf(processId, viewedAs), named);
  }

  remove(named: NamedCommand): void {
    this.all.delete(named);
    const { processId, viewedAs } = named;
    if (processId === undefined) return;
    const name = nameOf(processId, viewedAs);
    if (this.#byName.get(name) === named) this.#byName.delete(name);
  }
}

function nameOf(processId: string, dialect: DialectName): string {
  return `${dialect} ${processId}`;
}
