/** Code blocks of a page, and comparing what was printed with what a page shows. Knows no page and runs nothing. */

/** A fenced block. */
export interface PageBlock {
  /** `''` where none is given. */
  readonly language: string;
  readonly text: string;
  /** File name in the first line, as a comment: `// name.mjs` or `# name.py`. */
  readonly fileName: string | undefined;
}

/** All blocks of a page, in order. */
export function blocksOf(page: string): PageBlock[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
    fileName: /^(?:\/\/|#) (\S+\.\w+)\n/.exec(text)?.[1],
  }));
}

/** Matches text as a page shows it; … stands for anything within a line, and a line of … alone for any lines. */
export function shownPattern(shown: string): RegExp {
  const lines = shown.trimEnd().split('\n');
  const patterns = lines.map((line) => {
    const parts = line.trimEnd().split('…');
    return line === '…'
      ? '[\\s\\S]*?'
      : parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('.*');
  });
  return new RegExp(`^${patterns.join('\\n')}\\s*$`);
}

/** One `$ command` of a console block, with the output shown behind it. */
export interface ConsoleStep {
  readonly command: string;
  readonly shown: string;
}

/** Steps of a console block; a line that ends with `\` goes on. */
export function consoleSteps(text: string): ConsoleStep[] {
  const steps: { command: string; shown: string }[] = [];
  let goesOn = false;
  for (const line of text.trimEnd().split('\n')) {
    const last = steps.at(-1);
    if (goesOn && last !== undefined) last.command += `\n${line}`;
    else if (line.startsWith('$ ')) steps.push({ command: line.slice(2), shown: '' });
    else if (last === undefined) throw new Error(`a console block begins with output: ${line}`);
    else last.shown += `${line}\n`;
    goesOn = (goesOn || line.startsWith('$ ')) && line.endsWith('\\');
  }
  return steps;
}
