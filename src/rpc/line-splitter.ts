/** Cuts a stream of bytes into lines of bounded length. Knows neither JSON nor where the bytes come from. */

const LINE_FEED = 0x0a;

export interface LineSplitterOptions {
  /** Bytes of the longest line, without its line feed. */
  readonly maxLineBytes: number;
  readonly onLine: (text: string) => void;
  /** A line was longer; it is skipped to its end. Called once for it. */
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

  /** What stands behind the last line feed is a line, too. */
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
    const text = this.#skipping ? '' : Buffer.concat(this.#pieces, this.#length).toString('utf8');
    this.#pieces = [];
    this.#length = 0;
    this.#skipping = false;
    if (text.trim() !== '') this.#options.onLine(text);
  }
}
