/** Turns captured output into text for a message: short ones as strings, long ones in pieces that count against the memory for captured output. */
import { CAPTURE_BLOCK_BYTES, Capture } from '../../commands/output/capture.js';
import type { CaptureBudget } from '../../commands/output/capture-budget.js';
import type { OutputSink } from '../../commands/output/output-sink.js';
import type { OutputName } from '../../process/os-process.js';
import { ResultParts } from '../../rpc/connection.js';

/** Bytes converted in one piece, so that little is lost at the bound. */
const SLICE_BYTES = 64 * 1024;

export interface CapturedText {
  /** Fields beside the text that are known when it is complete. */
  readonly more: () => Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<OutputName, OutputSink>>;
  readonly budget: CaptureBudget;
}

/** A value with the text, and a function to call when it has left the process. */
export interface TextResult {
  /** An object, or {@link ResultParts}. */
  readonly result: unknown;
  readonly release?: () => void;
}

/** An object with some fields, `stdout` and `stderr`. The text of a streamed output is empty, because it was already sent. @param fields at least one */
export async function withCapturedText(
  fields: Readonly<Record<string, unknown>>,
  { outputs: { stdout, stderr }, budget, more }: CapturedText,
): Promise<TextResult> {
  if (!isLong(stdout) && !isLong(stderr)) {
    return { result: { ...fields, stdout: textOf(stdout), stderr: textOf(stderr), ...more() } };
  }
  const pieces = new HeldPieces(budget);
  await pieces.add(stdout);
  const stdoutPieces = pieces.taken();
  await pieces.add(stderr);
  const stderrPieces = pieces.taken();
  // AFTER the pieces, because there may have been no room for some.
  const head = JSON.stringify({ ...fields, ...more() }).slice(0, -1);
  const result = new ResultParts([
    Buffer.from(`${head},"stdout":"`),
    ...stdoutPieces,
    Buffer.from('","stderr":"'),
    ...stderrPieces,
    Buffer.from('"}'),
  ]);
  return { result, release: () => pieces.release() };
}

function isLong(sink: OutputSink): boolean {
  return sink instanceof Capture && sink.keptBytes > CAPTURE_BLOCK_BYTES;
}

/** The bytes as UTF-8, with U+FFFD for invalid ones. */
function textOf(sink: OutputSink): string {
  if (!(sink instanceof Capture)) return '';
  const text = sink.bytes().toString('utf8');
  sink.release();
  return text;
}

/** The content of JSON strings, in pieces: 256 MiB of control characters would take six times their room and be longer than a string can be. */
class HeldPieces {
  readonly #budget: CaptureBudget;
  #pieces: Buffer[] = [];
  #heldBytes = 0;

  constructor(budget: CaptureBudget) {
    this.#budget = budget;
  }

  /** Converts the bytes of a sink, with a turn of the loop between two pieces. Text without room is dropped, and the sink reports it. */
  async add(sink: OutputSink): Promise<void> {
    if (!(sink instanceof Capture)) return;
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    for (const block of sink.drain()) {
      for (let from = 0; from < block.length; from += SLICE_BYTES) {
        const text = decoder.decode(block.subarray(from, from + SLICE_BYTES), { stream: true });
        if (this.#keep(text)) continue;
        sink.truncated = true;
        sink.capReached = true;
        sink.release();
        return;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#keep(decoder.decode());
  }

  /** The pieces since the last call. */
  taken(): Buffer[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  release(): void {
    this.#budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  #keep(text: string): boolean {
    const piece = Buffer.from(JSON.stringify(text).slice(1, -1));
    if (!this.#budget.take(piece.length)) return false;
    this.#heldBytes += piece.length;
    this.#pieces.push(piece);
    return true;
  }
}
