/** Smaller features of a terminal: searching, titles, the bell, the size of letters, and text for those who cannot see the screen. */
import assert from 'node:assert/strict';
import { browserTest } from './browser-test.js';

browserTest('text is found in what has scrolled out, and the screen goes there', async (t) => {
  const terminal = await t.open();
  await terminal.run('seq -f number-%g 1 400');
  await terminal.press('Control+Shift+f');
  const field = terminal.panel.getByRole('searchbox');
  await field.fill('number-12');
  // Itself, and 120 to 129.
  await terminal.panel.getByText(/of 11$/).waitFor();
  await field.press('Shift+Enter');
  await terminal.untilShown(/^number-12\d?$/m);
  await field.fill('nowhere');
  await terminal.panel.getByText('No match').waitFor();
  await field.press('Escape');
  await terminal.page.keyboard.type('x');
  await terminal.untilScreen('what is typed', (screen) => screen.endsWith('x'));
});

browserTest('tab has the title that the program set, and is marked when the bell rings behind', async (t) => {
  const terminal = await t.open();
  const tabs = terminal.page.getByRole('tab');
  await terminal.run("printf '\\e]2;a title\\a'");
  await tabs.filter({ hasText: 'a title' }).waitFor();
  const folder = t.folder();
  await terminal.type(`until [ -e ${folder}/ring ]; do sleep 0.05; done; printf '\\a'`);
  await terminal.press('Enter');
  await terminal.button('New terminal').click();
  await terminal.untilPrompt();
  await terminal.run(`touch ${folder}/ring`);
  await terminal.page.getByRole('tab', { name: /rang/ }).waitFor();
});

browserTest('letters grow and shrink, and stay so when the page is loaded again', async (t) => {
  const terminal = await t.open();
  const before = await terminal.rowCount();
  await terminal.button('Larger text').click();
  await terminal.button('Larger text').click();
  await terminal.untilRows((rows) => rows < before);
  const larger = await terminal.rowCount();
  await terminal.page.reload();
  await terminal.untilPrompt();
  await terminal.untilRows((rows) => rows === larger);
  await terminal.button('Smaller text').click();
  await terminal.button('Smaller text').click();
  await terminal.untilRows((rows) => rows === before);
});

browserTest('screen readers get what the terminal shows when the user wants that', async (t) => {
  const terminal = await t.open();
  await terminal.button('Screen reader').click();
  assert.equal(await terminal.button('Screen reader').getAttribute('aria-pressed'), 'true');
  await terminal.run('echo said-""aloud');
  await terminal.panel
    .getByRole('listitem')
    .filter({ hasText: /^said-aloud/ })
    .first()
    .waitFor({ state: 'attached' });
});

browserTest('nothing moves by itself when the user wants no motion', async (t) => {
  const terminal = await t.open({ reducedMotion: 'reduce' });
  await terminal.run("printf '\\a'");
  await terminal.keyboard.focus();
  const moving = await terminal.page.evaluate(() =>
    document.getAnimations().map((animation) => {
      const { duration } = animation.effect?.getComputedTiming() ?? {};
      // What goes on and off in one step does not move.
      const keyframes = animation.effect instanceof KeyframeEffect ? animation.effect.getKeyframes() : [];
      if (keyframes.every(({ easing }) => easing.startsWith('steps('))) return '';
      return typeof duration === 'number' && duration > 1 ? JSON.stringify(animation.effect?.getTiming()) : '';
    }),
  );
  assert.deepEqual(
    moving.filter((text) => text !== ''),
    [],
  );
});
