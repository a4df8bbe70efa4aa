/** Every kind of input as pieces of bytes. Knows no command. */

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
 * What a command can read: a text, bytes, a stream of the web or of Node, or anything that can be iterated.
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
export type Input = InputChunk | Iterable<InputChunk> | AsyncIterable<InputChunk> | WebStream;

/** Bytes of a piece of input. */
export function bytesOf(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return new TextEncoder().encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError('Input has to be strings or bytes');
}

/** The pieces of an input, in order. Returning early cancels a stream. */
export async function* piecesOf(input: Input): AsyncGenerator<Uint8Array, void, undefined> {
  const isObject = typeof input === 'object' && !(input instanceof Uint8Array);
  if (isObject && (Symbol.iterator in input || Symbol.asyncIterator in input)) {
    for await (const chunk of input) yield bytesOf(chunk);
  } else if (isObject && 'getReader' in input) yield* piecesOfWebStream(input);
  else yield bytesOf(input);
}

/** Not every browser can iterate a stream. */
async function* piecesOfWebStream(stream: WebStream): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isOver = done;
      if (done) return;
      yield bytesOf(value);
    }
  } finally {
    if (!isOver) await reader.cancel();
  }
}
