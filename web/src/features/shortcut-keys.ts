/** Which keys are a shortcut. Knows no element and not what shortcuts do. */

/** What is looked at of a `KeyboardEvent`. */
export interface KeyPress {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

/** Whether a press is a shortcut. @param keys such as `Ctrl+Shift+F`: modifiers, and a letter or the name of a key */
export function isShortcut(press: KeyPress, keys: string): boolean {
  const parts = keys.split('+');
  const name = parts.at(-1) ?? '';
  const wanted = new Set(parts.slice(0, -1));
  return (
    press.ctrlKey === wanted.has('Ctrl') &&
    press.shiftKey === wanted.has('Shift') &&
    press.altKey === wanted.has('Alt') &&
    press.metaKey === wanted.has('Meta') &&
    isKey(press, name)
  );
}

function isKey({ key, code }: KeyPress, name: string): boolean {
  if (key.toUpperCase() === name.toUpperCase()) return true;
  // A keyboard of another script has no such letter, and then its place on the keyboard counts.
  return name.length === 1 && !/^[ -~]+$/.test(key) && code === `Key${name.toUpperCase()}`;
}
