/** A title that a program gives its terminal, made fit for a tab. Knows no tab. */

/** Control characters, and those that turn the direction of text, with which a title could imitate what it is not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const HARMFUL = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** More does not fit in a tab, and a page's title is cut there, too. */
const MAX_CHARACTERS = 80;

/** The title in one line; empty if nothing is left. */
export function titleText(given: string): string {
  const text = given.replace(HARMFUL, ' ').replace(/\s+/g, ' ').trim();
  const characters = [...text];
  return characters.length > MAX_CHARACTERS ? `${characters.slice(0, MAX_CHARACTERS - 1).join('')}…` : text;
}
