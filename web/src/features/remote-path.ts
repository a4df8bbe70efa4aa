/** Names and paths of uploaded files, as a shell takes them. Knows no server. */

/** Characters that no shell gives a meaning. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;
/** Control characters, and those that turn the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
/** Bytes of a name: file systems allow 255, and the server writes to a longer name first. */
const MAX_NAME_BYTES = 200;

/** A word of a shell that stands for exactly this text. */
export function shellQuote(text: string): string {
  if (PLAIN.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Whether a path can be typed: a control character in it would act as a key. */
export function canBeTyped(path: string): boolean {
  return path.startsWith('/') && !CONTROL.test(path);
}

/**
 * The name that a file gets on the server: one component, without anything that would act as a key once it is typed, and without a backslash, which some
 * shells heed in single quotes, too.
 */
export function remoteName(name: string): string {
  const replaced = [...name].map((character) => (/[/\\]/.test(character) || CONTROL.test(character) ? '_' : character));
  const { stem, ending } = split(wellFormed(replaced.join('')));
  const cut = cutBytes(stem, MAX_NAME_BYTES - bytesOf(ending)) + ending;
  return cut === '' || cut === '.' || cut === '..' ? 'file' : cut;
}

/** A long name is cut before its ending, because programs go by the ending. */
function split(name: string): { readonly stem: string; readonly ending: string } {
  const [ending = ''] = /(?<=.)(?:\.tar)?\.[^.]*$/.exec(name) ?? [];
  return bytesOf(ending) > MAX_NAME_BYTES / 2
    ? { stem: name, ending: '' }
    : { stem: name.slice(0, name.length - ending.length), ending };
}

function cutBytes(text: string, maxBytes: number): string {
  let bytes = 0;
  let cut = '';
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > maxBytes) break;
    cut += character;
  }
  return cut;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Half characters, which file names of Windows can have, become U+FFFD. */
function wellFormed(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

/** Name of an image of the clipboard, which has none. @param type such as `image/png` @param now the time that the name tells */
export function pastedName(type: string, now: Date): string {
  const time = now.toISOString().slice(0, 19).replaceAll(':', '').replaceAll('-', '').replace('T', '-');
  const ending = /^image\/([a-z0-9]+)/.exec(type)?.[1] ?? 'bin';
  return `pasted-${time}.${ending === 'jpeg' ? 'jpg' : ending}`;
}
