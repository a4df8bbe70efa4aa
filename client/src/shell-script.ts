/**
 * What is typed into a shell so that one line at a time can be run in it, and its end be told from its output. Knows no connection.
 *
 * Each line is run in the shell itself, so that directory and variables persist, with its input closed and its errors joined to its output. Both are restored behind
 * it, whatever the line does with `exec`. Then a function
 * prints a mark: to the output, where it separates what came before, and to standard error, which no line can reach, with the exit code. The mark is
 * random, made for this line, and printed of two halves, so that a shell that shows what it is about to run does not show it.
 */
import type { StreamName } from './wire.js';

/** Which shell is meant. */
export type ShellKind = 'bash' | 'sh';

/** What is started. Interactive, because only such a shell survives Ctrl-C; without job control, which would want a terminal. */
export const SHELL_COMMANDS: Readonly<Record<ShellKind, readonly string[]>> = {
  bash: ['bash', '--noprofile', '--norc', '--noediting', '+m', '-i'],
  sh: ['sh', '+m', '-i'],
};

/** Stands around the mark on standard error. */
const FRAME = '\u001e';

/**
 * Descriptor of the output. Standard output itself is closed to everything but lines, so that prompts, traces and the user's DEBUG traps write nothing into
 * the output of a line. Other shells than bash have no such traps, and no descriptors of two digits.
 */
const OUTPUT: Readonly<Record<ShellKind, number>> = { bash: 39, sh: 1 };

/**
 * What is typed before the first line: no prompts, and the function that prints the mark. It works without history, under `set -u`, with any IFS, and when
 * the user has a function or an alias with the name of a builtin: `command` passes by functions, and the backslash by aliases.
 *
 * In bash a failure under `set -e` would end the shell and lose its variables: the ERR trap interrupts the line instead, as Ctrl-C does. `exit` does not
 * print its name, and traps hold in every line.
 */
export function preparation(kind: ShellKind): string {
  const common = `PS1= PS2= __execwire=
__execwire_mark() { __execwire=\${__execwire:-$?}; \\command printf %s "$1$2" >&${OUTPUT[kind]}; \\command printf '\\036%s %s\\036' "$1$2" "$__execwire" >&2; __execwire=; }
`;
  return kind === 'sh'
    ? common
    : `${common}exec 39>&1 >&2
set +H +o history; unset TMOUT
exit() { \\command exit "$@" 2>/dev/null; }
set -ET; trap '__execwire_code=$?; if [[ $BASHPID == "$$" && $- == *e* ]]; then __execwire=$__execwire_code; \\command kill -INT "$$"; fi' ERR
`;
}

/**
 * What is typed to run a line. The shell reads it as a file: `return` then ends the line and not the shell, and bash does not want a terminal when a program
 * dies by a signal.
 * @param mark letters and digits that cannot be guessed
 */
export function typedLine(kind: ShellKind, line: string, mark: string): string {
  // Not the whole mark: a shell that shows what it is about to run shows this.
  const end = mark.slice(mark.length / 2);
  const surroundings = kind === 'bash' ? '>&39 2>&1 39>&-' : '2>&1 1>&2';
  return `\\command . /dev/stdin <<'${end}' ${surroundings}\n{ \\command exec </dev/null; } >/dev/null 2>&1\n${line}\n${end}\n${typedMark(mark)}`;
}

/** What is typed to have the mark printed. */
export function typedMark(mark: string): string {
  const half = mark.length / 2;
  return `__execwire_mark ${mark.slice(0, half)} ${mark.slice(half)}\n`;
}

/** What is typed after Ctrl-C, which may have eaten the mark, and may still eat the first character. The exit code is that of SIGINT. */
export function typedAgain(mark: string): string {
  return `\n\n__execwire=130\n${typedMark(mark)}`;
}

/** Finds the end of one line in what a shell writes. */
export class LineEnd {
  /** Exit code of the line; undefined until it is told. */
  exitCode: number | undefined;
  readonly #mark: string;
  /** End of a stream that may be the start of a mark. Text as Latin-1: one character a byte. */
  readonly #held: Record<StreamName, string> = { stdout: '', stderr: '' };
  #isMarked = false;

  constructor(mark: string) {
    this.#mark = mark;
  }

  /** Whether the whole of the line's output and its exit code are there. */
  get isReached(): boolean {
    return this.#isMarked && this.exitCode !== undefined;
  }

  /** @returns what of the bytes is output of the line, and what comes behind its end */
  push(stream: StreamName, latin1: string): { readonly output: string; readonly behind: string } {
    if (stream === 'stderr') {
      this.#readStatus(latin1);
      return { output: '', behind: '' };
    }
    if (this.#isMarked) return { output: '', behind: latin1 };
    const text = this.#held.stdout + latin1;
    const at = text.indexOf(this.#mark);
    if (at >= 0) {
      this.#isMarked = true;
      return { output: text.slice(0, at), behind: text.slice(at + this.#mark.length) };
    }
    const kept = Math.min(text.length, this.#mark.length - 1);
    this.#held.stdout = text.slice(text.length - kept);
    return { output: text.slice(0, text.length - kept), behind: '' };
  }

  /** What was held back because it might have been the start of the mark. */
  rest(): string {
    return this.#isMarked ? '' : this.#held.stdout;
  }

  #readStatus(latin1: string): void {
    const text = this.#held.stderr + latin1;
    const found = new RegExp(`${FRAME}${this.#mark} (\\d+)${FRAME}`).exec(text);
    if (found !== null) this.exitCode = Number(found[1]);
    // A mark and an exit code of three digits, and their frame.
    this.#held.stderr = text.slice(-(this.#mark.length + 8));
  }
}
