/**
 * One view of a command that outlives its viewers: whether it may write, how far each stream has been sent, and when it ends. Knows no connection:
 * its messages go to an {@link AttachmentPort}.
 *
 *     waiting ──begin()──► viewing ──everything sent and the command ended──► done
 *        └─────────leave(), the command could not be started─────────────────▲
 */
import type { OutputName, TerminalSize } from '../process/os-process.js';
import type { CancelTimer, Clock } from './clock.js';
import type { CommandEnd } from './command.js';
import { CommandError, type DetachReason } from './command-error.js';
import type { OutputLog } from './output/log.js';
import { type OutputPort, Viewer } from './output/viewer.js';
import type { ScreenImage } from './screen.js';

export type AttachmentRole = 'writer' | 'observer';

/** The way out of one view; a dialect implements it with its own messages. */
export interface AttachmentPort {
  readonly outputs: Readonly<Record<OutputName, OutputPort>>;
  /** Called once, before any output. */
  attached(attachment: Attachment): void;
  /** Called once instead of a replay, if a screen was asked for. */
  screen(image: ScreenImage): void;
  /** The view ends before its command. */
  detached(why: DetachReason): void;
}

export interface AttachmentOptions {
  readonly port: AttachmentPort;
  readonly role: AttachmentRole;
  /** Whether the command ran before. */
  readonly isResumed: boolean;
  /** Offset of the first byte wanted of each stream; undefined for the oldest one that is kept. */
  readonly from: Readonly<Partial<Record<OutputName, number>>>;
  /** Bytes of each stream that may be under way unacknowledged; Infinity without acknowledgements. */
  readonly windowBytes: number;
  /** Whether one image of the terminal is sent instead of a replay. */
  readonly wantsScreen: boolean;
  /** Window size to set before anything is sent. */
  readonly size: TerminalSize | undefined;
}

/** What an attachment needs of its command. */
export interface AttachmentContext {
  readonly logs: Readonly<Partial<Record<OutputName, OutputLog>>>;
  readonly clock: Clock;
  /** A view with a window is ended when it acknowledges nothing for so many milliseconds while output waits; 0 for never. */
  readonly stallTimeoutMs: number;
  readonly takeScreen: () => Promise<ScreenImage>;
  readonly onLeft: (attachment: Attachment) => void;
}

export class Attachment {
  readonly role: AttachmentRole;
  readonly isResumed: boolean;
  /** Resolves when the command has ended and everything was sent; rejects when the view ends earlier. */
  readonly done: Promise<CommandEnd>;
  readonly #options: AttachmentOptions;
  readonly #context: AttachmentContext;
  readonly #viewers = new Map<OutputName, Viewer>();
  #state: 'waiting' | 'viewing' | 'done' = 'waiting';
  #end: CommandEnd | undefined;
  #isHeld: boolean;
  #cancelStall: CancelTimer | undefined;
  #resolve: (end: CommandEnd) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(options: AttachmentOptions, context: AttachmentContext) {
    this.role = options.role;
    this.isResumed = options.isResumed;
    this.#options = options;
    this.#context = context;
    this.#isHeld = options.wantsScreen;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** The command has started: tells the client so, and sends the available output. */
  begin(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'viewing';
    const { port, from, role, windowBytes, wantsScreen } = this.#options;
    port.attached(this);
    for (const [name, log] of this.#logs()) {
      const viewer = new Viewer({
        port: this.#holding(port.outputs[name]),
        from: wantsScreen ? log.next : (from[name] ?? log.oldest),
        isLossless: role === 'writer',
        windowBytes,
      });
      viewer.onProgress = () => this.#onProgress();
      this.#viewers.set(name, viewer);
      log.add(viewer);
    }
    if (wantsScreen) {
      void this.#context.takeScreen().then(
        (image) => this.#showScreen(image),
        (error: unknown) => this.fail(error),
      );
    }
    this.#pump();
  }

  /** The client has processed everything of one stream below an offset. */
  acknowledge(output: OutputName, offset: number): void {
    const viewer = this.#viewers.get(output);
    if (viewer === undefined || this.#state !== 'viewing') return;
    if (this.#context.logs[output]?.acknowledge(viewer, offset) !== true) return;
    this.#cancelStall?.();
    this.#cancelStall = undefined;
    this.#watchStall();
  }

  /** The command has ended. The view is done when everything was sent. */
  commandEnded(end: CommandEnd): void {
    this.#end = end;
    this.#settle();
  }

  /** The command could not be started, or its screen could not be drawn. */
  fail(error: unknown): void {
    if (this.#finish()) this.#reject(error);
  }

  /** Ends the view before its command. */
  leave(why: DetachReason): void {
    if (!this.#finish()) return;
    this.#options.port.detached(why);
    this.#reject(new CommandError('detached', { why }));
  }

  #logs(): [OutputName, OutputLog][] {
    return Object.entries(this.#context.logs) as [OutputName, OutputLog][];
  }

  #pump(): void {
    for (const [name, log] of this.#logs()) {
      const viewer = this.#viewers.get(name);
      if (viewer !== undefined) log.pump(viewer);
    }
  }

  /** A port that accepts nothing while the screen is being made, so that a writer's source waits. */
  #holding(port: OutputPort): OutputPort {
    if (!this.#options.wantsScreen) return port;
    const isHeld = (): boolean => this.#isHeld;
    return {
      get isFull() {
        return isHeld() || port.isFull;
      },
      get takenOffset() {
        return port.takenOffset;
      },
      send: (bytes, offset, last) => port.send(bytes, offset, last),
      gap: (from, to) => port.gap(from, to),
      whenWritable: (callback) => {
        if (!isHeld()) port.whenWritable(callback);
      },
      forget: (callback) => port.forget(callback),
    };
  }

  #showScreen(image: ScreenImage): void {
    if (this.#state !== 'viewing') return;
    this.#options.port.screen(image);
    this.#isHeld = false;
    this.#pump();
  }

  #onProgress(): void {
    this.#watchStall();
    this.#settle();
  }

  #watchStall(): void {
    const { stallTimeoutMs, clock } = this.#context;
    if (this.#cancelStall !== undefined || stallTimeoutMs === 0 || this.#state !== 'viewing') return;
    const isBlocked = this.#logs().some(([name, log]) => {
      const viewer = this.#viewers.get(name);
      if (viewer === undefined || viewer.roomBytes > 0) return false;
      return viewer.cursor < log.next || (viewer.isLossless && log.isWaiting);
    });
    if (isBlocked) this.#cancelStall = clock.after(stallTimeoutMs, () => this.leave('fellBehind'));
  }

  #settle(): void {
    const end = this.#end;
    if (end === undefined || this.#state !== 'viewing' || this.#isHeld) return;
    for (const [name, log] of this.#logs()) {
      const viewer = this.#viewers.get(name);
      if (viewer === undefined || !log.hasSentAll(viewer)) return;
    }
    if (this.#finish()) this.#resolve(end);
  }

  #finish(): boolean {
    if (this.#state === 'done') return false;
    this.#state = 'done';
    this.#cancelStall?.();
    for (const [name, log] of this.#logs()) {
      const viewer = this.#viewers.get(name);
      if (viewer !== undefined) log.remove(viewer);
    }
    this.#context.onLeft(this);
    return true;
  }
}
