/** Whether everybody can use the page: without a mouse, without good eyes, in every theme. And the pictures of it in the documentation. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { accessibilityFaults } from './accessibility.js';
import { type BrowserTest, browserTest } from './browser-test.js';
import { CLIPBOARD_PERMISSIONS, copyText } from './clipboard.js';
import { paleTexts } from './contrast.js';
import { reachedParts, usableParts } from './keyboard.js';
import type { TerminalPage } from './terminal-page.js';

const WAY_OUT = 'Control+Shift+l';
/** Level AA, for text of any size. */
const LEAST_CONTRAST = 4.5;
const PICTURES = resolve(import.meta.dirname, '../../docs/pictures');
const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
/** All sixteen colours, each alone, as bold, as faint text and as a background; and text in the colour of its background. */
const COLOURS =
  "for c in 0 1 2 3 4 5 6 7; do printf '\\e[3%sm three%s \\e[9%sm nine%s \\e[0;1;3%sm bold%s \\e[0;4%sm on%s \\e[0m\\n' $c $c $c $c $c $c $c $c; done; printf '\\e[7minverse\\e[0m\\n'";

async function choose(terminal: TerminalPage, label: string): Promise<void> {
  await terminal.button('Appearance').click();
  await terminal.dialog.getByLabel(label, { exact: true }).check();
  await terminal.closeDialog();
}

async function assertAccessible(terminal: TerminalPage, where: string): Promise<void> {
  assert.deepEqual(await accessibilityFaults(terminal.page), [], where);
}

for (const theme of ['Light', 'Dark', 'High contrast']) {
  browserTest(
    `page breaks no rule of accessibility, and all colours are readable, in ${theme.toLowerCase()}`,
    async (t) => {
      const terminal = await t.open({ viewport: { width: 1000, height: 700 } });
      await choose(terminal, theme);
      await terminal.run(COLOURS);
      await terminal.untilShown('nine7');
      await assertAccessible(terminal, 'the terminal');
      const least = theme === 'High contrast' ? 7 : LEAST_CONTRAST;
      const rows = terminal.panel.locator('.xterm-rows');
      assert.deepEqual(await paleTexts(rows, least - 0.05), []);
      const inverse = (await paleTexts(rows, 21.1)).find(({ text }) => text === 'inverse');
      const plain = (await paleTexts(rows, 21.1)).find(({ text }) => text.startsWith('box>'));
      assert.deepEqual([inverse?.color, inverse?.background], [plain?.background, plain?.color]);
    },
  );
}

browserTest('page follows what the system wants when the user chose nothing', async (t) => {
  const backgroundOf = async (terminal: TerminalPage): Promise<number> =>
    terminal.panel
      .locator('.xterm-viewport, .xterm-scrollable-element, .xterm')
      .first()
      .evaluate((element) => {
        for (let each: Element | null = element; each !== null; each = each.parentElement) {
          const parts = (getComputedStyle(each).backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
          if ((parts[3] ?? 1) > 0) return (parts[0] ?? 0) + (parts[1] ?? 0) + (parts[2] ?? 0);
        }
        return 765;
      });
  const light = await t.open({ colorScheme: 'light' });
  const dark = await t.open({ colorScheme: 'dark' });
  assert.ok((await backgroundOf(light)) > 600);
  assert.ok((await backgroundOf(dark)) < 165);
  await dark.page.emulateMedia({ colorScheme: 'light' });
  await dark.untilTrue('the page has followed', async () => (await backgroundOf(dark)) > 600);
});

browserTest('dialogs break no rule of accessibility, give the focus back, and close with Escape', async (t) => {
  const terminal = await t.open({ permissions: CLIPBOARD_PERMISSIONS });
  const look = async (where: string, open: () => Promise<void>): Promise<void> => {
    await open();
    await terminal.dialog.first().waitFor();
    await assertAccessible(terminal, where);
    const isIn = await terminal.page.evaluate(() => document.activeElement?.closest('dialog') !== null);
    assert.ok(isIn, `the focus is in ${where}`);
    await terminal.page.keyboard.press('Escape');
    await terminal.dialog.waitFor({ state: 'hidden' });
    const isBack = await terminal.page.evaluate(() => document.activeElement !== document.body);
    assert.ok(isBack, `the focus is somewhere after ${where}`);
  };
  await look('the help', () => terminal.press('Control+Shift+h'));
  await look('the appearance', () => terminal.button('Appearance').click());
  await look('the commands', () => terminal.button('Commands').click());
  await look('the text', () => terminal.press('Control+Shift+e'));
  await terminal.type('cat');
  await terminal.press('Enter');
  await copyText(terminal.page, 'two\nlines\n');
  await look('the question on lines', () => terminal.press('Control+Shift+v'));
  await terminal.press('Control+f', 'Control+Shift+f');
  await terminal.panel.getByRole('searchbox').waitFor();
  await assertAccessible(terminal, 'the search');
});

browserTest('form for the token breaks no rule of accessibility', async (t) => {
  const terminal = await t.open({ hasToken: false });
  await terminal.page.getByLabel('Token').waitFor();
  await assertAccessible(terminal, 'the form');
  const parts = await usableParts(terminal.page);
  const reached = await reachedParts(terminal.page, WAY_OUT);
  assert.deepEqual(
    parts.filter((part) => !reached.has(part)),
    [],
  );
});

browserTest('keyboard reaches everything and leaves the terminal when there is no mouse', async (t) => {
  const terminal = await t.open();
  await terminal.button('New terminal').click();
  await terminal.untilPrompt();
  await terminal.keyboard.focus();
  // The Tab key is the program's.
  await terminal.page.keyboard.press('Tab');
  assert.ok(await terminal.hasKeyboard());
  const parts = await usableParts(terminal.page);
  const reached = await reachedParts(terminal.page, WAY_OUT);
  assert.deepEqual(
    parts.filter((part) => !reached.has(part)),
    [],
  );
  // The tabs are one stop, with arrows between them.
  await terminal.page.getByRole('tab', { selected: true }).focus();
  await terminal.page.keyboard.press('ArrowLeft');
  assert.equal(await terminal.page.getByRole('tab').first().getAttribute('aria-selected'), 'true');
  assert.match(
    (
      await terminal.page
        .getByRole('tab')
        .first()
        .evaluate((tab) => tab === document.activeElement)
    ).toString(),
    /true/,
  );
  // The help names the way out.
  await terminal.button('Help').click();
  assert.match(((await terminal.dialog.textContent()) ?? '').replace(/\s/g, ''), /Ctrl\+Shift\+L/);
});

/** Shows something worth a picture. */
async function showScene(t: BrowserTest, terminal: TerminalPage): Promise<void> {
  writeFileSync(join(t.workplace.home, 'colours'), `${COLOURS}\n`);
  for (const [line, shown] of [
    ['uname -sm', 'Linux'],
    ['ls --color -C /usr', 'share'],
    ["printf '漢字 かな é ü →\\n'", '→\n'],
    ['bash colours', 'nine7'],
  ] as const) {
    await terminal.type(line);
    await terminal.press('Enter');
    await terminal.untilShown(shown);
    await terminal.untilPrompt();
  }
}

for (const { name, ...options } of [
  { name: 'light', colorScheme: 'light', viewport: { width: 960, height: 600 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 960, height: 600 } },
  {
    name: 'phone',
    colorScheme: 'dark',
    viewport: { width: 390, height: 844 },
    isMobile: true,
    hasTouch: true,
    deviceScaleFactor: 2,
  },
] as const) {
  browserTest(`picture of the page is in the documentation, ${name}`, async (t) => {
    const file = resolve(PICTURES, `terminal-${name}.png`);
    if (process.argv.includes('--update')) {
      const terminal = await t.open({ ...options, reducedMotion: 'reduce' });
      await showScene(t, terminal);
      mkdirSync(PICTURES, { recursive: true });
      await terminal.page.screenshot({ path: file, animations: 'disabled', caret: 'hide' });
    }
    assert.ok(existsSync(file), 'npm run test:browser -- --update takes it');
    assert.ok(readFileSync(file).subarray(0, PNG.length).equals(PNG));
  });
}
