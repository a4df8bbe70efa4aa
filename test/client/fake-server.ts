/**
 * A server in memory that speaks the protocol, detachable commands included, and whose connections break when a test says so. Long because a server
 * is one state machine. Knows no client: it reads texts and writes texts.
 */
import { ConnectError } from '../../client/src/errors.js';
import type { OpenTransport, Transport, TransportListener, TransportRequest } from '../../client/src/transport.js';
import type { AttachParams, ExecParams, StreamName } from '../../client/src/wire.js';

export type Message = Record<string, unknown> & { id?: number; method?: string; params?: Record<string, unknown> };

/** The error of a reply. */
export interface Refusal {
  readonly code: number;
  readonly message?: string;
  readonly data?: Record<string, unknown>;
}

const STREAMS: readonly StreamName[] = ['stdout', 'stderr'];
const refusal = (reason: string, code = -32600): Refusal => ({ code, message: reason, data: { reason } });

interface View {
  readonly connection: FakeConnection;
  readonly processId: string;
  readonly requestId: number;
  readonly role: 'writer' | 'observer';
  readonly window: number;
  readonly sent: Record<StreamName, number>;
  readonly acknowledged: Record<StreamName, number>;
}

/** A command of this server. The test decides what the command writes and when it ends. */
export class FakeCommand {
  readonly params: ExecParams;
  readonly key: string | undefined;
  /** All output so far. */
  readonly output: Record<StreamName, string> = { stdout: '', stderr: '' };
  /** Position of the oldest byte that is still kept. */
  readonly oldest: Record<StreamName, number> = { stdout: 0, stderr: 0 };
  readonly signals: string[] = [];
  readonly sizes: unknown[] = [];
  stdin = '';
  isStdinClosed = false;
  views: View[] = [];
  exit: Record<string, unknown> | undefined;

  constructor(params: ExecParams) {
    this.params = params;
    this.key = params.detachable?.key;
  }

  /** Writes ASCII. */
  write(stream: StreamName, text: string): void {
    this.output[stream] += text;
    for (const view of this.views) this.send(view);
  }

  /** Forgets the output below a position, as a server does whose log is full. */
  forget(stream: StreamName, below: number): void {
    this.oldest[stream] = below;
  }

  /** Ends the command. Each view gets the reply after all output. */
  end(exitCode: number, more: Record<string, unknown> = {}): void {
    this.exit = { exitCode, stdout: '', stderr: '', signal: null, timedOut: false, durationMs: 1, ...more };
    for (const view of [...this.views]) this.send(view);
  }

  /** Sends the output that the window of a view allows, and the reply after the last byte. */
  send(view: View): void {
    for (const stream of STREAMS) {
      const allowed = view.acknowledged[stream] + view.window;
      while (view.sent[stream] < Math.min(allowed, this.output[stream].length)) {
        const offset = view.sent[stream];
        const text = this.output[stream].slice(offset, Math.min(allowed, offset + 64 * 1024));
        view.sent[stream] += text.length;
        const deltaBase64 = Buffer.from(text, 'latin1').toString('base64');
        const position = this.key === undefined && view.window === Number.POSITIVE_INFINITY ? {} : { offset };
        const params = { processId: view.processId, stream, deltaBase64, capReached: false, ...position };
        view.connection.notify('command/exec/outputDelta', params);
      }
    }
    const isAllSent = STREAMS.every((stream) => view.sent[stream] === this.output[stream].length);
    if (this.exit === undefined || !isAllSent) return;
    this.views = this.views.filter((other) => other !== view);
    view.connection.reply(view.requestId, this.exit);
  }

  detach(view: View, reason: string): void {
    this.views = this.views.filter((other) => other !== view);
    view.connection.notify('command/exec/detached', { processId: view.processId, reason });
    view.connection.refuse(view.requestId, refusal('detached'));
  }
}

/** One connection, from the server's side. */
export class FakeConnection implements Transport {
  readonly url: string;
  readonly protocols: readonly string[];
  /** Everything the client sent. */
  readonly received: Message[] = [];
  isOpen = true;
  /** Whether the client receives nothing that the server sends. */
  isDeaf = false;
  /** Whether the server leaves a Close without an answer. */
  isMute = false;
  #listener: TransportListener;
  #server: FakeServer;
  #queue: (() => void)[] = [];

  constructor(server: FakeServer, { url, protocols, listener }: TransportRequest) {
    this.#server = server;
    this.url = url;
    this.protocols = protocols;
    this.#listener = listener;
  }

  // What the client does.

  send(text: string): void {
    if (!this.isOpen) throw new Error('closed');
    const message = JSON.parse(text) as Message;
    this.#later(() => {
      this.received.push(message);
      this.#server.receive(this, message);
    });
  }

  close(code: number): void {
    if (!this.isMute) this.#later(() => this.end(code, ''));
  }

  drop(): void {
    this.end(1006, 'dropped');
  }

  // What the server does.

  reply(id: number, result: unknown): void {
    this.#sendText({ id, result });
  }

  refuse(id: number, error: Refusal): void {
    this.#sendText({ id, error: { message: 'refused', ...error } });
  }

  notify(method: string, params: unknown): void {
    this.#sendText({ method, params });
  }

  request(id: string, method: string, params: unknown): void {
    this.#sendText({ id, method, params });
  }

  /** Sends any text, also one that is no message. */
  sendRaw(text: string): void {
    this.#later(() => this.#listener.onText(text));
  }

  /** Breaks the connection. Messages that have not arrived yet are lost in both directions. */
  cut(): void {
    this.#queue = [];
    this.end(1006, '');
  }

  /** Closes the connection after everything that was sent has arrived. */
  closeWith(code: number): void {
    this.#later(() => this.end(code, ''));
  }

  end(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#queue = [];
    this.#server.left(this);
    this.#listener.onEnd({ code, reason });
  }

  #sendText(message: unknown): void {
    if (this.isDeaf) return;
    const text = JSON.stringify(message);
    this.#later(() => this.#listener.onText(text));
  }

  #later(step: () => void): void {
    if (!this.isOpen) return;
    this.#queue.push(step);
    queueMicrotask(() => this.#queue.shift()?.());
  }
}

/** The server. */
export class FakeServer {
  readonly connections: FakeConnection[] = [];
  readonly commands: FakeCommand[] = [];
  /** Errors of the next connects, one for each. When none is left, connections are accepted. */
  readonly refusals: ConnectError[] = [];
  /** Answers to the next requests of a method, one for each, in place of the usual ones: a refusal, a reply, or none. */
  readonly answers: { method: string; answer: Refusal | { readonly reply: unknown } | 'silence' }[] = [];
  serverId: string | undefined = 'server-1';
  /** Whether no server listens. */
  isGone = false;
  #restarts = 0;
  limits: Record<string, number> = { maxReplayBytes: 67_108_864, maxFrameBytes: 16_777_216 };
  serverName = 'execwire';
  /** Called with each command that starts. */
  onStart: (command: FakeCommand) => void = () => {};

  get canDetach(): boolean {
    return this.serverId !== undefined;
  }

  /** The newest connection. */
  get connection(): FakeConnection {
    const newest = this.connections.at(-1);
    if (newest === undefined) throw new Error('there was no connection yet');
    return newest;
  }

  /** Whether the server accepts connections and answers no request. */
  isSilent = false;

  readonly openTransport: OpenTransport = async (request) => {
    const refused = this.refusals.shift();
    if (refused !== undefined) throw refused;
    if (this.isGone) throw new ConnectError('Cannot connect: no server listens', { code: 'ECONNREFUSED' });
    const connection = new FakeConnection(this, request);
    this.connections.push(connection);
    return connection;
  };

  /** Makes this a server without detachable commands and windows, such as the first build of 0.1.0. */
  beOld(): void {
    this.serverId = undefined;
    this.limits = { maxFrameBytes: 16_777_216 };
  }

  /** Restarts the server at the same address, so that it has another `serverId` and knows no command. */
  restart(): void {
    this.#restarts += 1;
    this.serverId = `server-${1 + this.#restarts}`;
    this.commands.length = 0;
  }

  receive(connection: FakeConnection, { id, method, params = {} }: Message): void {
    if (this.isSilent) return;
    if (method === 'command/exec/ack') this.#acknowledge(connection, params);
    if (id === undefined || method === undefined) return;
    const at = this.answers.findIndex((answer) => answer.method === method);
    const [planned] = at < 0 ? [] : this.answers.splice(at, 1);
    const answer = planned?.answer;
    if (answer === 'silence') return;
    if (answer === undefined) this.#serve(connection, id, method, params);
    else if ('reply' in answer) connection.reply(id, answer.reply);
    else connection.refuse(id, answer);
  }

  /** Kills the ordinary commands of a connection that has ended, and leaves the detachable ones. */
  left(connection: FakeConnection): void {
    for (const command of this.commands) {
      command.views = command.views.filter((view) => view.connection !== connection);
      if (command.key === undefined && command.exit === undefined && command.views.length === 0) command.end(137);
    }
  }

  #serve(connection: FakeConnection, id: number, method: string, params: Record<string, unknown>): void {
    if (method === 'initialize') {
      const serverId = this.serverId === undefined ? {} : { serverId: this.serverId };
      connection.reply(id, { serverInfo: { name: this.serverName, version: '1' }, limits: this.limits, ...serverId });
    } else if (method === 'command/exec') this.#exec(connection, id, params as unknown as ExecParams);
    else if (method === 'command/exec/attach') this.#attach(connection, id, params as unknown as AttachParams);
    else if (method === 'command/exec/list') this.#list(connection, id);
    else if (method === 'command/exec/forget') this.#forget(connection, id, params);
    else this.#control(connection, id, method, params);
  }

  #exec(connection: FakeConnection, id: number, given: ExecParams): void {
    const params = this.canDetach ? given : { ...given, detachable: undefined as never, window: undefined as never };
    const key = params.detachable?.key;
    const known = this.commands.find((command) => key !== undefined && command.key === key);
    if (known !== undefined) {
      this.#attach(connection, id, {
        processId: params.processId ?? '',
        key: key ?? '',
        takeover: true,
        from: { stdout: 0, stderr: 0 },
      });
      return;
    }
    const command = new FakeCommand(params);
    this.commands.push(command);
    const window = params.window?.bytes;
    const view = this.#view(command, connection, id, { processId: params.processId ?? '', window }, 'writer');
    if (key !== undefined) this.#announce(command, view, false);
    this.onStart(command);
  }

  #attach(connection: FakeConnection, id: number, params: AttachParams): void {
    const command = this.commands.find(({ key }) => key === params.key);
    if (command === undefined) {
      connection.refuse(id, refusal('keyNotFound'));
      return;
    }
    const role = params.role ?? 'writer';
    const writer = command.views.find((view) => view.role === 'writer');
    if (role === 'writer' && writer !== undefined) {
      if (params.takeover !== true) {
        connection.refuse(id, refusal('writerPresent'));
        return;
      }
      command.detach(writer, 'takeover');
    }
    if (params.size !== undefined) command.sizes.push(params.size);
    const { processId } = params;
    const view = this.#view(command, connection, id, { processId, window: params.window?.bytes }, role);
    this.#announce(command, view, true);
    if (params.screen === true) {
      const offset = command.output.stdout.length;
      const deltaBase64 = Buffer.from(`screen at ${offset}`).toString('base64');
      view.sent.stdout = offset;
      view.acknowledged.stdout = offset;
      const size = { rows: 24, cols: 80 };
      connection.notify('command/exec/screen', {
        processId,
        offset,
        size,
        deltaBase64,
        alternate: false,
        complete: true,
      });
    } else {
      for (const stream of STREAMS) {
        const oldest = command.oldest[stream];
        const from = params.from?.[stream] ?? oldest;
        if (from < oldest) connection.notify('command/exec/gap', { processId, stream, from, to: oldest });
        view.sent[stream] = Math.max(from, oldest);
        view.acknowledged[stream] = view.sent[stream];
      }
    }
    command.send(view);
  }

  #view(
    command: FakeCommand,
    connection: FakeConnection,
    requestId: number,
    { processId, window = Number.POSITIVE_INFINITY }: { processId: string; window: number | undefined },
    role: 'writer' | 'observer',
  ): View {
    const view: View = {
      connection,
      processId,
      requestId,
      role,
      window,
      sent: { stdout: 0, stderr: 0 },
      acknowledged: { stdout: 0, stderr: 0 },
    };
    command.views.push(view);
    return view;
  }

  #announce(command: FakeCommand, { connection, processId, role }: View, resumed: boolean): void {
    const range = (stream: StreamName) => ({ oldest: command.oldest[stream], next: command.output[stream].length });
    connection.notify('command/exec/attached', {
      processId,
      key: command.key,
      pid: 4242,
      startedAtMs: 1,
      role,
      resumed,
      stdout: range('stdout'),
      stderr: range('stderr'),
      stdinAccepted: command.stdin.length,
      replayBytes: 1_048_576,
    });
  }

  #list(connection: FakeConnection, id: number): void {
    const commands = this.commands.map((command) => {
      const view = command.views.find((each) => each.connection === connection);
      return {
        processId: view?.processId ?? null,
        pid: 4242,
        tty: false,
        state: 'running',
        startedAtMs: 1,
        key: command.key ?? null,
      };
    });
    connection.reply(id, { commands });
  }

  #forget(connection: FakeConnection, id: number, { key }: Record<string, unknown>): void {
    const at = this.commands.findIndex((command) => command.key === key);
    if (at < 0) connection.refuse(id, refusal('keyNotFound'));
    else {
      this.commands.splice(at, 1);
      connection.reply(id, {});
    }
  }

  #find(connection: FakeConnection, processId: unknown): { command: FakeCommand; view: View } | undefined {
    for (const command of this.commands) {
      const view = command.views.find((each) => each.connection === connection && each.processId === processId);
      if (view !== undefined) return { command, view };
    }
    return undefined;
  }

  #control(connection: FakeConnection, id: number, method: string, params: Record<string, unknown>): void {
    const found = this.#find(connection, params.processId);
    if (found === undefined) {
      connection.refuse(
        id,
        method.startsWith('command/exec/') ? refusal('processNotFound') : refusal('methodNotFound', -32601),
      );
      return;
    }
    const { command, view } = found;
    if (method === 'command/exec/write') this.#write(connection, id, command, params);
    else if (method === 'command/exec/detach') {
      connection.reply(id, {});
      command.detach(view, 'requested');
    } else {
      if (method === 'command/exec/resize') command.sizes.push(params.size);
      else command.signals.push(typeof params.signal === 'string' ? params.signal : 'SIGKILL');
      connection.reply(id, {});
    }
  }

  #write(connection: FakeConnection, id: number, command: FakeCommand, params: Record<string, unknown>): void {
    const text = Buffer.from(String(params.deltaBase64 ?? ''), 'base64').toString('latin1');
    const offset = typeof params.offset === 'number' ? params.offset : command.stdin.length;
    if (offset > command.stdin.length) {
      connection.refuse(id, refusal('stdinGap'));
      return;
    }
    command.stdin += text.slice(command.stdin.length - offset);
    if (params.closeStdin === true) command.isStdinClosed = true;
    connection.reply(id, command.key === undefined ? {} : { accepted: command.stdin.length });
  }

  #acknowledge(connection: FakeConnection, { processId, stream, offset }: Record<string, unknown>): void {
    const found = this.#find(connection, processId);
    if (found === undefined) return;
    found.view.acknowledged[stream as StreamName] = Math.min(Number(offset), found.view.sent[stream as StreamName]);
    found.command.send(found.view);
  }
}
