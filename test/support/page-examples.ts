// Takes examples from a page, and turns what the page shows into patterns for what really comes. Knows no page, and runs nothing.

/** A fenced block. */
export interface PageBlock {
  /** `''` where none is given. */
  readonly language: string;
  readonly text: string;
  /** File name in the first line, as a comment: `// name.mjs` or `# name.py`. */
  readonly fileName: string | undefined;
}

/** All blocks of a page, in order. */
export function allBlocksOf(page: string): PageBlock[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
    fileName: /^(?:\/\/|#) (\S+\.\w+)\n/.exec(text)?.[1],
  }));
}

/** Code blocks of one language, '' for none, in their order. */
export function blocksOf(page: string, language: string): string[] {
  return allBlocksOf(page)
    .filter((block) => block.language === language)
    .map(({ text }) => text);
}

/** A line as a page shows it, where … stands for anything. */
export function linePattern(line: string): RegExp {
  return new RegExp(`^${sourceOf(line)}$`);
}

/** Lines as a page shows them, where … stands for anything; blanks at the end do not count. */
export function shownPattern(shown: string): RegExp {
  return new RegExp(`^${shown.trimEnd().split('\n').map(sourceOf).join('\\n')}\\s*$`);
}

function sourceOf(line: string): string {
  const parts = line.split('…').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return parts.join('.*');
}

/** One `$ command` of a console block, with the output shown behind it. */
export interface ConsoleStep {
  readonly command: string;
  readonly shown: string;
}

/** Steps of a console block; a command goes on in the next line after a `\`. */
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
