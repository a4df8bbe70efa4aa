/**
 * The JSON-RPC part of the wire client, for any transport: it sends what a test tells it, keeps incoming messages, and finds the reply to a request.
 * Knows neither sockets nor pipes.
 */

/** A message as it came. */
export interface WireMessage {
  readonly jsonrpc?: string;
  readonly id?: unknown;
  readonly method?: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into what came without a cast at each step.
  readonly params?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly result?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly error?: { readonly code: number; readonly message: string; readonly data?: any };
}

/** The connection has ended before the awaited message came. */
export class WireEndedError extends Error {
  /** WebSocket close code; 1006 when there was none. */
  readonly code: number;
  constructor(code: number, reason: string) {
    super(`the connection ended with ${code}${reason === '' ? '' : ` (${reason})`}`);
    this.name = 'WireEndedError';
    this.code = code;
  }
}

/** The server refused a request. */
export class WireRefusal extends Error {
  readonly code: number;
  readonly reason: string | undefined;
  readonly data: unknown;
  constructor({ code, message, data }: NonNullable<WireMessage['error']>) {
    super(message);
    this.name = 'WireRefusal';
    this.code = code;
    this.reason = data?.reason;
    this.data = data;
  }
}

interface Waiting {
  readonly holds: (message: WireMessage) => boolean;
  readonly resolve: (message: WireMessage) => void;
  readonly reject: (error: Error) => void;
}

/** Takes output of one command. */
export type OutputListener = (bytes: Buffer, stream: 'stdout' | 'stderr', capReached: boolean) => void;

function tell(listener: OutputListener, { params }: WireMessage): void {
  listener(Buffer.from(params.deltaBase64, 'base64'), params.stream, params.capReached);
}

/** How a connection ended. */
export interface WireEnd {
  readonly code: number;
  readonly reason: string;
}

/** One side of a connection. */
export abstract class WirePeer {
  /** Everything received, in order, unless {@link forgetsMessages} was set. */
  readonly messages: WireMessage[] = [];
  /** Set for a long connection: messages are not kept, and only calls that wait for one see it. Output goes to {@link onOutput}. */
  forgetsMessages = false;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<WireEnd>;
  /** The end, once there is one. */
  end: WireEnd | undefined;
  /** Called for every message. */
  onMessage: (message: WireMessage) => void = () => {};
  /** Whether the server has announced its drain. */
  isDraining = false;
  #nextId = 1;
  #waiting: Waiting[] = [];
  readonly #replies = new Map<unknown, Waiting>();
  readonly #outputs = new Map<string, OutputListener>();
  #onEnd: (end: WireEnd) => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#onEnd = resolve;
    });
  }

  /** Sends a text unchanged. */
  protected abstract sendText(text: string): void;

  /** Sends a message, or a text unchanged. */
  send(message: object | string): void {
    this.sendText(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /**
   * Sends a request under an id of its own. Resolves to its reply, which may be an error.
   * @param more further members of the message, such as `jsonrpc`
   * @throws {WireEndedError} when the connection ends first
   */
  request(method: string, params: unknown = {}, more: object = {}): Promise<WireMessage> {
    // No test uses such an id for its own messages.
    const id = `r${this.#nextId}`;
    this.#nextId += 1;
    const reply = this.#wait((waiting) => this.#replies.set(id, waiting));
    if (this.end === undefined) this.send({ ...more, id, method, params });
    return reply;
  }

  /**
   * Sends a request and takes its result.
   * @throws {WireRefusal} when the reply is an error @throws {WireEndedError} when the connection ends first
   */
  // biome-ignore lint/suspicious/noExplicitAny: as for the members of a message.
  async ask(method: string, params: unknown = {}): Promise<any> {
    const { error, result } = await this.request(method, params);
    if (error !== undefined) throw new WireRefusal(error);
    return result;
  }

  /** Runs a command. */
  exec(command: readonly string[], params: object = {}): Promise<WireMessage> {
    return this.request('command/exec', { command, ...params });
  }

  /** Sends `initialize`. @returns itself, so that calls can be chained @throws {Error} when it is refused */
  async initialize(capabilities?: object, more: object = {}): Promise<this> {
    const { error } = await this.request(
      'initialize',
      { clientInfo: { name: 'wire', version: '1' }, capabilities },
      more,
    );
    if (error !== undefined) throw new Error(`initialize was refused: ${JSON.stringify(error)}`);
    return this;
  }

  /** The first message, present or future, for which this holds. @throws {WireEndedError} when the connection ends first */
  message(holds: (message: WireMessage) => boolean): Promise<WireMessage> {
    const there = this.messages.find(holds);
    if (there !== undefined) return Promise.resolve(there);
    return this.#wait((waiting) => this.#waiting.push({ ...waiting, holds }));
  }

  /** The reply to a message that was sent under this id. */
  replyTo(id: unknown): Promise<WireMessage> {
    return this.message((message) => message.id === id && message.method === undefined);
  }

  /** The first notification of this method. */
  notified(method: string): Promise<WireMessage> {
    return this.message((message) => message.method === method);
  }

  /** Passes the output of a command to a listener as it comes; without one it is kept for {@link output}. */
  onOutput(processId: string, listener: OutputListener): void {
    this.#outputs.set(processId, listener);
  }

  /** Streamed output of a command so far. @param stream default: both, in the order in which they came */
  outputBytes(processId: string, stream?: string): Buffer {
    const pieces = this.messages
      .filter(({ method, params }) => method === 'command/exec/outputDelta' && params.processId === processId)
      .filter(({ params }) => stream === undefined || params.stream === stream)
      .map(({ params }) => Buffer.from(params.deltaBase64, 'base64'));
    return Buffer.concat(pieces);
  }

  /** Streamed output of a command so far, as text. */
  output(processId: string, stream?: string): string {
    return this.outputBytes(processId, stream).toString();
  }

  /** Resolves when the output of a command contains this text. @throws {WireEndedError} when the connection ends first */
  async said(processId: string, text: string): Promise<void> {
    await this.message(() => this.output(processId).includes(text));
  }

  protected receive(text: string): void {
    const message = JSON.parse(text) as WireMessage;
    const listener =
      message.method === 'command/exec/outputDelta' ? this.#outputs.get(message.params.processId) : undefined;
    if (listener !== undefined) tell(listener, message);
    else if (!this.forgetsMessages) this.messages.push(message);
    if (message.method === 'server/draining') this.isDraining = true;
    if (message.method === undefined) {
      this.#replies.get(message.id)?.resolve(message);
      this.#replies.delete(message.id);
    }
    this.onMessage(message);
    this.#waiting = this.#waiting.filter(({ holds, resolve }) => {
      if (!holds(message)) return true;
      resolve(message);
      return false;
    });
  }

  protected finish(end: WireEnd): void {
    this.end = end;
    const error = new WireEndedError(end.code, end.reason);
    for (const { reject } of [...this.#waiting, ...this.#replies.values()]) reject(error);
    this.#waiting = [];
    this.#replies.clear();
    this.#onEnd(end);
  }

  #wait(enter: (waiting: Waiting) => void): Promise<WireMessage> {
    const awaited = new Promise<WireMessage>((resolve, reject) => {
      if (this.end !== undefined) reject(new WireEndedError(this.end.code, this.end.reason));
      else enter({ holds: () => false, resolve, reject });
    });
    // A test that ignores a reply must not fail because its connection ends.
    awaited.catch(() => {});
    return awaited;
  }
}
