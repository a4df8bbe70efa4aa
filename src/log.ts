/**
 * The log: pino's JSON lines on standard error, because standard output may carry only messages. Owns its level at run time and what may never be
 * logged. A full disk or a reader that has stopped costs lines, never time. Knows nothing of what is logged.
 */
import pino, { type BaseLogger, type DestinationStream, type Logger } from 'pino';
import { writeInTime } from './write-in-time.js';

const STDERR_FD = 2;
/** Bytes of lines that may wait for standard error; further lines are dropped and counted. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** How long the exit waits for standard error to take the rest. */
const FLUSH_AT_EXIT_MS = 300;
/** Fields that are never logged, on the first and the second level of a line. */
const SECRETS = ['argv', 'args', 'command', 'env', 'params', 'stdin', 'stdout', 'stderr', 'deltaBase64'];
const CREDENTIALS = ['token', 'secret', 'password', 'authorization', 'cookie', 'headers', 'spawnargs', 'url'];
const CENSORED_NAMES = new Set([...SECRETS, ...CREDENTIALS]);
const CENSOR = '[redacted]';

/** The logger's interface; pino's loggers and Fastify's have this shape. */
export interface Log extends Pick<BaseLogger, 'level' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'> {
  child(bindings: Record<string, unknown>): Log;
}

export interface LogOptions {
  /** Least level that is logged, `silent` for none. */
  readonly level: string;
  /** Default: standard error. */
  readonly fd?: number;
  /** Default: whether standard error is a terminal. Without pino-pretty, as in production, lines are JSON. */
  readonly pretty?: boolean;
}

/** The log of one server. */
export interface ServerLog {
  readonly logger: Logger;
  /** Lines that standard error did not take. */
  readonly droppedLines: number;
  /** Lets the lines out. They are held until then, so that the first lines on standard error are the banner. */
  release(): Promise<void>;
  /** Changes between `debug` and the level of the start (`info` if that is `debug`). */
  toggleDebug(): void;
}

type Sink = ReturnType<typeof pino.destination>;

/** Makes the log of one server. */
export function createLog(options: LogOptions): ServerLog {
  const fd = options.fd ?? STDERR_FD;
  // This makes a pipe or a socket on descriptor 2 non-blocking. Otherwise a write into a full one would stop a thread for ever.
  const isTerminal = fd === STDERR_FD && process.stderr.isTTY === true;
  const gate = new Gate();
  const sink = pino.destination({ dest: fd, sync: false, maxLength: MAX_WAITING_BYTES });
  let droppedLines = 0;
  sink.on('drop', () => {
    droppedLines += 1;
  });
  let isBroken = false;
  // For instance ENOSPC. The lines stay until the next write tries again, or are dropped when there are too many.
  sink.on('error', () => {
    isBroken = true;
  });
  sink.on('write', () => {
    isBroken = false;
  });
  // BEFORE pino's own handler, which would wait for ever for a reader that has stopped.
  process.prependListener('exit', () => {
    if (!isBroken) writeHeld(sink, gate);
    sink.destroy();
  });
  // Not pino's own `redact`: its wildcards copy every line (measured: an eighth of what a connection allocates).
  const formatters = { log: censorLine, bindings: censorLine };
  const logger = pino({ level: options.level, base: null, formatters }, gate);

  return {
    logger,
    get droppedLines() {
      return droppedLines;
    },
    async release() {
      gate.open((options.pretty ?? isTerminal) ? await prettySink(sink) : sink);
    },
    toggleDebug() {
      const usual = options.level === 'debug' ? 'info' : options.level;
      logger.level = logger.level === 'debug' ? usual : 'debug';
      logger.info({ logLevel: logger.level }, 'log level changed');
    },
  };
}

/** The fields of a line that may be logged: the fields themselves if there is nothing to hide, else a copy. */
function censorLine(fields: Record<string, unknown>): Record<string, unknown> {
  let clean: Record<string, unknown> | undefined;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    const allowed = CENSORED_NAMES.has(name) ? CENSOR : censorValue(value);
    if (allowed === value) continue;
    clean ??= { ...fields };
    clean[name] = allowed;
  }
  return clean ?? fields;
}

/** The same for the second level. An error is serialized first, because its own fields can hold a secret. */
function censorValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const object = (value instanceof Error ? pino.stdSerializers.err(value) : value) as Record<string, unknown>;
  let clean: Record<string, unknown> | undefined;
  for (const name of Object.keys(object)) {
    if (!CENSORED_NAMES.has(name)) continue;
    clean ??= { ...object };
    clean[name] = CENSOR;
  }
  return clean ?? object;
}

/** Holds lines until it is opened. */
class Gate implements DestinationStream {
  #sink: DestinationStream | undefined;
  #held: string[] = [];

  write(line: string): void {
    if (this.#sink === undefined) this.#held.push(line);
    else this.#sink.write(line);
  }

  /** A second call changes nothing. */
  open(sink: DestinationStream): void {
    if (this.#sink !== undefined) return;
    this.#sink = sink;
    for (const line of this.#held) sink.write(line);
    this.#held = [];
  }
}

/** Writes for people if pino-pretty is installed; it is a development dependency. */
async function prettySink(sink: Sink): Promise<DestinationStream> {
  try {
    const { default: pretty } = await import('pino-pretty');
    return pretty({ destination: sink, colorize: true });
  } catch {
    return sink;
  }
}

/** Fields of sonic-boom that hold what it has not written; a test finds out when a new version has others. */
interface HeldLines {
  readonly fd: number;
  /** Whether `_writingBuf` is on its way to the kernel. */
  readonly _writing: boolean;
  readonly _writingBuf: string | Buffer;
  readonly _bufs: readonly (string | Buffer)[];
}

/**
 * Writes what the log holds, at the exit. Not by sonic-boom's `flushSync`, which repeats a write for ever when it fails with anything but EAGAIN: with
 * EPIPE once the reader of a pipe has gone, with ENOSPC on a full disk.
 */
function writeHeld(sink: Sink, gate: Gate): void {
  gate.open(sink);
  const { fd, _writing, _writingBuf, _bufs } = sink as unknown as HeldLines;
  const held = _writing ? _bufs : [_writingBuf, ..._bufs];
  const lines = held.map((each) => (typeof each === 'string' ? Buffer.from(each) : each));
  writeInTime(fd, Buffer.concat(lines), FLUSH_AT_EXIT_MS);
}
