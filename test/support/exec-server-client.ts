/** A client of the exec-server protocol: a session that may come back on another connection, and its processes. Knows `process/*` and no file. */
import type { TestServer } from './server.js';
import type { WireClient, WireMessage, WireOptions } from './wire-client.js';

let count = 0;
/** Code of the refusal to come back to a session that has a connection. */
const STILL_CONNECTED = -32010;

/** What one notification of a process says. */
export interface ProcessEvent {
  readonly kind: 'output' | 'exited' | 'closed';
  readonly seq: number;
  readonly stream?: string;
  readonly bytes: Buffer;
  readonly exitCode?: number;
}

/** One connection of a session. */
export class ExecServerClient {
  readonly peer: WireClient;
  readonly sessionId: string;
  readonly environmentInfo: Record<string, unknown>;

  constructor(peer: WireClient, reply: { sessionId: string; environmentInfo: Record<string, unknown> }) {
    this.peer = peer;
    this.sessionId = reply.sessionId;
    this.environmentInfo = reply.environmentInfo;
  }

  /** Opens a connection and a session. */
  static async open(server: Pick<TestServer, 'wire'>, options: WireOptions = {}): Promise<ExecServerClient> {
    const peer = await server.wire(options);
    const reply = await peer.ask('initialize', { clientName: 'test', resumeSessionId: null });
    peer.send({ method: 'initialized', params: {} });
    return new ExecServerClient(peer, reply);
  }

  /** Cuts the connection, and waits for the end. */
  async cut(): Promise<void> {
    this.peer.terminate();
    await this.peer.ended;
  }

  request(method: string, params: object = {}): Promise<WireMessage> {
    return this.peer.request(method, params);
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test looks into what came without a cast at each step.
  ask(method: string, params: object = {}): Promise<any> {
    return this.peer.ask(method, params);
  }

  /** Starts a shell script. @param params of `process/start` @throws {WireRefusal} */
  async start(script: string, params: object = {}): Promise<TestProcess> {
    count += 1;
    const process = new TestProcess(this, `p${count}`);
    await this.ask('process/start', { ...startParams(process.id, script), ...params });
    return process;
  }
}

/**
 * Comes back to a session, as clients do: again and again while the server still has its old connection.
 * @throws {Error} when that is refused for another reason
 */
export async function comeBack(
  server: Pick<TestServer, 'wire'>,
  { sessionId }: ExecServerClient,
): Promise<ExecServerClient> {
  for (;;) {
    const peer = await server.wire();
    const { error, result } = await peer.request('initialize', { clientName: 'test', resumeSessionId: sessionId });
    if (error === undefined) {
      peer.send({ method: 'initialized', params: {} });
      return new ExecServerClient(peer, result);
    }
    await peer.close();
    if (error.code !== STILL_CONNECTED) throw new Error(error.message);
  }
}

/** Params of a start in an environment of nothing but a PATH. */
export function startParams(processId: string, script: string): Record<string, unknown> {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };
  return { processId, argv: ['sh', '-c', script], cwd: 'file:///tmp', env, tty: false };
}

/** A process as its client sees it. */
export class TestProcess {
  readonly id: string;
  /** The present connection; a client that comes back sets it. */
  client: ExecServerClient;

  constructor(client: ExecServerClient, id: string) {
    this.client = client;
    this.id = id;
  }

  /** Notifications of the present connection, in the order in which they came. */
  get events(): ProcessEvent[] {
    return this.client.peer.messages.flatMap((message) => this.#eventOf(message) ?? []);
  }

  /** Output that came on the present connection. */
  output(stream?: string): string {
    const pieces = this.events.filter((event) => stream === undefined || event.stream === stream);
    return Buffer.concat(pieces.map(({ bytes }) => bytes)).toString();
  }

  async said(text: string): Promise<void> {
    await this.client.peer.message(() => this.output().includes(text));
  }

  async event(kind: ProcessEvent['kind']): Promise<ProcessEvent> {
    const message = await this.client.peer.message((candidate) => this.#eventOf(candidate)?.kind === kind);
    return this.#eventOf(message) as ProcessEvent;
  }

  closed(): Promise<ProcessEvent> {
    return this.event('closed');
  }

  write(text: string, writeId: string): Promise<{ status: string }> {
    return this.client.ask('process/write', {
      processId: this.id,
      chunk: Buffer.from(text).toString('base64'),
      writeId,
    });
  }

  terminate(): Promise<{ running: boolean }> {
    return this.client.ask('process/terminate', { processId: this.id });
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  read(params: object = {}): Promise<any> {
    return this.client.ask('process/read', { processId: this.id, ...params });
  }

  #eventOf({ method, params }: WireMessage): ProcessEvent | undefined {
    if (params?.processId !== this.id || method === undefined) return undefined;
    const kind = method.replace('process/', '') as ProcessEvent['kind'];
    const { seq, stream, chunk = '', exitCode } = params;
    return { kind, seq, stream, bytes: Buffer.from(chunk, 'base64'), exitCode };
  }
}
