/** How a terminal is drawn: by WebGL, and by elements when WebGL is not there any more. */
import assert from 'node:assert/strict';
import { browserTest } from './browser-test.js';
import { startChromium } from './chromium.js';

browserTest('terminal is drawn by WebGL, and goes on with elements when its context is lost', async (t) => {
  const browser = await startChromium({ hasWebGl: true });
  t.after(() => browser.close());
  const terminal = await t.open({ browser, awaitsShell: false });
  const { page } = terminal;
  const isThere = await page.evaluate(() => document.createElement('canvas').getContext('webgl2') !== null);
  if (!isThere) t.skip('this Chromium computes no WebGL here');
  await terminal.button('Appearance').click();
  await terminal.dialog.getByLabel('WebGL', { exact: true }).check();
  await terminal.closeDialog();
  await page.locator('[role=tabpanel][data-renderer=webgl]').waitFor();
  await terminal.type('echo drawn-by-""webgl');
  await terminal.press('Enter');
  await terminal.untilTrue('the shell has answered', async () => /^drawn-by-webgl$/m.test(await terminal.wholeText()));
  const picture = await terminal.panel.locator('.xterm-screen').screenshot();
  await terminal.type('clear');
  await terminal.press('Enter');
  await terminal.untilTrue(
    'the screen is drawn anew',
    async () => !picture.equals(await terminal.panel.locator('.xterm-screen').screenshot()),
  );
  const hasLost = await page.evaluate(() => {
    const contexts = [...document.querySelectorAll('canvas')].flatMap((canvas) => canvas.getContext('webgl2') ?? []);
    for (const context of contexts) context.getExtension('WEBGL_lose_context')?.loseContext();
    return contexts.length > 0;
  });
  assert.ok(hasLost);
  t.faults.expect(/WebGL|webgl/);
  await page.locator('[role=tabpanel][data-renderer=dom]').waitFor();
  await terminal.untilPrompt();
  assert.match(await terminal.run('echo drawn-by-""elements'), /drawn-by-elements/);
});
