/** Finds the word that a user meant by a mistyped one. */

/** A word that needs more edits than this part of its length is a different word. */
const MAX_EDITS_PART = 1 / 2;

/** The nearest of some words; undefined when none is near. */
export function nearestWord(typed: string, words: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let fewest = Math.floor(typed.length * MAX_EDITS_PART) + 1;
  for (const word of words) {
    const edits = editsBetween(typed, word);
    if (edits >= fewest) continue;
    nearest = word;
    fewest = edits;
  }
  return nearest;
}

/** Number of letters to insert, remove or replace. @see https://en.wikipedia.org/wiki/Levenshtein_distance */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
