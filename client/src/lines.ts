/** Lines out of pieces of output. Knows no command. */
import type { OutputChunk } from './capture.js';

/** A line without an end is given out in parts of so many characters, so that memory stays bounded. */
const LONGEST_LINE = 8 * 1024 * 1024;

/**
 * Splits output at `\n` and `\r\n`; the rest at the end is a line, too, unless it is empty. Streams are decoded and split apart, so that
 * characters and lines of both do not mix. Reads nothing before the first line is asked for.
 */
export async function* linesOf(read: () => AsyncIterable<OutputChunk>): AsyncGenerator<string, void, undefined> {
  const splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() };
  for await (const { stream, bytes } of lastLinesBefore(read())) {
    if (bytes === undefined) {
      yield* splitters.stdout.end();
      yield* splitters.stderr.end();
    } else yield* splitters[stream].push(bytes);
  }
}

/** Tells of the end of the pieces before a failure of the command is thrown: its last line is shown first. */
async function* lastLinesBefore(
  chunks: AsyncIterable<OutputChunk>,
): AsyncGenerator<{ stream: OutputChunk['stream']; bytes: Uint8Array | undefined }, void, undefined> {
  let failure: { error: unknown } | undefined;
  try {
    yield* chunks;
  } catch (error) {
    failure = { error };
  }
  yield { stream: 'stdout', bytes: undefined };
  if (failure !== undefined) throw failure.error;
}

class LineSplitter {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #rest = '';

  push(bytes: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LONGEST_LINE) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  }

  end(): string[] {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}
