/** Texts that programs give, such as the title of a terminal, made fit for a line of the page. Knows no tab. */

/** Control characters, and those that turn the direction of text, with which a text could imitate what it is not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const HARMFUL = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** More does not fit in a tab, and a page's title is cut there, too. */
const MAX_CHARACTERS = 80;

/** A title in one line; empty if nothing is left. */
export function titleText(given: string): string {
  return lineOf(given, MAX_CHARACTERS);
}

/** A text in one line, cut where it is longer than so many characters; empty if nothing is left. */
export function lineOf(given: string, maxCharacters: number): string {
  const text = given.replace(HARMFUL, ' ').replace(/\s+/g, ' ').trim();
  const characters = [...text];
  return characters.length > maxCharacters ? `${characters.slice(0, maxCharacters - 1).join('')}…` : text;
}
