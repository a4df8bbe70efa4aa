/** Lines out of pieces of output. Knows no command. */
import { newDecoder, type OutputChunk } from './capture.js';

/** A line without an end is given out in parts of so many characters, so that memory stays bounded. */
const LONGEST_LINE = 8 * 1024 * 1024;

/**
 * Splits output at `\n` and `\r\n`; the rest at the end is a line, too, unless it is empty. Streams are decoded and split apart, so that
 * characters and lines of both do not mix. Reads nothing before the first line is asked for.
 */
export async function* linesOf(read: () => AsyncIterable<OutputChunk>): AsyncGenerator<string, void, undefined> {
  const splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() };
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const { stream, bytes } of read()) yield* splitters[stream].push(bytes);
  } catch (error) {
    // The last line comes before the failure of the command is thrown.
    failure = { error };
  }
  yield* splitters.stdout.end();
  yield* splitters.stderr.end();
  if (failure !== undefined) throw failure.error;
}

class LineSplitter {
  readonly #decoder = newDecoder();
  #rest = '';

  push(bytes: Uint8Array): string[] {
    const parts = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = parts.pop() ?? '';
    const lines = parts.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
    if (this.#rest.length > LONGEST_LINE) {
      // What may be the start of the line's end stays here.
      const cut = this.#rest.endsWith('\r') ? -1 : this.#rest.length;
      lines.push(this.#rest.slice(0, cut));
      this.#rest = this.#rest.slice(cut);
    }
    return lines;
  }

  end(): string[] {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}
