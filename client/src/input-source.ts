/** Every kind of input as pieces, and what is no input. Knows no command. */

/**
 * A piece of input: bytes, or text that is sent as UTF-8.
 *
 * @example
 * import type { InputChunk } from 'execwire-client';
 * const chunks: InputChunk[] = ['text, ', new Uint8Array([0x62, 0x79, 0x74, 0x65, 0x73])];
 * console.log((await box.exec(['cat'], { input: chunks })).stdout); // text, bytes
 */
export type InputChunk = string | Uint8Array;

/**
 * A stream as browsers have it, of which only reading is needed.
 *
 * @example
 * import type { WebStream } from 'execwire-client';
 * const stream: WebStream = new Blob(['from a stream']).stream();
 * console.log((await box.exec(['cat'], { input: stream })).stdout); // from a stream
 */
export interface WebStream {
  getReader(): {
    read(): Promise<{ done: boolean; value?: unknown }>;
    cancel(reason?: unknown): Promise<void>;
  };
}

/**
 * What a command can read: a text, bytes, a `Blob`, a stream of the web or of Node, or anything that can be iterated.
 *
 * @example
 * import type { Input } from 'execwire-client';
 * async function* numbers(): AsyncGenerator<string> {
 *   for (let n = 1; n <= 3; n += 1) yield `${n}\n`;
 * }
 * const input: Input = numbers();
 * const { stdout } = await box.exec(['wc', '-l'], { input });
 * console.log(stdout); // 3
 */
export type Input =
  | InputChunk
  | ArrayBuffer
  | Iterable<InputChunk>
  | AsyncIterable<InputChunk>
  | WebStream
  | { stream(): WebStream };

/** An input whose kind is known. */
export interface InputSource {
  readonly pieces: Iterable<unknown> | AsyncIterable<unknown>;
  /** Tells it that no more of it is read. May throw, or reject. */
  readonly stop: () => unknown;
}

/** Bytes of a piece of input. @throws {TypeError} */
export function bytesOf(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return new TextEncoder().encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw notInput(chunk);
}

/** Finds out how an input is read. @throws {TypeError} when it is none, or a stream that somebody else reads */
export function sourceOf(input: unknown): InputSource {
  if (typeof input === 'string' || input instanceof ArrayBuffer || ArrayBuffer.isView(input)) {
    return { pieces: [input], stop() {} };
  }
  const source = Object(input) as Partial<WebStream> & { stream?(): unknown; destroy?(): void };
  if (source.getReader !== undefined) {
    const reader = source.getReader();
    return { pieces: piecesOf(reader), stop: () => reader.cancel() };
  }
  if (Symbol.asyncIterator in source || Symbol.iterator in source) {
    // A stream of Node that waits for data cannot be ended through its iterator.
    return { pieces: source as typeof source & AsyncIterable<unknown>, stop: () => source.destroy?.() };
  }
  if (source.stream !== undefined) return sourceOf(source.stream());
  throw notInput(input);
}

function notInput(value: unknown): TypeError {
  return new TypeError(`Input has to be text, bytes, a Blob, a stream or an iterable of those, not ${String(value)}`);
}

/** Not every browser can iterate a stream. */
async function* piecesOf(reader: ReturnType<WebStream['getReader']>): AsyncGenerator<unknown, void, undefined> {
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Does nothing at the stream's own end.
    await reader.cancel();
  }
}
