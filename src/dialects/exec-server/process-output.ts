/** The way out for one stream of a process: numbers its chunks, and sends them to the session's connection while there is one. Knows no process. */
import type { OutputPort } from '../../commands/output/viewer.js';
import type { OutputName } from '../../process/os-process.js';
import { DeltaEncoder, type DeltaNames, MAX_DELTA_BYTES } from '../command-exec/delta-encoder.js';
import type { EventLog } from './event-log.js';
import type { SessionOutlet } from './session-outlet.js';

const OUTPUT_NAMES: DeltaNames = {
  method: 'process/output',
  id: 'processId',
  bytes: 'chunk',
  position: 'seq',
  saysCap: false,
};

export interface ProcessOutputOptions {
  readonly processId: string;
  readonly output: OutputName;
  /** What the wire calls the stream. */
  readonly stream: string;
  readonly events: EventLog;
  readonly outlet: SessionOutlet;
  /** Something was numbered. */
  readonly onEvent: () => void;
}

export class ProcessOutput implements OutputPort {
  /** Nobody waits for what the kernel has taken: this dialect has no acknowledgements. */
  readonly takenOffset = 0;
  readonly #options: ProcessOutputOptions;
  readonly #encoder: DeltaEncoder;

  constructor(options: ProcessOutputOptions) {
    this.#options = options;
    const { processId, stream } = options;
    this.#encoder = new DeltaEncoder(processId, stream, { jsonrpc: false, saysOffset: true, names: OUTPUT_NAMES });
  }

  get isFull(): boolean {
    return this.#options.outlet.isFull;
  }

  send(bytes: Buffer, offset: number): void {
    const { events, outlet, output, onEvent } = this.#options;
    for (let from = 0; from < bytes.length; from += MAX_DELTA_BYTES) {
      const chunk = bytes.subarray(from, from + MAX_DELTA_BYTES);
      const seq = events.addOutput(output, offset + from, chunk.length);
      outlet.sendOutput(chunk.length, () => this.#encoder.encode(chunk, false, seq));
    }
    onEvent();
  }

  /** Never happens: the view is lossless. */
  gap(): void {}

  whenWritable(callback: () => void): void {
    this.#options.outlet.whenWritable(callback);
  }

  forget(callback: () => void): void {
    this.#options.outlet.forget(callback);
  }
}
