// Owns how examples are taken from a page and compared with what really came. Knows no page.

/** Code blocks of one language, '' for none, in their order. */
export function blocksOf(page: string, language: string): string[] {
  const fenced = page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm);
  return [...fenced].filter(([, given]) => given === language).map(([, , text = '']) => text);
}

/** A line as a page shows it, where … stands for anything. */
export function linePattern(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
