/** A wrong value as an error shows it. Knows no option. */

/** Characters of a text that are shown. */
const SHOWN_CHARACTERS = 60;

/** A value in some words: one line, and nothing of what is in an object. */
export function shownValue(value: unknown): string {
  if (typeof value === 'string') {
    const cut = value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value;
    return JSON.stringify(cut);
  }
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  const { name = 'Object' } = (Object.getPrototypeOf(value)?.constructor ?? {}) as { readonly name?: string };
  return name === 'Object' ? 'an object' : `an object of the class ${name}`;
}
