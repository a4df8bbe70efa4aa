/** Looks for a pattern of a model in text, within a limit of time: a pattern may be one that takes hours. Knows no command. */
import { type Context, createContext, Script } from 'node:vm';
import { ToolError } from './tool-error.js';

/** Milliseconds of processor time that one look may take. */
const LIMIT_MS = 200;
/** Node only limits the time by the clock, and on a busy machine that passes while this process waits for a core. So a look is tried again. */
const LONGER_EACH_TIME = 2;
const MICROSECONDS_PER_MS = 1000;
/** Node interrupts a program in a context of its own, and the search for a pattern with it. */
const SEARCH = new Script('pattern.exec(text)?.[0]');

/** A pattern, ready to be looked for. */
export class BoundedMatch {
  readonly #context: Context;
  readonly #source: string;

  /** @throws {ToolError} when it is no regular expression */
  constructor(source: string) {
    this.#source = source;
    try {
      this.#context = createContext({ pattern: new RegExp(source, 'm'), text: '' });
    } catch (error) {
      throw new ToolError(
        `match: ${error instanceof Error ? error.message : 'no regular expression'}. Give a JavaScript regular expression without slashes, and escape . ( ) [ ] ? * + { } $ ^ | \\ to mean themselves.`,
      );
    }
  }

  /** The text that matched. @throws {ToolError} when the search takes too long */
  find(text: string): string | undefined {
    this.#context.text = text;
    const before = process.cpuUsage();
    for (let timeout = LIMIT_MS; ; timeout *= LONGER_EACH_TIME) {
      try {
        return SEARCH.runInContext(this.#context, { timeout });
      } catch {
        if (millisecondsOf(process.cpuUsage(before)) < LIMIT_MS) continue;
        throw new ToolError(
          `match: looking for ${this.#source} took more than ${LIMIT_MS} ms. Give a simpler pattern, without one repetition inside another.`,
        );
      }
    }
  }
}

function millisecondsOf({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / MICROSECONDS_PER_MS;
}
