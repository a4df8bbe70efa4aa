/**
 * One output stream of a command: numbers its bytes, keeps as many as asked for, hands them to its viewers, and tells when the source should wait.
 * Knows no process and no connection.
 *
 * A lossless viewer makes the source wait when it is full; another viewer gets a gap when it falls behind the kept bytes. With one lossless viewer
 * and nothing to keep, the chunk is passed straight through without a copy.
 */
import { ByteRing } from './byte-ring.js';
import type { ForgottenBytes } from './forgotten-bytes.js';
import type { OutputSink } from './output-sink.js';
import type { BudgetShare, ReplayBudget } from './replay-budget.js';
import type { Viewer } from './viewer.js';

const NO_BYTES = Buffer.alloc(0);
/** Bytes handed to a viewer in one piece. */
const PIECE_BYTES = 64 * 1024;

/** What is kept for later viewers. */
export interface Retention {
  readonly keepBytes: number;
  /** Whether the source waits before a byte is forgotten that the last writer has not acknowledged. */
  readonly waitsForWriter: boolean;
  readonly budget: ReplayBudget;
}

export interface OutputLogOptions {
  /** Bytes that count. Later bytes are dropped and have no offset. Infinity for no cap. */
  readonly capBytes: number;
  /** Without it, only bytes that a lossless viewer still has to get are kept. */
  readonly retention?: Retention;
}

export class OutputLog implements OutputSink, BudgetShare {
  receivedBytes = 0;
  truncated = false;
  capReached = false;
  onResume: () => void = () => {};
  onCapReached: () => void = () => {};
  readonly #options: OutputLogOptions;
  readonly #viewers: Viewer[] = [];
  /** The only viewer, if it gets chunks directly. */
  #direct: Viewer | undefined;
  #ring: ByteRing | undefined;
  #forgotten: ForgottenBytes | undefined;
  #next = 0;
  #ended = false;
  #paused = false;
  #discarding = false;
  /** The offset that the last writer had acknowledged when it left. */
  #writerAcknowledged = 0;

  constructor(options: OutputLogOptions) {
    this.#options = options;
    options.retention?.budget.add(this);
  }

  /** Offset of the next byte to come. */
  get next(): number {
    return this.#next;
  }

  /** Offset of the oldest byte that can still be sent. */
  get oldest(): number {
    const ring = this.#ring;
    return ring === undefined || ring.start === ring.end ? this.#next : ring.start;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Whether the source waits for a viewer to get further. */
  get isWaiting(): boolean {
    return this.#paused;
  }

  get heldBytes(): number {
    return (this.#ring?.allocatedBytes ?? 0) + this.leavingBytes;
  }

  get leavingBytes(): number {
    return this.#forgotten?.pendingBytes ?? 0;
  }

  get reservedBytes(): number {
    const { retention } = this.#options;
    return retention?.waitsForWriter === true ? retention.keepBytes : 0;
  }

  /** Up to `maxBytes` from an offset, as far as they are in one piece; none if they are not held. Lent. */
  peek(offset: number, maxBytes: number): Buffer {
    return offset < this.oldest || offset >= this.#next ? NO_BYTES : (this.#ring?.read(offset, maxBytes) ?? NO_BYTES);
  }

  /** Passes held bytes to `forgotten` before they are dropped, from now on. */
  forgetInto(forgotten: ForgottenBytes): void {
    this.#forgotten = forgotten;
    forgotten.onRoom = () => {
      this.#options.retention?.budget.update(this);
      this.#settle();
    };
  }

  /** Adds a viewer, which gets everything from its cursor on. Call `pump` when the viewer may be written to; it sends the available bytes. */
  add(viewer: Viewer): void {
    viewer.onWritable = () => this.pump(viewer);
    this.#viewers.push(viewer);
    this.#chooseWay();
  }

  remove(viewer: Viewer): void {
    const at = this.#viewers.indexOf(viewer);
    if (at < 0) return;
    if (viewer.isLossless) this.#writerAcknowledged = Math.max(this.#writerAcknowledged, viewer.acknowledged);
    viewer.port.forget(viewer.onWritable);
    this.#viewers.splice(at, 1);
    this.#chooseWay();
    this.#settle();
  }

  /** Whether a viewer has got everything that will ever come. */
  hasSentAll(viewer: Viewer): boolean {
    return this.#discarding || (this.#ended && viewer.cursor === this.#next && (!this.capReached || viewer.toldCap));
  }

  take(chunk: Buffer): boolean {
    this.receivedBytes += chunk.length;
    if (this.#discarding) return true;
    const roomBytes = this.#options.capBytes - this.#next;
    if (chunk.length > roomBytes) this.truncated = true;
    if (this.capReached) return true;
    const bytes = chunk.length > roomBytes ? chunk.subarray(0, roomBytes) : chunk;
    const offset = this.#next;
    this.#next += bytes.length;
    if (bytes.length === roomBytes) this.capReached = true;
    if (this.#direct !== undefined) this.#send(this.#direct, bytes, offset);
    else this.#share(bytes, offset);
    if (this.capReached) this.onCapReached();
    this.#paused = !this.capReached && this.#shouldWait();
    if (this.#paused) this.#tellOfWaiting();
    return !this.#paused;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    // An empty stream reaches a cap of 0, too.
    if (this.#next === this.#options.capBytes) this.capReached = true;
    for (const viewer of [...this.#viewers]) this.pump(viewer);
  }

  discard(): void {
    this.#discarding = true;
    this.#ring = undefined;
    this.#options.retention?.budget.remove(this);
    for (const viewer of [...this.#viewers]) {
      viewer.port.forget(viewer.onWritable);
      viewer.cursor = this.#next;
      viewer.onProgress?.();
    }
    this.#resume();
  }

  /** Sends a viewer everything it may get now. */
  pump(viewer: Viewer): void {
    if (this.#discarding || !this.#viewers.includes(viewer)) return;
    while (viewer.cursor < this.#next && viewer.roomBytes > 0 && !viewer.port.isFull) {
      // Not before its client can read, because more may be forgotten until then, which makes the same gap longer.
      if (viewer.cursor < this.oldest) {
        viewer.skipTo(this.oldest);
        continue;
      }
      const most = Math.min(PIECE_BYTES, viewer.roomBytes, this.#next - viewer.cursor);
      const piece = this.#ring?.read(viewer.cursor, most) ?? NO_BYTES;
      this.#send(viewer, piece, viewer.cursor);
    }
    if (this.capReached && !viewer.toldCap && viewer.cursor === this.#next) this.#send(viewer, NO_BYTES, this.#next);
    if (viewer.port.isFull) viewer.port.whenWritable(viewer.onWritable);
    viewer.onProgress?.();
    this.#settle();
  }

  /** A viewer's client has processed everything below an offset. @returns whether that is new */
  acknowledge(viewer: Viewer, offset: number): boolean {
    if (!viewer.acknowledge(offset)) return false;
    this.pump(viewer);
    return true;
  }

  forgetOldest(): number {
    const { retention } = this.#options;
    const ring = this.#ring;
    if (ring === undefined || retention === undefined || retention.waitsForWriter) return 0;
    if (ring.endOfOldest > this.#neededFrom()) return 0;
    const before = ring.allocatedBytes;
    this.#drop(ring, ring.endOfOldest);
    return before - ring.allocatedBytes;
  }

  /** Handles a chunk that has to be kept, or that not all viewers can take at once. */
  #share(bytes: Buffer, offset: number): void {
    for (const viewer of [...this.#viewers]) {
      if (viewer.cursor !== offset || viewer.port.isFull) continue;
      const most = Math.min(bytes.length, viewer.roomBytes);
      if (most > 0) this.#send(viewer, bytes.subarray(0, most), offset);
    }
    const neededFrom = this.#neededFrom();
    if (this.#options.retention !== undefined || neededFrom < this.#next) this.#keep(bytes, offset);
    // Those that were behind already are pumped when they acknowledge or read. To look at them at each chunk would slow the writer.
    const others = this.#viewers.filter(({ cursor }) => cursor >= offset);
    for (const viewer of others) if (viewer.cursor < this.#next || viewer.port.isFull) this.pump(viewer);
    this.#trim();
  }

  #keep(bytes: Buffer, offset: number): void {
    // Chunks that no viewer had to wait for were not kept, so the held bytes either continue without a hole or begin anew.
    if (this.#ring?.end !== offset) this.#ring = new ByteRing(this.#options.retention?.keepBytes ?? 0, offset);
    this.#ring.append(bytes);
    this.#options.retention?.budget.update(this);
  }

  #send(viewer: Viewer, bytes: Buffer, offset: number): void {
    const end = offset + bytes.length;
    const last = this.capReached && end === this.#next;
    // BEFORE the call, which may return here.
    viewer.cursor = end;
    if (last) viewer.toldCap = true;
    viewer.port.send(bytes, offset, last);
    if (viewer.port.isFull) viewer.port.whenWritable(viewer.onWritable);
  }

  /** Offset of the oldest byte that a lossless viewer still has to get. */
  #neededFrom(): number {
    let from = this.#next;
    for (const { isLossless, cursor } of this.#viewers) if (isLossless && cursor < from) from = cursor;
    return from;
  }

  /** The offset that the present or last writer has certainly processed. */
  #acknowledgedByWriter(): number {
    const writer = this.#viewers.find(({ isLossless }) => isLossless);
    return writer === undefined ? this.#writerAcknowledged : Math.max(this.#writerAcknowledged, writer.acknowledged);
  }

  #trim(): void {
    const ring = this.#ring;
    if (ring === undefined) return;
    const { retention } = this.#options;
    let floor = this.#neededFrom();
    if (retention !== undefined) {
      floor = Math.min(floor, this.#next - retention.keepBytes);
      if (retention.waitsForWriter) floor = Math.min(floor, this.#acknowledgedByWriter());
    }
    if (ring.endOfOldest <= floor) this.#drop(ring, floor);
  }

  #drop(ring: ByteRing, floor: number): void {
    const forgotten = this.#forgotten;
    ring.dropBelow(floor, forgotten === undefined ? undefined : (bytes, start) => forgotten.take(bytes, start));
    this.#options.retention?.budget.update(this);
  }

  #shouldWait(): boolean {
    if (this.#direct !== undefined) return this.#direct.port.isFull;
    if (this.#forgotten?.isFull === true) return true;
    for (const viewer of this.#viewers) {
      if (viewer.isLossless && (viewer.cursor < this.#next || viewer.port.isFull)) return true;
    }
    const { retention } = this.#options;
    if (retention === undefined || !retention.waitsForWriter) return false;
    // Bytes under way to a writer without a window are in its connection's queue, which has its own bound.
    const writer = this.#viewers.find(({ isLossless }) => isLossless);
    if (writer?.hasWindow === false) return false;
    return this.#next - this.#acknowledgedByWriter() >= retention.keepBytes;
  }

  /** The source may wait for a viewer with a full window, although everything was sent to it. */
  #tellOfWaiting(): void {
    for (const viewer of [...this.#viewers]) if (viewer.roomBytes <= 0) viewer.onProgress?.();
  }

  /** A viewer got further, so less may have to be kept, and the source may go on. */
  #settle(): void {
    this.#trim();
    if (this.#paused && (this.capReached || !this.#shouldWait())) this.#resume();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.onResume();
  }

  #chooseWay(): void {
    const [only, second] = this.#viewers;
    const isDirect =
      this.#options.retention === undefined && second === undefined && only?.isLossless === true && !only.hasWindow;
    this.#direct = isDirect ? only : undefined;
  }
}
