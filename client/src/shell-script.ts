/**
 * What is typed into a shell to run one line in it, and how the line's end is found in the shell's output. Knows no connection.
 *
 * The shell itself runs each line, so that directory and variables persist. The line's input is empty and its errors go to its output; the shell restores
 * both afterwards, also when the line changed them by `exec`. Around the output of the line the shell prints a mark: before it, as soon as the shell has read
 * the whole line, and behind it with the exit code. A mark is random and used once. It is typed in two halves, so that a shell that shows its commands does not
 * show a whole mark.
 *
 * A line can break all this: it may disable a builtin, forbid new descriptors, or undefine the function that prints marks. So a last thing is typed that needs
 * none of these: the expansion of a variable that only a whole round sets. Where it is not set, the shell itself prints the mark as an error.
 */
import type { StreamName } from './wire.js';

/** The kind of shell. */
export type ShellKind = 'bash' | 'sh';

/**
 * What is started. Interactive, because only an interactive shell survives Ctrl-C; without job control, which needs a terminal; and without history from
 * the very start, or bash would load the user's and add what is typed here.
 */
export const SHELL_COMMANDS: Readonly<Record<ShellKind, readonly string[]>> = {
  bash: ['bash', '--noprofile', '--norc', '--noediting', '+mH', '+o', 'history', '-i'],
  sh: ['sh', '+m', '-i'],
};

/** Stands before and after a mark. */
const FRAME = '\u001e';
/** Characters of a mark with its exit code and frames, or a few more. */
const LONGEST_MARK = 40;
/** Characters of the shell's own errors that are kept: more than a mark. */
const SHOWN_ERRORS = 500;
/** Exit code of a line that Ctrl-C ended: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

/**
 * Descriptor of the output in bash, where standard output is closed to everything but lines: prompts and the user's DEBUG traps write nothing into the output
 * of a line. A number that scripts do not use. Other shells know no such traps, and no descriptors of two digits.
 */
const BASH_OUTPUT = 39;

/**
 * Typed first: no prompts, and the functions that print marks. They work without history, under `set -u`, with any IFS, and when the user has a function,
 * or an alias, with the name of a builtin: `command` passes by functions, and the backslash by aliases. Only a `command` that runs what it is given
 * sets `__execwire_ok`: a function of that name may print nothing and not fail. `set -v` holds in lines only, or the output of a line
 * would show what is typed around it.
 */
function commonPreparation(toOutput: string): string {
  return `PS1= PS2= __execwire_int=
__execwire_say() { \\command printf '\\036%s\\036' "$1$2\${3-}"${toOutput}; }
__execwire_mark() { __execwire=\${__execwire:-$?}; __execwire_say "$1" "$2" " \${3:+$__execwire}" && \\command eval "__execwire_ok=$3"; __execwire=; __execwire_begun=; case $- in *v*) \\command set +v; __execwire_v="\\\\command set -v" ;; *) __execwire_v= ;; esac; \\command eval "$__execwire_int"; __execwire_int=; }
`;
}

/**
 * Typed next in bash. Clears the history of the HISTFILE that the caller gave, and unsets it: a line that turns on the history finds and saves none. A failure under `set -e` would end the shell and lose its variables: the ERR trap interrupts the line instead, as Ctrl-C does, without
 * the user's own INT trap, which the next mark sets again. `exit` does not print its name, and traps hold in every line.
 */
const BASH_PREPARATION = `exec ${BASH_OUTPUT}>&1 >&2
unset TMOUT HISTFILE; history -c
exit() { \\command exit "$@" 2>/dev/null; }
set -ET; trap '__execwire_code=$?; if [[ $BASHPID == "$$" && $- == *e* ]]; then __execwire=$__execwire_code; __execwire_int=$(\\command trap -p INT); \\command trap - INT; \\command kill -INT "$$"; fi' ERR
`;

/** What is typed before the first line. */
export function preparation(kind: ShellKind): string {
  return kind === 'bash' ? commonPreparation(` >&${BASH_OUTPUT}`) + BASH_PREPARATION : commonPreparation('');
}

/**
 * What is typed to run a line. The shell reads it as a file: `return` then ends the line and not the shell, and bash does not want a terminal when a program
 * dies by a signal.
 * @param mark letters and digits that nobody can guess
 */
export function typedLine(kind: ShellKind, line: string, mark: string): string {
  const [first, second] = halves(mark);
  const surroundings = kind === 'bash' ? `>&${BASH_OUTPUT} 2>&1 ${BASH_OUTPUT}>&-` : '2>&1 1>&2';
  return (
    `__execwire_ok=; __execwire_say ${first} ${second}; \\command . /dev/stdin <<'${second}' ${surroundings}\n` +
    `{ \\command exec </dev/null; __execwire_begun=1; \\command eval "$__execwire_v"; } >/dev/null 2>&1\n${line}\n${second}\n` +
    `${typedMark(mark, '"$__execwire_begun"')}__execwire_ok=\${__execwire_ok:?${first}''${second}}\n`
  );
}

/** What is typed to have a mark printed. @param isWhole empty if the shell could not run what this is the mark of; no exit code is then told */
function typedMark(mark: string, isWhole: string): string {
  return `__execwire_mark ${halves(mark).join(' ')} ${isWhole}\n`;
}

/** What is typed after Ctrl-C, which may still eat the first character. */
export function typedHandshake(mark: string): string {
  return `\n\n${typedMark(mark, '1')}`;
}

function halves(mark: string): [string, string] {
  const half = mark.length / 2;
  return [mark.slice(0, half), mark.slice(half)];
}

/** Finds the start and the end of one line in what a shell writes. */
export class LineEnd {
  /** Whether the shell has read the whole line. An interrupt before would leave the rest of it to be run as lines of its own. */
  hasBegun = false;
  /** Whether the whole of the line's output is there, and the shell takes the next line. */
  isReached = false;
  /** Exit code of the line; undefined until it is told, and where an interrupt took the mark that tells it. */
  declare exitCode: number | undefined;
  /** The line's own mark, and one for each interrupt. The shell takes the next line after the newest one. */
  readonly #marks: string[];
  /** End of the output that may be the start of a mark. Text as Latin-1: one character a byte. */
  #held = '';
  /** The newest of what the shell wrote on standard error. */
  #errors = '';
  #isMarked = false;
  /** What came behind the line's end. */
  behind = '';

  constructor(mark: string) {
    this.#marks = [mark];
  }

  get wasInterrupted(): boolean {
    return this.#marks.length > 1;
  }

  /** What the shell wrote on standard error when it could not print the mark of the line; undefined if it could. */
  get failure(): string | undefined {
    const [before, after] = this.#errors.split(`: ${this.#marks[0]}`);
    // An interrupt may take the mark, and the newest one is then waited for.
    return after === undefined || this.wasInterrupted ? undefined : before;
  }

  /** The line is interrupted: it has ended when this new mark comes. */
  interrupt(mark: string): void {
    this.#marks.push(mark);
    this.isReached = false;
  }

  /** @returns what of the bytes is output of the line */
  push(stream: StreamName, latin1: string): string {
    let output = '';
    if (stream === 'stderr') this.#errors = (this.#errors + latin1).slice(-SHOWN_ERRORS);
    else {
      const parts = (this.#held + latin1).split(new RegExp(`${FRAME}(${this.#marks.join('|')})( \\d*)?${FRAME}`));
      // Only what may be the start of a mark is held back, because output is shown as it comes.
      const last = parts.pop() ?? '';
      const start = last.indexOf(FRAME, last.length - LONGEST_MARK);
      const end = start < 0 ? last.length : start;
      this.#held = last.slice(end);
      parts.push(last.slice(0, end));
      for (let at = 0; at < parts.length; at += 3) {
        const [text = '', mark, code] = parts.slice(at);
        if (this.#isMarked) this.behind += text;
        else output += text;
        if (mark !== undefined) this.#read(mark, code);
      }
    }
    return output;
  }

  /** What was held back because it might have been the start of a mark. */
  rest(): string {
    return this.#isMarked ? '' : this.#held;
  }

  #read(mark: string, told: string | undefined): void {
    if (told === undefined) this.hasBegun = true;
    else if (told !== ' ') {
      this.#isMarked = true;
      this.isReached = mark === this.#marks.at(-1);
      // Behind an interrupt any other code may be that of half a mark, which the shell took for a command.
      const code = Number(told);
      if (mark === this.#marks[0] || code === INTERRUPTED) this.exitCode ??= code;
    }
  }
}
