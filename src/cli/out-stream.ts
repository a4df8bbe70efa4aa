/** Writes to standard output or standard error no faster than they are read, and notices when nobody reads. Knows no command. */
import type { Writable } from 'node:stream';
import { CliError } from './exit-codes.js';

/** The reader of standard output or standard error has gone. */
export class BrokenPipeError extends Error {}

/** Bytes that may wait in this process before `write` waits. Until then a full stream does not hold up the other one. */
const HIGH_WATER_BYTES = 256 * 1024;

/** One stream of this process. */
export class OutStream {
  /** Rejects when it cannot be written to any more; never resolves. */
  readonly failed: Promise<never>;
  readonly #stream: Writable;
  #failure: Error | undefined;
  /** Whether there is anything to flush: even an empty write fails where it is closed. */
  #hasWritten = false;

  /** @param name of the stream in error messages */
  constructor(stream: Writable, name: string) {
    this.#stream = stream;
    this.failed = new Promise((_resolve, reject) => {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        this.#failure ??= failureOf(error, name);
        reject(this.#failure);
      });
    });
    this.failed.catch(() => {});
  }

  /** Resolves when there is room for more. @throws {BrokenPipeError | CliError} */
  async write(data: Uint8Array | string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#hasWritten = true;
    this.#stream.write(data);
    if (this.#stream.writableLength > HIGH_WATER_BYTES) {
      await Promise.race([this.failed, new Promise((resolve) => this.#stream.once('drain', resolve))]);
    }
  }

  /** Resolves when everything is written. @throws {BrokenPipeError | CliError} */
  async flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#hasWritten) return;
    await Promise.race([this.failed, new Promise((resolve) => this.#stream.write('', resolve))]);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function failureOf({ code, message }: NodeJS.ErrnoException, name: string): Error {
  if (code === 'EPIPE') return new BrokenPipeError();
  return new CliError(
    `cannot write to ${name}: ${code === 'EBADF' ? 'it is closed, or open only for reading' : message}`,
  );
}

let stdout: OutStream | undefined;
let stderr: OutStream | undefined;

/** Standard output. */
export function standardOutput(): OutStream {
  stdout ??= new OutStream(process.stdout, 'standard output');
  return stdout;
}

/** Standard error, for the output of commands. */
export function standardError(): OutStream {
  stderr ??= new OutStream(process.stderr, 'standard error');
  return stderr;
}

/** Writes one document. @throws {BrokenPipeError | CliError} */
export async function printJson(document: unknown): Promise<void> {
  await printText(`${JSON.stringify(document, null, 2)}\n`);
}

/** Writes a text to standard output. @throws {BrokenPipeError | CliError} */
export async function printText(text: string): Promise<void> {
  await standardOutput().write(text);
  await standardOutput().flush();
}
