/** A phone: 390 pixels, fingers in place of a mouse, a keyboard without Ctrl, and characters that are composed. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accessibilityFaults } from './accessibility.js';
import { type BrowserTest, browserTest } from './browser-test.js';
import type { TerminalPage } from './terminal-page.js';

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

async function openPhone(t: BrowserTest): Promise<TerminalPage> {
  return t.open(PHONE);
}

browserTest('page fits a phone and breaks no rule of accessibility there', async (t) => {
  const terminal = await openPhone(t);
  assert.ok(await terminal.fits());
  assert.deepEqual(await accessibilityFaults(terminal.page), []);
  // The keyboard of the phone takes half of the window.
  await terminal.page.setViewportSize({ width: 390, height: 420 });
  await terminal.untilTrue('the terminal fits above the keyboard', () => terminal.fits());
  await terminal.untilRows((rows) => rows >= 5);
});

browserTest('everything that can be done with a command is in sight on a phone', async (t) => {
  const terminal = await openPhone(t);
  await terminal.button('Commands').tap();
  const row = terminal.dialog.getByRole('row').filter({ hasText: 'running' });
  await row.waitFor();
  for (const made of await row.getByRole('button').all()) {
    const { x = -1, width = 0 } = (await made.boundingBox()) ?? {};
    assert.ok(x >= 0 && x + width <= PHONE.viewport.width, `${await made.textContent()} is at ${x}`);
  }
  assert.deepEqual(await accessibilityFaults(terminal.page), []);
});

browserTest('keys that a phone lacks are on the bar, and a held one counts for the next key', async (t) => {
  const terminal = await openPhone(t);
  const bar = terminal.panel.getByRole('toolbar', { name: 'Keys' });
  const tap = (name: string): Promise<void> => bar.getByRole('button', { name, exact: true }).tap();
  await terminal.panel.locator('.xterm').tap();
  await terminal.page.keyboard.type('sleep 1000');
  await terminal.page.keyboard.press('Enter');
  await tap('Ctrl');
  await terminal.page.keyboard.type('c');
  await terminal.untilShown('^C');
  await terminal.untilPrompt();
  assert.ok(await terminal.hasKeyboard(), 'the bar does not take the keyboard away');
  await terminal.page.keyboard.type('c');
  await terminal.untilScreen('a plain letter', (screen) => screen.endsWith('> c'));
  await terminal.page.keyboard.press('Backspace');
  writeFileSync(join(t.workplace.home, 'unusually-named'), '');
  await terminal.page.keyboard.type('echo unusu');
  await tap('Tab');
  await terminal.untilShown('unusually-named');
  await terminal.page.keyboard.press('Enter');
  await terminal.untilShown(/\nunusually-named/);
  await tap('Up');
  await terminal.untilScreen('the line before', (screen) => /> echo unusually-named$/.test(screen));
  // The first one goes over the space that the completion has put there.
  await tap('Left');
  await tap('Left');
  await terminal.page.keyboard.type('X');
  await terminal.untilShown('unusually-nameXd');
});

browserTest('one finger scrolls, and two change the size of letters', async (t) => {
  const terminal = await openPhone(t);
  await terminal.run('seq -f line-%g 1 200');
  const { x = 0, y = 0, width = 0, height = 0 } = (await terminal.panel.locator('.xterm-screen').boundingBox()) ?? {};
  const [middleX, middleY] = [x + width / 2, y + height / 2];
  const cdp = await terminal.page.context().newCDPSession(terminal.page);
  const touch = (
    type: 'touchStart' | 'touchMove' | 'touchEnd',
    points: readonly (readonly [number, number])[],
  ): Promise<unknown> =>
    cdp.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([px, py], id) => ({ x: px, y: py, id })) });
  const firstLine = async (): Promise<number> => Number(/line-(\d+)/.exec(await terminal.screen())?.[1]);
  const before = await firstLine();
  await touch('touchStart', [[middleX, middleY - 150]]);
  for (let step = 1; step <= 10; step += 1) await touch('touchMove', [[middleX, middleY - 150 + step * 30]]);
  await touch('touchEnd', []);
  await terminal.untilTrue('earlier lines are shown', async () => (await firstLine()) < before);
  const rows = await terminal.rowCount();
  await touch('touchStart', [
    [middleX - 40, middleY],
    [middleX + 40, middleY],
  ]);
  for (let step = 1; step <= 8; step += 1) {
    await touch('touchMove', [
      [middleX - 40 - step * 8, middleY],
      [middleX + 40 + step * 8, middleY],
    ]);
  }
  await touch('touchEnd', []);
  await terminal.untilRows((now) => now < rows);
  assert.ok(await terminal.fits());
});

browserTest('composed characters arrive once, when they are complete', async (t) => {
  const terminal = await openPhone(t);
  await terminal.keyboard.focus();
  const cdp = await terminal.page.context().newCDPSession(terminal.page);
  await terminal.page.keyboard.type('echo composed-');
  for (const text of ['k', 'か', 'かn', 'かん', 'かんj', 'かんじ']) {
    await cdp.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
  }
  await cdp.send('Input.insertText', { text: '漢字' });
  await terminal.untilShown('composed-漢字');
  await terminal.page.keyboard.press('Enter');
  await terminal.untilShown(/\ncomposed-漢字\n/);
  assert.doesNotMatch(await terminal.screen(), /かん/);
});
