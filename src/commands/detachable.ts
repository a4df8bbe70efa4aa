/**
 * One command that outlives its viewers: which views it has and which of them writes, and how long it lives or is kept without any. Knows no
 * connection and no other command.
 *
 *     starting ──started──► attached ⇄ detached ──ended──► kept ──its time is over──► gone
 *        │                                └──its time is over, which kills it──────────▲
 *        └──could not be started──────────────────────────────────────────────────────▲
 */
import type { OutputName, TerminalSize } from '../process/os-process.js';
import { Attachment, type AttachmentOptions } from './attachment.js';
import type { CancelTimer, Clock } from './clock.js';
import type { CommandEnd } from './command.js';
import { CommandError } from './command-error.js';
import type { OutputLog } from './output/log.js';
import type { RunningCommand } from './running-command.js';
import type { CommandScreen, ScreenImage } from './screen.js';

/** Asks for a view. */
export interface AttachOptions extends AttachmentOptions {
  /** Whether it replaces a present writer. */
  readonly takesOver: boolean;
}

/** The starter of a command that keeps it without a view: it decides when the command goes, and writes unless a view took that over. */
export interface CommandHolder {
  /** Whether it has a client now. */
  readonly isPresent: boolean;
}

export interface DetachableOptions {
  /** Its name among the commands of its principal. */
  readonly key: string;
  readonly principal: string;
  /** Identifies a second start of the same command: equal texts are the same command. */
  readonly identity: string;
  /** Milliseconds it lives with nobody attached, and is kept after its end. Infinity for no limit. */
  readonly ttlMs: number;
  /** Bytes kept of each stream. */
  readonly replayBytes: number;
  readonly logs: Readonly<Partial<Record<OutputName, OutputLog>>>;
  readonly screen: CommandScreen | undefined;
  readonly clock: Clock;
  /** Undefined for a command that lives by its views alone. */
  readonly holder: CommandHolder | undefined;
  /** @see AttachmentContext.stallTimeoutMs */
  readonly stallTimeoutMs: number;
  /** Its time is over, or it could not be started. The owner kills and forgets it. Called once. */
  readonly onGone: (command: DetachableCommand, wasRunning: boolean) => void;
}

export class DetachableCommand {
  readonly options: DetachableOptions;
  readonly #attachments = new Set<Attachment>();
  #running: RunningCommand | undefined;
  #end: CommandEnd | undefined;
  #hasStarted = false;
  #isGone = false;
  #cancelExpiry: CancelTimer | undefined;
  #expiresAtMs: number | undefined;

  constructor(options: DetachableOptions) {
    this.options = options;
  }

  get key(): string {
    return this.options.key;
  }

  /** The command itself, from the start on. @throws {Error} before that */
  get running(): RunningCommand {
    if (this.#running === undefined) throw new Error('the command has not been started');
    return this.#running;
  }

  /** Undefined while it runs. */
  get end(): CommandEnd | undefined {
    return this.#end;
  }

  get attachments(): ReadonlySet<Attachment> {
    return this.#attachments;
  }

  /** Clients that it has now: its views, and its holder. */
  get clientCount(): number {
    return this.#attachments.size + (this.#isHeld ? 1 : 0);
  }

  get writer(): Attachment | undefined {
    for (const attachment of this.#attachments) if (attachment.role === 'writer') return attachment;
    return undefined;
  }

  /** Milliseconds until its time is over, if that is known. */
  get leftMs(): number | undefined {
    return this.#expiresAtMs === undefined ? undefined : Math.max(0, this.#expiresAtMs - this.options.clock.nowMs());
  }

  /** The table has accepted it. */
  runs(running: RunningCommand): void {
    this.#running = running;
    running.ended.then(
      (end) => this.#onEnded(end),
      (error: unknown) => this.#onFailed(error),
    );
  }

  /** Its process exists. */
  started(): void {
    this.#hasStarted = true;
    for (const attachment of [...this.#attachments]) attachment.begin();
  }

  /**
   * Adds a view. Its `begin` comes with the start of the process, or at once if the process has started.
   * @throws {CommandError} offsetAhead, writerPresent
   */
  attach({ takesOver, ...options }: AttachOptions): Attachment {
    this.#refuseAhead(options);
    const present = options.role === 'writer' ? this.writer : undefined;
    const isTaken = options.role === 'writer' && (present !== undefined || this.#isHeld);
    if (isTaken && !takesOver) throw new CommandError('writerPresent', {});
    const { logs, clock, stallTimeoutMs, screen } = this.options;
    const attachment: Attachment = new Attachment(options, {
      logs,
      clock,
      stallTimeoutMs,
      takeScreen: (): Promise<ScreenImage> =>
        screen === undefined ? Promise.reject(new Error('the command has no terminal')) : screen.image(),
      onLeft: (left) => this.#onLeft(left),
    });
    this.#attachments.add(attachment);
    // AFTER the new view exists, because a command with ttl 0 dies without a view.
    present?.leave('takeover');
    if (this.#end === undefined) this.#stopExpiry();
    if (options.size !== undefined) this.resize(options.size);
    if (this.#end !== undefined) attachment.commandEnded(this.#end);
    return attachment;
  }

  /**
   * Begins a view that was added, if there is a process. A call of its own after `attach`, so that the owner knows the view before the first output.
   */
  begin(attachment: Attachment): void {
    if (this.#hasStarted) attachment.begin();
  }

  resize(size: TerminalSize): void {
    if (this.#end !== undefined) return;
    this.options.screen?.resize(size);
    this.running.command.resize(size);
  }

  /** Forgets it: from now on it is unknown. Its present views get the rest. */
  expire(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#stopExpiry();
    this.options.onGone(this, this.#end === undefined);
    this.#dropIfLeft();
  }

  get #isHeld(): boolean {
    return this.options.holder?.isPresent === true;
  }

  #refuseAhead({ from }: AttachmentOptions): void {
    for (const [stream, offset] of Object.entries(from) as [OutputName, number][]) {
      const next = this.options.logs[stream]?.next ?? 0;
      if (offset > next) throw new CommandError('offsetAhead', { stream, offset, next });
    }
  }

  #onEnded(end: CommandEnd): void {
    this.#end = end;
    // Its ttl runs from the end on, even if views come and go.
    if (!this.#isGone) this.#expireAfter(this.options.ttlMs);
    for (const attachment of [...this.#attachments]) attachment.commandEnded(end);
    this.#dropIfLeft();
  }

  #onFailed(error: unknown): void {
    for (const attachment of [...this.#attachments]) attachment.fail(error);
    this.expire();
  }

  #onLeft(attachment: Attachment): void {
    this.#attachments.delete(attachment);
    if (this.#attachments.size === 0 && this.#end === undefined && !this.#isGone) this.#expireAfter(this.options.ttlMs);
    this.#dropIfLeft();
  }

  #expireAfter(ttlMs: number): void {
    this.#stopExpiry();
    if (ttlMs === Number.POSITIVE_INFINITY) return;
    if (ttlMs === 0) {
      this.expire();
      return;
    }
    this.#expiresAtMs = this.options.clock.nowMs() + ttlMs;
    this.#cancelExpiry = this.options.clock.after(ttlMs, () => this.expire());
  }

  #stopExpiry(): void {
    this.#cancelExpiry?.();
    this.#cancelExpiry = undefined;
    this.#expiresAtMs = undefined;
  }

  /** Frees what is kept, once no view can come any more and none is left. */
  #dropIfLeft(): void {
    if (!this.#isGone || this.#attachments.size > 0) return;
    for (const log of Object.values(this.options.logs)) log.discard();
    this.options.screen?.dispose();
  }
}
