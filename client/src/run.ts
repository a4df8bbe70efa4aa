/** The handle of one command that is no terminal: a promise of its result, and its output. Knows no connection. */
import { CommandHandle } from './command-handle.js';
import { linesOf } from './lines.js';
import { BOTH } from './output.js';
import type { Captured, Result } from './result.js';
import type { StreamName } from './wire.js';

/**
 * A command that runs: await it for its result; read, write, resize and kill it meanwhile.
 *
 * @example
 * const run = box.exec(['sh', '-c', 'echo one; echo two']);
 * for await (const line of run.lines()) console.log(line); // one, then two
 * const { exitCode } = await run;
 * console.log(exitCode); // 0
 */
export class Run<T extends Captured = string> extends CommandHandle<T> implements Promise<Result<T>> {
  readonly [Symbol.toStringTag] = 'Run';

  /** Standard output, from its beginning as far as it is kept. A reader that pauses slows the command; one that leaves its loop does not. */
  get stdout(): AsyncIterable<Uint8Array> {
    return this.bytes(['stdout']);
  }

  /** Standard error, likewise. */
  get stderr(): AsyncIterable<Uint8Array> {
    return this.bytes(['stderr']);
  }

  /** Both streams in the order in which they come. */
  get all(): AsyncIterable<Uint8Array> {
    return this.bytes(BOTH);
  }

  /**
   * Lines, without their ends. Throws behind the last one when the command has failed, unless `reject` is false.
   * @param from a stream, or both; default `stdout`
   */
  lines(from: StreamName | 'all' = 'stdout'): AsyncIterableIterator<string> {
    this.check('lines', { stream: from });
    return linesOf(() => this.read(from === 'all' ? BOTH : [from]));
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise of its result.
  then<A = Result<T>, B = never>(
    onFulfilled?: ((result: Result<T>) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.outcome.then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Result<T> | B> {
    return this.outcome.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<Result<T>> {
    return this.outcome.finally(onFinally);
  }
}
