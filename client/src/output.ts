/**
 * Hands the output of one command to its readers and to its capture, and counts what all of them have processed. A reader that stops
 * holds the count back, and with it the server. Knows no wire message and no text.
 */
import type { Capture, OutputChunk } from './capture.js';
import { Listeners } from './listeners.js';
import { OutputView } from './output-view.js';
import type { StreamName } from './wire.js';

/**
 * A piece of output as listeners get it.
 *
 * @example
 * import type { OutputEvent } from 'execwire-client';
 * const run = box.exec(['printf', 'abc']);
 * run.onOutput(({ stream, offset, bytes }: OutputEvent) => console.log(stream, offset, bytes.length)); // stdout 0 3
 * await run;
 */
export interface OutputEvent extends OutputChunk {
  /** Position of its first byte in its stream, in bytes. */
  readonly offset: number;
}

/**
 * Bytes of a stream that this client will never get: `from` ≤ n < `to`.
 *
 * @example
 * import type { OutputGap } from 'execwire-client';
 * const run = box.exec(['true'], { detachable: { whenFull: 'drop', replayBytes: 4096 } });
 * run.onGap(({ stream, from, to }: OutputGap) => console.log(`${to - from} bytes of ${stream} are lost`));
 * await run;
 */
export interface OutputGap {
  readonly stream: StreamName;
  readonly from: number;
  readonly to: number;
}

export interface OutputSettings {
  /** Keeps what is needed later; undefined where nothing is to be kept, and output waits for the first reader instead. */
  readonly capture: Capture | undefined;
  /** All bytes of a stream below the offset are processed. */
  readonly onProcessed: (stream: StreamName, offset: number) => void;
  /** Whether the server waits for a reader that stops. */
  readonly isBounded: () => boolean;
  /** Takes what a listener throws. */
  readonly reportError: (error: unknown) => void;
  /** Settles when the command has ended; rejects where readers are to be told of a failure. */
  readonly outcome: () => Promise<unknown>;
}

/** Both streams. */
export const BOTH: readonly StreamName[] = ['stdout', 'stderr'];

/** The output of one command. */
export class Output {
  readonly #settings: OutputSettings;
  readonly #views = new Set<OutputView>();
  readonly #listeners: Listeners<OutputEvent>;
  /** Listeners to gaps. */
  declare readonly gaps: Listeners<OutputGap>;
  /** Position of the next byte of each stream; set where the streams begin later for this client. */
  readonly received = { stdout: 0, stderr: 0 };
  /** Waits for the first reader where nothing is captured. */
  #waiting: OutputView | undefined;
  #hasEnded = false;

  constructor(settings: OutputSettings) {
    this.#settings = settings;
    this.#listeners = new Listeners(settings.reportError);
    this.gaps = new Listeners(settings.reportError);
    if (settings.capture === undefined) this.#waiting = this.#addView(BOTH, []);
  }

  /** Bytes that came and that the slowest reader has not taken. */
  unread(stream: StreamName): number {
    let most = 0;
    for (const view of this.#views) most = Math.max(most, view.unread[stream]);
    return most;
  }

  push(stream: StreamName, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const offset = this.received[stream];
    this.received[stream] += bytes.length;
    this.#deliver({ stream, bytes, offset });
  }

  /** Delivers a picture of a terminal's screen, which is no part of its stream. */
  inject(bytes: Uint8Array): void {
    this.#deliver({ stream: 'stdout', bytes, offset: this.received.stdout, isScreen: true });
  }

  /** Skips bytes that will never come. */
  gap(stream: StreamName, to: number): void {
    const from = this.received[stream];
    if (to <= from) return;
    this.#settings.capture?.skip(stream, to - from);
    this.received[stream] = to;
    this.gaps.tell({ stream, from, to });
    this.#processed(stream);
  }

  /** The output has ended. */
  end(): void {
    this.#hasEnded = true;
    for (const view of this.#views) view.end();
  }

  /** Calls back with every piece of output from now on, in order; where nothing is captured, with what waits for a reader first. */
  listen(listener: (event: OutputEvent) => void): () => void {
    const remove = this.#listeners.add(listener);
    // While output waits for the first reader, this is the only listener.
    for (const event of this.#waiting?.take(BOTH) ?? []) this.#listeners.tell(event as OutputEvent);
    this.#release();
    return remove;
  }

  /** A reader of the given streams, from the oldest output that is kept. */
  read(streams: readonly StreamName[]): AsyncIterableIterator<OutputChunk> {
    const { capture, outcome } = this.#settings;
    const history = this.#waiting?.take(streams) ?? capture?.chunks(streams) ?? [];
    const view = this.#addView(streams, history);
    this.#release();
    if (this.#hasEnded) view.end();
    const remove = (): void => {
      this.#views.delete(view);
      for (const stream of streams) this.#processed(stream);
    };
    return {
      async next() {
        const chunk = await view.next();
        if (chunk !== undefined) return { done: false, value: chunk };
        remove();
        await outcome();
        return { done: true, value: undefined };
      },
      async return() {
        view.end();
        remove();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #deliver(event: OutputEvent): void {
    const { stream, bytes } = event;
    this.#settings.capture?.push(stream, bytes);
    for (const view of this.#views) view.push(event);
    this.#listeners.tell(event);
    this.#processed(stream);
  }

  #addView(streams: readonly StreamName[], history: readonly OutputChunk[]): OutputView {
    const onTaken = (stream: StreamName): void => this.#processed(stream);
    const view: OutputView = new OutputView(streams, history, onTaken, this.#settings.isBounded);
    this.#views.add(view);
    return view;
  }

  /** There is a reader or a listener now: output no longer waits for the first one. */
  #release(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    this.#views.delete(waiting);
    for (const stream of BOTH) this.#processed(stream);
  }

  #processed(stream: StreamName): void {
    this.#settings.onProcessed(stream, this.received[stream] - this.unread(stream));
  }
}
