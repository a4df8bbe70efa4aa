/** What a pasted text may bring to a program. Knows no clipboard and no terminal. */

/** A text that can be pasted. */
export interface PasteText {
  /** Without control characters other than tabs and line breaks. */
  readonly text: string;
  readonly lineCount: number;
  /** Whether there is any line break: a shell runs each line that ends with one. */
  readonly hasLineBreak: boolean;
  /** Control characters that were left out. */
  readonly leftOut: number;
}

/**
 * All control characters but tab, line feed and carriage return. An escape sequence in the text could end bracketed paste, and what follows would be run;
 * U+009B begins such a sequence, too.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const HARMFUL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;
const LINE_BREAK = /\r\n|\r|\n/g;

/** Takes out what could do more than be text. */
export function pasteTextOf(given: string): PasteText {
  const text = given.replace(HARMFUL, '');
  const breaks = text.match(LINE_BREAK)?.length ?? 0;
  const endsWithBreak = /[\r\n]$/.test(text);
  return {
    text,
    lineCount: breaks + (endsWithBreak ? 0 : 1),
    hasLineBreak: breaks > 0,
    leftOut: given.length - text.length,
  };
}

/** Lines and characters that a warning shows. */
const SHOWN_LINES = 12;
const SHOWN_CHARACTERS = 600;

/** The beginning of a text, as much as a dialog can show. */
export function beginningOf(text: string): string {
  const lines = text.split(LINE_BREAK);
  const shown = lines.slice(0, SHOWN_LINES).join('\n').slice(0, SHOWN_CHARACTERS);
  const isWhole = lines.length <= SHOWN_LINES && shown.length === lines.join('\n').length;
  return isWhole ? shown : `${shown}\n…`;
}
