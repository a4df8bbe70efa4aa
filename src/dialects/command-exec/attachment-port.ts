/** Sends the messages of one view of a detachable command on its connection. Knows no log and no process. */
import type { Attachment, AttachmentPort, AttachmentRole } from '../../commands/attachment.js';
import type { DetachReason } from '../../commands/command-error.js';
import type { DetachableCommand } from '../../commands/detachable.js';
import type { OutputPort } from '../../commands/output/viewer.js';
import type { ScreenImage } from '../../commands/screen.js';
import type { OutputName } from '../../process/os-process.js';
import type { Session } from '../../session/session.js';
import { StreamPort } from './stream-port.js';

/** One view, as the log names it. */
export interface ViewFacts {
  readonly connectionId: string;
  /** A name and no credential. */
  readonly key: string;
  readonly pid: number | undefined;
  readonly role: AttachmentRole;
}

/** Events of views, for counting and for the log. */
export interface AttachmentEvents {
  /** @param isResumed false for the view that a start begins with */
  attached(view: ViewFacts, isResumed: boolean): void;
  detached(view: ViewFacts, why: DetachReason): void;
  /** Bytes were lost to a view. @param isFirst whether it had lost none before */
  gap(view: ViewFacts, bytes: number, isFirst: boolean): void;
}

export interface NotifyingPortOptions {
  readonly session: Session;
  readonly processId: string;
  readonly role: AttachmentRole;
  readonly command: () => DetachableCommand;
  readonly windowBytes: number;
  readonly events: AttachmentEvents;
}

const NOTHING_KEPT = { oldest: 0, next: 0 };

/** The kept range of one stream. */
export function keptRange(command: DetachableCommand, stream: OutputName): { oldest: number; next: number } {
  const log = command.options.logs[stream];
  return log === undefined ? NOTHING_KEPT : { oldest: log.oldest, next: log.next };
}

export class NotifyingPort implements AttachmentPort {
  readonly outputs: Readonly<Record<OutputName, OutputPort>>;
  readonly #options: NotifyingPortOptions;
  #hasGap = false;

  constructor(options: NotifyingPortOptions) {
    this.#options = options;
    const { session, processId, windowBytes, events } = options;
    const portOf = (stream: OutputName): OutputPort =>
      new StreamPort({
        session,
        processId,
        stream,
        saysOffset: true,
        followsTaken: windowBytes === Number.POSITIVE_INFINITY,
        onGap: (bytes) => {
          events.gap(this.#facts(), bytes, !this.#hasGap);
          this.#hasGap = true;
        },
      });
    this.outputs = { stdout: portOf('stdout'), stderr: portOf('stderr') };
  }

  attached({ role, isResumed }: Attachment): void {
    const { session, processId, events } = this.#options;
    const command = this.#options.command();
    const { running, key } = command;
    session.notify('command/exec/attached', {
      processId,
      key,
      pid: running.command.pid ?? 0,
      startedAtMs: running.startedAtMs,
      role,
      resumed: isResumed,
      stdout: keptRange(command, 'stdout'),
      stderr: keptRange(command, 'stderr'),
      stdinAccepted: running.input?.nextOffset ?? 0,
      replayBytes: command.options.replayBytes,
    });
    events.attached(this.#facts(), isResumed);
  }

  screen({ offset, size, bytes, isAlternate, title, isComplete }: ScreenImage): void {
    const { session, processId } = this.#options;
    session.notify('command/exec/screen', {
      processId,
      offset,
      size,
      deltaBase64: bytes.toString('base64'),
      alternate: isAlternate,
      ...(title === undefined ? {} : { title }),
      complete: isComplete,
    });
  }

  detached(why: DetachReason): void {
    const { session, processId, events } = this.#options;
    events.detached(this.#facts(), why);
    // A client that has left gets no message.
    if (why !== 'left') session.notify('command/exec/detached', { processId, reason: why });
  }
  #facts(): ViewFacts {
    const { session, role, command } = this.#options;
    const { key, running } = command();
    return { connectionId: session.id, key, pid: running.command.pid, role };
  }
}
