/** Sends the output of one stream to one view as notifications, through the connection's outbox. Knows no log and no process. */
import type { OutputPort } from '../../commands/output/viewer.js';
import type { OutputName } from '../../process/os-process.js';
import type { Session } from '../../session/session.js';
import { DeltaEncoder, type DeltaNames, EXEC_DELTAS, MAX_DELTA_BYTES } from './delta-encoder.js';

/** After so many sent deltas their list is looked through, because deltas that the kernel has taken need no entry. */
const SETTLE_EVERY = 256;

export interface StreamPortOptions {
  readonly session: Session;
  /** The client's name for the command. */
  readonly processId: string;
  readonly stream: OutputName;
  /** Default: those of `command/exec`. */
  readonly names?: DeltaNames;
  /** Whether deltas carry their offset. */
  readonly saysOffset: boolean;
  /** Whether {@link OutputPort.takenOffset} is used. */
  readonly followsTaken: boolean;
  /** A range was lost to this view. */
  readonly onGap?: (bytes: number) => void;
}

export class StreamPort implements OutputPort {
  readonly #options: StreamPortOptions;
  readonly #encoder: DeltaEncoder;
  readonly #isWanted: boolean;
  /** For each delta that the kernel may not have taken completely: its end among all bytes of the connection, and in the stream. */
  #sent: { readonly end: number; readonly offset: number }[] = [];
  #takenOffset = 0;
  #settleAt = SETTLE_EVERY;

  constructor(options: StreamPortOptions) {
    this.#options = options;
    const { session, processId, stream, saysOffset, names = EXEC_DELTAS } = options;
    const jsonrpc = session.connection.mirrorsVersion;
    this.#encoder = new DeltaEncoder(processId, stream, { jsonrpc, saysOffset, names });
    this.#isWanted = session.wants(names.method);
  }

  get isFull(): boolean {
    return this.#isWanted && this.#options.session.connection.outbox.isFull;
  }

  get takenOffset(): number {
    this.#settle();
    return this.#takenOffset;
  }

  send(bytes: Buffer, offset: number, last: boolean): void {
    if (bytes.length <= MAX_DELTA_BYTES) {
      this.#sendOne(bytes, offset, last);
      return;
    }
    for (let from = 0; from < bytes.length; from += MAX_DELTA_BYTES) {
      const to = Math.min(from + MAX_DELTA_BYTES, bytes.length);
      this.#sendOne(bytes.subarray(from, to), offset + from, last && to === bytes.length);
    }
  }

  gap(from: number, to: number): void {
    const { session, processId, stream } = this.#options;
    session.notify('command/exec/gap', { processId, stream, from, to });
    this.#options.onGap?.(to - from);
  }

  whenWritable(callback: () => void): void {
    this.#options.session.connection.outbox.whenWritable(callback);
  }

  forget(callback: () => void): void {
    this.#options.session.connection.outbox.forget(callback);
  }

  #sendOne(bytes: Buffer, offset: number, last: boolean): void {
    if (this.#isWanted) this.#options.session.connection.outbox.sendEncoded(this.#encoder.encode(bytes, last, offset));
    if (!this.#options.followsTaken) return;
    const { progressBytes, pendingBytes } = this.#options.session.connection.outbox;
    this.#sent.push({ end: progressBytes + pendingBytes, offset: offset + bytes.length });
    if (this.#sent.length >= this.#settleAt) this.#settle();
  }

  #settle(): void {
    const taken = this.#options.session.connection.outbox.progressBytes;
    let settled = 0;
    for (const { end, offset } of this.#sent) {
      if (end > taken) break;
      this.#takenOffset = offset;
      settled += 1;
    }
    if (settled > 0) this.#sent = this.#sent.slice(settled);
    this.#settleAt = Math.max(SETTLE_EVERY, 2 * this.#sent.length);
  }
}
