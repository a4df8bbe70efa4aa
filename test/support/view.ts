/**
 * One view of a detachable command over the wire client: puts its output together, and notes every message that breaks the protocol. Knows neither the
 * server nor what the command should write.
 */
import { randomBytes } from 'node:crypto';
import type { WireMessage, WirePeer } from './wire-peer.js';

export type Stream = 'stdout' | 'stderr';

/** A range of offsets that the server has declared lost to this view. */
export interface Gap {
  readonly stream: Stream;
  readonly from: number;
  readonly to: number;
}

export interface ViewOptions {
  /** Called with output. The view then keeps none. */
  readonly onBytes?: (bytes: Buffer, offset: number, stream: Stream) => void;
}

let views = 0;

/** A random key. @param affinity default: one of its own */
export function newKey(affinity: string = randomBytes(6).toString('hex')): string {
  return `${affinity}.${randomBytes(12).toString('hex')}`;
}

/** One view. */
export class View {
  readonly processId: string;
  /** The reply to the request that began the view; rejects when the connection ends first. */
  readonly reply: Promise<WireMessage>;
  /** Offset of the next byte that is due; undefined before it is known. */
  readonly next: Record<Stream, number | undefined>;
  readonly gaps: Gap[] = [];
  /** Messages that must not come, or came at the wrong place. */
  readonly problems: string[] = [];
  /** Params of the notifications of this view, once they came. */
  attached: WireMessage['params'];
  screen: WireMessage['params'];
  detached: string | undefined;
  /** Bytes of output received. */
  received = 0;
  /** Called for every message to this view. */
  onEvent: () => void = () => {};
  readonly #client: WirePeer;
  readonly #options: ViewOptions;
  readonly #pieces: Record<Stream, Buffer[]> = { stdout: [], stderr: [] };
  readonly #capped = new Set<Stream>();
  #hasReply = false;

  private constructor(client: WirePeer, { method, params }: { method: string; params: object }, options: ViewOptions) {
    views += 1;
    this.#client = client;
    this.#options = options;
    this.processId = `view-${views}`;
    const from = (params as { from?: Partial<Record<Stream, number>> }).from;
    const isStart = method === 'command/exec';
    this.next = { stdout: isStart ? 0 : from?.stdout, stderr: isStart ? 0 : from?.stderr };
    const before = client.onMessage;
    client.onMessage = (message) => {
      before(message);
      this.#take(message);
    };
    this.reply = client.request(method, { processId: this.processId, ...params });
    this.reply.then(
      () => {
        this.#hasReply = true;
        this.onEvent();
      },
      () => {},
    );
  }

  /** Starts a command. @param params beside `command`, `processId` and the streams */
  static start(client: WirePeer, params: object, options: ViewOptions = {}): View {
    const streams = { streamStdin: true, streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true };
    return new View(client, { method: 'command/exec', params: { ...streams, ...params } }, options);
  }

  /** Attaches to a command. @param params beside `processId` and `key` */
  static attach(client: WirePeer, key: string, params: object = {}, options: ViewOptions = {}): View {
    return new View(client, { method: 'command/exec/attach', params: { key, ...params } }, options);
  }

  /** Text of one stream so far. */
  text(stream: Stream = 'stdout'): string {
    return this.bytes(stream).toString();
  }

  bytes(stream: Stream = 'stdout'): Buffer {
    return Buffer.concat(this.#pieces[stream]);
  }

  /** Resolves when the condition holds. @throws {Error} when its request was answered or its connection ended before */
  until(what: string, holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const before = this.onEvent;
      const look = (): boolean => {
        if (!holds()) return false;
        this.onEvent = before;
        resolve();
        return true;
      };
      this.onEvent = () => {
        before();
        look();
      };
      if (look()) return;
      const tooLate = (why: string) => (): void => {
        if (!look()) reject(new Error(`${what}: ${why}; got ${JSON.stringify(this.text().slice(-200))}`));
      };
      this.reply.then(
        (reply) => tooLate(`the view ended with ${JSON.stringify(reply)}`)(),
        tooLate('the connection ended'),
      );
    });
  }

  /** Resolves when `attached` has come. */
  async begun(): Promise<this> {
    await this.until('attached', () => this.attached !== undefined);
    return this;
  }

  /** Resolves when its output contains this. */
  said(text: string, stream: Stream = 'stdout'): Promise<void> {
    return this.until(`says ${text}`, () => this.text(stream).includes(text));
  }

  /** Sends input. @param more `offset`, `closeStdin` */
  write(text: string | Buffer, more: object = {}): Promise<WireMessage> {
    const deltaBase64 = Buffer.from(text).toString('base64');
    return this.ask('write', { ...(text === '' ? {} : { deltaBase64 }), ...more });
  }

  /** A request `command/exec/…` about this view. */
  ask(method: string, params: object = {}): Promise<WireMessage> {
    return this.#client.request(`command/exec/${method}`, { processId: this.processId, ...params });
  }

  /** Says that everything below an offset is processed. */
  acknowledge(offset: number, stream: Stream = 'stdout'): void {
    this.#client.send({ method: 'command/exec/ack', params: { processId: this.processId, stream, offset } });
  }

  #take({ method, params }: WireMessage): void {
    if (method === undefined || params?.processId !== this.processId) return;
    if (this.#hasReply) this.problems.push(`${method} after the reply`);
    if (method === 'command/exec/attached') this.#begin(params);
    else if (method === 'command/exec/outputDelta') this.#add(params);
    else if (method === 'command/exec/gap') this.#skip(params);
    else if (method === 'command/exec/screen') this.#draw(params);
    else if (method === 'command/exec/detached') this.detached = params.reason;
    this.onEvent();
  }

  #begin(params: WireMessage['params']): void {
    if (this.attached !== undefined) this.problems.push('attached twice');
    this.attached = params;
    this.next.stdout ??= params.stdout.oldest;
    this.next.stderr ??= params.stderr.oldest;
  }

  #add({
    stream,
    deltaBase64,
    offset,
    capReached,
  }: {
    stream: Stream;
    deltaBase64: string;
    offset: number;
    capReached: boolean;
  }): void {
    const bytes = Buffer.from(deltaBase64, 'base64');
    if (this.attached === undefined) this.problems.push('output before attached');
    if (this.detached !== undefined) this.problems.push('output after detached');
    if (this.#capped.has(stream)) this.problems.push('output after the cap');
    if (capReached) this.#capped.add(stream);
    if (offset !== this.next[stream]) this.problems.push(`${stream} at ${offset} in place of ${this.next[stream]}`);
    this.next[stream] = offset + bytes.length;
    this.received += bytes.length;
    if (this.#options.onBytes === undefined) this.#pieces[stream].push(bytes);
    else this.#options.onBytes(bytes, offset, stream);
  }

  #skip({ stream, from, to }: Gap): void {
    if (from !== this.next[stream] || to <= from) this.problems.push(`gap ${from} to ${to} at ${this.next[stream]}`);
    this.next[stream] = to;
    this.gaps.push({ stream, from, to });
  }

  #draw(params: WireMessage['params']): void {
    if (this.screen !== undefined || this.received > 0) this.problems.push('a screen after output or another screen');
    this.screen = params;
    this.next.stdout = params.offset;
  }
}
