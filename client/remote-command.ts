/** One command that runs on the server, as its client holds it: output, input, size and end. Knows no socket. */
import type {
  MethodName,
  MethodParams,
  MethodResult,
  ServerNotificationName,
  ServerNotificationParams,
} from '../src/protocol/methods.js';
import { decodeBase64, encodeBase64 } from './base64.js';

/** What a command needs of its connection. `Client` is one. */
export interface CommandConnection {
  request<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>>;
  /** @returns takes the listener away */
  on<N extends ServerNotificationName>(method: N, listener: (params: ServerNotificationParams<N>) => void): () => void;
}

/** A piece of output. */
export interface CommandOutput {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
  /** Whether the stream's cap is reached: nothing follows on it. */
  readonly capReached: boolean;
}

/** A running command. */
export class RemoteCommand {
  readonly processId: string;
  /** The reply: rejects when the command could not be started or the connection ended. */
  readonly result: Promise<MethodResult<'command/exec'>>;
  readonly #client: CommandConnection;
  readonly #listeners = new Set<(output: CommandOutput) => void>();

  /** Use `Client.start`. */
  constructor(client: CommandConnection, params: MethodParams<'command/exec'> & { processId: string }) {
    this.#client = client;
    this.processId = params.processId;
    const stop = client.on('command/exec/outputDelta', ({ processId, stream, deltaBase64, capReached }) => {
      if (processId !== this.processId) return;
      const output = { stream, bytes: decodeBase64(deltaBase64), capReached };
      for (const listener of this.#listeners) listener(output);
    });
    this.result = client.request('command/exec', params).finally(stop);
    // Whoever never looks at the result is not to blame for a server that went away.
    this.result.catch(() => {});
  }

  /** Listens to output. All of it comes before `result` resolves, as long as the listener is added before the next await. */
  onOutput(listener: (output: CommandOutput) => void): this {
    this.#listeners.add(listener);
    return this;
  }

  /** Writes to stdin; resolves when the server has accepted the bytes. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    await this.#client.request('command/exec/write', { processId: this.processId, deltaBase64: encodeBase64(bytes) });
  }

  /** Ends stdin; on a terminal types end-of-file. */
  async closeStdin(): Promise<void> {
    await this.#client.request('command/exec/write', { processId: this.processId, closeStdin: true });
  }

  /** Sets the size of the terminal. */
  async resize(size: { rows: number; cols: number }): Promise<void> {
    await this.#client.request('command/exec/resize', { processId: this.processId, size });
  }

  /** Kills the command and all its descendants; `result` follows. */
  async terminate(): Promise<void> {
    await this.#client.request('command/exec/terminate', { processId: this.processId });
  }
}
