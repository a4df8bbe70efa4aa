/** Cuts a stream of bytes into lines of bounded length. Knows neither JSON nor where the bytes come from. */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const NO_BYTES = Buffer.alloc(0);

function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== SPACE && byte !== TAB && byte !== CARRIAGE_RETURN) return false;
  return true;
}

export interface LineSplitterOptions {
  /** Bytes of the longest line, without its line feed. */
  readonly maxLineBytes: number;
  /** A line that is not blank, without its line feed. */
  readonly onLine: (line: Buffer) => void;
  /** A line was too long. It is skipped to its end; called once for it. */
  readonly onTooLong: () => void;
}

/** Collects bytes and reports whole lines. */
export class LineSplitter {
  readonly #options: LineSplitterOptions;
  #pieces: Buffer[] = [];
  #length = 0;
  #skipping = false;

  constructor(options: LineSplitterOptions) {
    this.#options = options;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      this.#add(chunk.subarray(from, end));
      this.#finish();
      from = end + 1;
    }
    this.#add(chunk.subarray(from));
  }

  /** Bytes behind the last line feed count as a line, too. */
  end(): void {
    this.#finish();
  }

  #add(piece: Buffer): void {
    if (piece.length === 0 || this.#skipping) return;
    this.#length += piece.length;
    if (this.#length > this.#options.maxLineBytes) {
      this.#skipping = true;
      this.#pieces = [];
      this.#options.onTooLong();
    } else this.#pieces.push(piece);
  }

  #finish(): void {
    const line = this.#skipping ? NO_BYTES : Buffer.concat(this.#pieces, this.#length);
    this.#pieces = [];
    this.#length = 0;
    this.#skipping = false;
    if (!isBlank(line)) this.#options.onLine(line);
  }
}
