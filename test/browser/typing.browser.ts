/** A user types and looks: a shell, sizes, a full-screen program, wide characters, scrolling. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { browserTest } from './browser-test.js';

browserTest('page shows what a shell writes when a line is typed', async (t) => {
  const terminal = await t.open();
  assert.match(await terminal.run('echo seen-$((40 + 2))'), /seen-42/);
  assert.match(await terminal.run('false'), /done-\d+-1/);
});

browserTest('terminal has the size of its panel when the window is resized', async (t) => {
  const terminal = await t.open({ viewport: { width: 1000, height: 700 } });
  const sizeIn = (screen: string): [number, number] => {
    const [, rows = '', cols = ''] = /size (\d+) (\d+)\./.exec(screen) ?? [];
    return [Number(rows), Number(cols)];
  };
  const [rows, cols] = sizeIn(await terminal.run('echo "size $(stty size)."'));
  assert.equal(rows, await terminal.rowCount(), 'the program has the rows that the page draws');
  await terminal.page.setViewportSize({ width: 600, height: 400 });
  // The shell hears of the new size some time after the window has it.
  await terminal.run(`until [ "$(stty size)" != "${rows} ${cols}" ]; do sleep 0.05; done`);
  await terminal.run('clear');
  const [fewerRows, fewerCols] = sizeIn(await terminal.run('echo "size $(stty size)."'));
  assert.equal(fewerRows, await terminal.rowCount());
  assert.ok(fewerRows < rows && fewerCols < cols, `${fewerRows} ${fewerCols} is less than ${rows} ${cols}`);
  assert.ok(await terminal.fits(), 'nothing is outside of the window');
});

browserTest('full-screen program is shown, and the screen before it comes back, when vim runs', async (t) => {
  if (!existsSync('/usr/bin/vim')) t.skip('vim is missing');
  const folder = t.folder();
  const terminal = await t.open();
  await terminal.run('echo before-vim');
  await terminal.type(`vim -u NONE -N -n ${join(folder, 'text')}`);
  await terminal.press('Enter');
  await terminal.untilScreen('an empty file', (screen) => /^~$/m.test(screen) && !screen.includes('before-vim'));
  await terminal.type('ifirst line');
  await terminal.press('Enter');
  await terminal.type('second line');
  await terminal.press('Escape');
  await terminal.untilShown('second line');
  await terminal.type(':wq');
  await terminal.press('Enter');
  await terminal.untilShown('before-vim');
  await terminal.untilPrompt();
  assert.equal(readFileSync(join(folder, 'text'), 'utf8'), 'first line\nsecond line\n');
});

browserTest('characters have the width that programs expect when they are wide or joined', async (t) => {
  const terminal = await t.open();
  // The terminal itself tells where its cursor stands.
  const columnAfter = async (text: string): Promise<number> => {
    await terminal.run('clear');
    const screen = await terminal.run(
      `printf '%s' '${text}'; IFS=';' read -rsdR -p $'\\e[6n' _ column; echo " column-$column."`,
    );
    return Number(/column-(\d+)\./.exec(screen)?.[1]);
  };
  assert.equal(await columnAfter('ab'), 3);
  assert.equal(await columnAfter('漢字'), 5);
  assert.equal(await columnAfter('e\u0301'), 2);
  assert.equal(await columnAfter('👩‍👩‍👧'), 3);
  await terminal.run('clear');
  const screen = await terminal.run("printf '漢字かな|\\n12345678|\\n'");
  assert.match(screen, /^漢字かな\|$/m);
  const [wide, narrow] = await terminal.textEnds(['漢字かな|', '12345678|']);
  assert.ok(Math.abs((wide ?? 0) - (narrow ?? 1000)) < 1.5, `wide characters end at ${wide}, narrow ones at ${narrow}`);
});

browserTest('earlier lines are shown when the user scrolls', async (t) => {
  const terminal = await t.open();
  await terminal.run('seq -f line-%g 1 300');
  assert.doesNotMatch(await terminal.screen(), /^line-20$/m);
  await terminal.press(...Array<string>(15).fill('Shift+PageUp'));
  await terminal.untilShown(/^line-20$/m);
  // A key goes back to the end.
  await terminal.type('x');
  await terminal.untilScreen('the prompt', (shown) => shown.endsWith('box> x'));
});
