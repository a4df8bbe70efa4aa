/** One streamed command of the wire client: its input and output as a test sees them. Knows no connection. */
import type { OutputListener, WirePeer } from './wire-peer.js';

let count = 0;

/** A command that has been sent. */
export class WireCommand {
  readonly processId: string;
  /** The result; rejects with what {@link WirePeer.ask} throws. A test need not look at it. */
  readonly result: Promise<{ readonly exitCode: number; readonly [field: string]: unknown }>;
  readonly #peer: WirePeer;

  /** Sends it. @param params of `command/exec`, over streams of both directions */
  constructor(peer: WirePeer, params: { readonly command: readonly string[]; readonly [param: string]: unknown }) {
    count += 1;
    this.#peer = peer;
    this.processId = `wire-command-${count}`;
    const streams = { streamStdin: true, streamStdoutStderr: true };
    // A terminal streams by itself, and lives as long as its user likes.
    const kind = params.tty === true ? { disableTimeout: true, disableOutputCap: true } : streams;
    this.result = peer.ask('command/exec', { processId: this.processId, ...kind, ...params });
    this.result.catch(() => {});
  }

  /** Hands on output from its first byte, when it is called before anything is awaited. */
  onOutput(listener: OutputListener): void {
    this.#peer.onOutput(this.processId, listener);
  }

  async write(data: string | Uint8Array): Promise<void> {
    await this.#ask('write', { deltaBase64: Buffer.from(data).toString('base64') });
  }

  async closeStdin(): Promise<void> {
    await this.#ask('write', { closeStdin: true });
  }

  async terminate(): Promise<void> {
    await this.#ask('terminate', {});
  }

  async #ask(verb: string, params: object): Promise<void> {
    await this.#peer.ask(`command/exec/${verb}`, { processId: this.processId, ...params });
  }
}
