/** Reads and writes recordings of terminals in the format asciicast, version 2: a line of JSON on the whole, and one for each event. Pure. */

/** One event of a recording. */
export interface CastEvent {
  /** Seconds from the start. */
  readonly at: number;
  /** Output, or a new size of the window as `COLSxROWS`. */
  readonly kind: 'o' | 'r';
  readonly data: string;
}

/** A recording. */
export interface Cast {
  readonly cols: number;
  readonly rows: number;
  readonly title: string;
  readonly events: readonly CastEvent[];
}

/** Largest window of a recording; a larger one is a broken file. */
const MOST_CELLS = 1_000;

/** @throws {Error} that says in one sentence what is wrong with the file */
export function readCast(text: string): Cast {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const header = parsed(lines[0] ?? '', 1);
  const version = fieldOf(header, 'version');
  if (version !== 2)
    throw new Error(`This is no recording of asciicast version 2 (its version is ${String(version)}).`);
  const cols = fieldOf(header, 'width');
  const rows = fieldOf(header, 'height');
  if (!isSize(cols) || !isSize(rows)) throw new Error('The recording names no size of its window.');
  const events: CastEvent[] = [];
  let last = 0;
  for (const [index, line] of lines.slice(1).entries()) {
    const event = parsed(line, index + 2);
    if (!Array.isArray(event)) throw new Error(`Line ${index + 2} of the recording is no event.`);
    const [at, kind, data]: unknown[] = event;
    if (typeof at !== 'number' || !Number.isFinite(at) || typeof data !== 'string')
      throw new Error(`Line ${index + 2} of the recording is no event.`);
    // Input, markers and what later versions add is not shown.
    if (kind !== 'o' && kind !== 'r') continue;
    // Time does not go back.
    last = Math.max(last, at);
    events.push({ at: last, kind, data });
  }
  const title = fieldOf(header, 'title');
  return { cols, rows, title: typeof title === 'string' ? title : '', events };
}

/** The size that an event of the kind `r` names; undefined where it names none. */
export function sizeOf(data: string): { readonly cols: number; readonly rows: number } | undefined {
  const [, cols, rows] = /^(\d+)x(\d+)$/.exec(data) ?? [];
  const size = { cols: Number(cols), rows: Number(rows) };
  return isSize(size.cols) && isSize(size.rows) ? size : undefined;
}

/** The first line of a recording. @param startedAtMs milliseconds since 1970 */
export function castHeader({ cols, rows, title }: Omit<Cast, 'events'>, startedAtMs: number): string {
  const timestamp = Math.floor(startedAtMs / 1000);
  return `${JSON.stringify({ version: 2, width: cols, height: rows, timestamp, title, env: { TERM: 'xterm-256color' } })}\n`;
}

/** The line of an event. */
export function castLine({ at, kind, data }: CastEvent): string {
  return `${JSON.stringify([Math.round(at * 1e6) / 1e6, kind, data])}\n`;
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MOST_CELLS;
}

function parsed(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error(`Line ${number} of the recording is no JSON.`);
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
