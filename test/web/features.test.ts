/** The parts of the browser terminal's features that need no browser. */
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { keySequence, withModifiers } from '../../web/src/features/key-codes.js';
import { looksLikeAnother, shownAddress } from '../../web/src/features/link-address.js';
import { beginningOf, pasteTextOf } from '../../web/src/features/paste-text.js';
import { canBeTyped, pastedName, remoteName, shellQuote } from '../../web/src/features/remote-path.js';
import { isShortcut, type KeyPress } from '../../web/src/features/shortcut-keys.js';
import { THEMES, themeOf } from '../../web/src/features/themes.js';
import { titleText } from '../../web/src/features/title-text.js';
import { Settings } from '../../web/src/settings.js';

const NONE = { ctrl: false, alt: false, applicationCursor: false };

t.test('a key of the key bar sends what xterm sends', async (t) => {
  t.equal(keySequence('Escape', NONE), '\x1b');
  t.equal(keySequence('Tab', NONE), '\t');
  t.equal(keySequence('ArrowUp', NONE), '\x1b[A');
  t.equal(keySequence('ArrowUp', { ...NONE, applicationCursor: true }), '\x1bOA', 'vim switches that on');
  t.equal(keySequence('ArrowLeft', { ...NONE, ctrl: true, applicationCursor: true }), '\x1b[1;5D');
  t.equal(keySequence('ArrowRight', { ...NONE, ctrl: true, alt: true }), '\x1b[1;7C');
  t.equal(keySequence('Home', NONE), '\x1b[H');
  t.equal(keySequence('PageDown', NONE), '\x1b[6~');
  t.equal(keySequence('PageUp', { ...NONE, alt: true }), '\x1b[5;3~');
  t.equal(keySequence('Tab', { ...NONE, alt: true }), '\x1b\t');
});

t.test('a modifier changes the first character that is typed', async (t) => {
  const ctrl = { ctrl: true, alt: false };
  t.equal(withModifiers('c', ctrl), '\x03');
  t.equal(withModifiers('C', ctrl), '\x03');
  t.equal(withModifiers('cd', ctrl), '\x03d', 'the rest of a word stays');
  t.equal(withModifiers('[', ctrl), '\x1b');
  t.equal(withModifiers(' ', ctrl), '\x00');
  t.equal(withModifiers('é', ctrl), 'é', 'which has no control character');
  t.equal(withModifiers('b', { ctrl: false, alt: true }), '\x1bb');
  t.equal(withModifiers('b', { ctrl: true, alt: true }), '\x1b\x02');
  t.equal(withModifiers('b', { ctrl: false, alt: false }), 'b');
  t.equal(withModifiers('', ctrl), '');
});

t.test('a pasted text keeps lines and tabs, and loses what could act', async (t) => {
  t.match(pasteTextOf('ls\t-l'), { text: 'ls\t-l', lineCount: 1, hasLineBreak: false, leftOut: 0 });
  t.match(pasteTextOf('one\ntwo\r\nthree\r'), { lineCount: 3, hasLineBreak: true, leftOut: 0 });
  t.match(pasteTextOf('ls\n'), { lineCount: 1, hasLineBreak: true }, 'which a shell runs, too');
  t.match(pasteTextOf('a\x1b[201~rm'), { text: 'a[201~rm', leftOut: 1 }, 'so it cannot end bracketed paste');
  t.match(pasteTextOf('a\x9b201~\x03b\x7f'), { text: 'a201~b', leftOut: 3 });
  t.match(pasteTextOf('日本 é 🙂'), { text: '日本 é 🙂', leftOut: 0 });
});

t.test('a pasted text of a megabyte stays whole', async (t) => {
  const text = `${'0123456789abcde\n'.repeat(65_536)}`;
  const pasted = pasteTextOf(text);
  t.equal(pasted.text, text);
  t.equal(pasted.lineCount, 65_536);
});

t.test('a warning shows the beginning of a text', async (t) => {
  t.equal(beginningOf('one\r\ntwo'), 'one\ntwo');
  t.equal(beginningOf('one\ntwo\n'), 'one\ntwo\n');
  const long = beginningOf('line\n'.repeat(100));
  t.ok(long.endsWith('\n…'));
  t.equal(long.split('\n').length, 13);
  t.ok(beginningOf('x'.repeat(10_000)).length < 1000);
});

t.test('a quoted path is one word of a shell with exactly that text', async (t) => {
  const paths = ['/tmp/a.txt', '/tmp/a b', "/tmp/it's", '/tmp/$HOME `id` "x" \\', '/tmp/日本.png', '/tmp/-n', '~'];
  for (const path of paths) {
    const echoed = execFileSync('sh', ['-c', `printf %s ${shellQuote(path)}`], { encoding: 'utf8' });
    t.equal(echoed, path);
  }
  t.equal(shellQuote('/tmp/a-b_1.txt'), '/tmp/a-b_1.txt', 'plain ones stay readable');
  t.equal(shellQuote(''), "''");
});

t.test('a name on the server is one component that can be typed', async (t) => {
  t.equal(remoteName('report 1.txt'), 'report 1.txt');
  t.equal(remoteName('../../etc/passwd'), '.._.._etc_passwd');
  t.equal(remoteName('a\nrm -rf b\x1b'), 'a_rm -rf b_');
  t.equal(remoteName('a\u202egnp.sh'), 'a_gnp.sh');
  t.match(remoteName(`${'l'.repeat(300)}.tar.gz`), /^l+\.tar\.gz$/);
  t.equal(remoteName('.bashrc'), '.bashrc');
  t.equal(remoteName("x\\'; id; #"), "x_'; id; #", 'fish heeds a backslash in single quotes');
  for (const name of ['', '.', '..']) t.equal(remoteName(name), 'file');
  t.equal(remoteName('\ud800.txt'), '\ufffd.txt');
  const long = remoteName(`${'é'.repeat(300)}.tar`);
  t.ok(new TextEncoder().encode(long).length <= 200);
  t.ok(long.endsWith('é.tar'), 'the ending stays');
  t.ok(new TextEncoder().encode(remoteName(`a.${'b'.repeat(400)}`)).length <= 200);
});

t.test('a path with a control character is not typed', async (t) => {
  t.ok(canBeTyped('/tmp/x y'));
  t.notOk(canBeTyped('/tmp/x\ny'));
  t.notOk(canBeTyped('tmp/x'));
});

t.test('a pasted image gets a name with the time', async (t) => {
  const now = new Date(Date.UTC(2026, 10, 28, 3, 4, 5));
  t.equal(pastedName('image/png', now), 'pasted-20261128-030405.png');
  t.equal(pastedName('image/jpeg', now), 'pasted-20261128-030405.jpg');
  t.equal(pastedName('image/svg+xml', now), 'pasted-20261128-030405.svg');
  t.equal(pastedName('', now), 'pasted-20261128-030405.bin');
});

const press = (given: Partial<KeyPress>): KeyPress => ({
  key: '',
  code: '',
  ctrlKey: false,
  shiftKey: false,
  altKey: false,
  metaKey: false,
  ...given,
});

t.test('a shortcut is its key with exactly its modifiers', async (t) => {
  const find = press({ key: 'F', code: 'KeyF', ctrlKey: true, shiftKey: true });
  t.ok(isShortcut(find, 'Ctrl+Shift+F'));
  t.notOk(isShortcut({ ...find, altKey: true }, 'Ctrl+Shift+F'));
  t.notOk(isShortcut({ ...find, shiftKey: false }, 'Ctrl+Shift+F'));
  t.ok(isShortcut(press({ key: 'ArrowUp', code: 'ArrowUp', ctrlKey: true, shiftKey: true }), 'Ctrl+Shift+ArrowUp'));
});

t.test('a letter counts where its keyboard has it, and its place does where there is no such letter', async (t) => {
  const held = { ctrlKey: true, shiftKey: true };
  t.ok(isShortcut(press({ key: 'А', code: 'KeyF', ...held }), 'Ctrl+Shift+F'), 'a Russian keyboard');
  t.ok(isShortcut(press({ key: 'F', code: 'KeyY', ...held }), 'Ctrl+Shift+F'), 'a Dvorak keyboard');
  t.notOk(isShortcut(press({ key: 'U', code: 'KeyF', ...held }), 'Ctrl+Shift+F'), 'another key of that keyboard');
});

t.test('a title is one short line of harmless characters', async (t) => {
  t.equal(titleText('vim  notes.txt'), 'vim notes.txt');
  t.equal(titleText('a\u202egnp.exe\x07\nb'), 'a gnp.exe b');
  t.equal(titleText('\x1b\u2066'), '');
  t.equal([...titleText('🙂'.repeat(200))].length, 80);
});

/** Contrast that edges of controls and marks of focus need: WCAG 2.2, 1.4.11. */
const EDGE_CONTRAST = 3;

/** Relative luminance of WCAG 2.2. @param color as #RRGGBB */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [lighter = 0, darker = 0] = [luminance(one), luminance(other)].sort((left, right) => right - left);
  return (lighter + 0.05) / (darker + 0.05);
}

/** Names of pairs that have too little contrast. */
function tooFaint(pairs: readonly (readonly [string, string, string])[], minimum: number): string[] {
  return pairs
    .filter(([, one, other]) => contrast(one, other) < minimum)
    .map(([name, one, other]) => `${name} ${contrast(one, other).toFixed(2)}`);
}

for (const [name, { page, terminal, search, minimumContrast, isDark }] of Object.entries(THEMES)) {
  t.test(`theme ${name} has enough contrast in the page`, async (t) => {
    const grounds = [page.background, page.surface];
    const texts = grounds.flatMap((ground) =>
      (['text', 'muted', 'accent', 'danger'] as const).map((color) => [color, page[color], ground] as const),
    );
    t.strictSame(tooFaint(texts, minimumContrast), []);
    t.strictSame(tooFaint([['button', page.accent, page['on-accent']]], minimumContrast), []);
    t.strictSame(tooFaint([['warning', page.warning, page['on-warning']]], minimumContrast), []);
    const edges = grounds.flatMap((ground) =>
      (['edge', 'focus'] as const).map((color) => [color, page[color], ground] as const),
    );
    t.strictSame(tooFaint(edges, EDGE_CONTRAST), []);
  });

  t.test(`theme ${name} has enough contrast in a terminal`, async (t) => {
    // xterm.js gives text of these colours more contrast.
    const grounds = isDark ? ['black'] : ['white', 'brightWhite'];
    const { background, cursorAccent, selectionBackground, selectionInactiveBackground, ...others } = terminal;
    const texts = Object.entries(others).filter(
      ([color]) => !color.startsWith('scrollbar') && !grounds.includes(color),
    );
    t.strictSame(
      tooFaint(
        texts.map(([color, value]) => [color, value, background]),
        minimumContrast,
      ),
      [],
    );
    t.strictSame(tooFaint([['text under the cursor', terminal.cursor, cursorAccent]], minimumContrast), []);
    t.strictSame(tooFaint([['faint text', page.muted, background]], minimumContrast), []);
    const marks = Object.entries({ selectionBackground, selectionInactiveBackground, ...search });
    t.strictSame(
      tooFaint(
        marks.map(([ground, value]) => [ground, terminal.foreground, value]),
        minimumContrast,
      ),
      [],
    );
  });
}

t.test('the theme goes by the choice first, and then by the wishes of the system', async (t) => {
  const none = { prefersDark: false, prefersContrast: false };
  t.equal(themeOf('system', none), 'light');
  t.equal(themeOf('system', { ...none, prefersDark: true }), 'dark');
  t.equal(themeOf('system', { prefersDark: true, prefersContrast: true }), 'contrast');
  t.equal(themeOf('light', { prefersDark: true, prefersContrast: true }), 'light');
});

/** A storage with one text. */
function placeWith(stored: string): { getItem(): string; setItem(name: string, value: string): void } {
  let text = stored;
  return {
    getItem: () => text,
    setItem(_name, value) {
      text = value;
    },
  };
}

t.test('settings take what is stored where it is valid, and keep what is set', async (t) => {
  const place = placeWith('{"theme": "dark", "fontSize": 4000, "bell": "gong", "other": 1}');
  const settings = new Settings(place);
  t.equal(settings.get('theme'), 'dark');
  t.equal(settings.get('fontSize'), 14);
  t.equal(settings.get('bell'), 'flash');
  const changed: string[] = [];
  const stop = settings.onChange((name) => changed.push(name));
  settings.set('fontSize', 20);
  settings.set('fontSize', 20);
  settings.set('fontSize', 1);
  t.strictSame(changed, ['fontSize'], 'only a change that is one is told');
  t.equal(new Settings(place).get('fontSize'), 20);
  stop();
  settings.set('theme', 'light');
  t.equal(changed.length, 1);
});

t.test('settings follow another page of the same browser', async (t) => {
  const place = placeWith('{}');
  const here = new Settings(place);
  const changed: string[] = [];
  here.onChange((name) => changed.push(name));
  new Settings(place).set('theme', 'contrast');
  here.readAgain();
  t.equal(here.get('theme'), 'contrast');
  t.strictSame(changed, ['theme']);
});

t.test('settings hold without a storage, and with a broken or a full one', async (t) => {
  const full = {
    getItem: () => '{',
    setItem() {
      throw new Error('full');
    },
  };
  for (const place of [undefined, full]) {
    const settings = new Settings(place);
    settings.set('keyBar', 'on');
    t.equal(settings.get('keyBar'), 'on');
  }
});

t.test('an address that imitates another one is shown as it is, and is asked about', async (t) => {
  t.equal(shownAddress('https://аррӏе.com/'), 'https://xn--80ak6aa92e.com/');
  t.equal(shownAddress('no address'), 'no address');
  const deceptions = {
    'https://example.com/a@b': false,
    'https://google.com@evil.example/': true,
    'https://аррӏе.com/': true,
    'no address': false,
  };
  for (const [uri, expected] of Object.entries(deceptions)) t.equal(looksLikeAnother(uri), expected, uri);
});
