/** Recordings of terminals: made in the page, kept as files, and played in it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { browserTest } from './browser-test.js';

browserTest('what a terminal showed is recorded and played again', async (t) => {
  const terminal = await t.open();
  await terminal.run('echo before-the-""recording');
  await terminal.button('Record').click();
  await terminal.run("printf 'recorded-%s\\n' 漢字");
  const downloading = terminal.page.waitForEvent('download');
  await terminal.page
    .getByRole('button', { name: /^(Record|Stop)/ })
    .filter({ visible: true })
    .first()
    .click();
  const download = await downloading;
  assert.match(download.suggestedFilename(), /\.cast$/);
  const file = join(t.folder(), 'recorded.cast');
  await download.saveAs(file);
  const [header = '', ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const { version, width, height } = JSON.parse(header);
  assert.equal(version, 2);
  assert.ok(width > 10 && height > 2);
  const kinds = lines.map((line) => JSON.parse(line)[1]);
  assert.ok(kinds.includes('o') && !kinds.includes('i'), 'output is recorded, and nothing that was typed');
  const choosing = terminal.page.waitForEvent('filechooser');
  await terminal.button('Play a recording').click();
  await (await choosing).setFiles(file);
  await terminal.untilShown('recorded-漢字');
  assert.equal(await terminal.page.getByRole('tab').count(), 2);
});

browserTest('recording is played, stopped and wound, and typing into it does nothing', async (t) => {
  const file = join(t.folder(), 'made.cast');
  const events = [
    [0.1, 'o', 'first\r\n'],
    [30, 'o', 'second\r\n'],
    [60, 'o', 'third\r\n'],
    [61, 'r', '50x12'],
    [62, 'o', 'fourth\r\n'],
  ];
  const header = { version: 2, width: 40, height: 10 };
  writeFileSync(file, [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join(''));
  const terminal = await t.open();
  const choosing = terminal.page.waitForEvent('filechooser');
  await terminal.button('Play a recording').click();
  await (await choosing).setFiles(file);
  // Pauses of half a minute are cut short.
  await terminal.untilShown(/first[\s\S]*fourth/);
  assert.equal(await terminal.rowCount(), 12);
  await terminal.keyboard.focus();
  await terminal.page.keyboard.type('nothing');
  await terminal.panel.getByRole('slider').fill('0.1');
  await terminal.untilScreen('the beginning', (screen) => screen === 'first');
  assert.equal(await terminal.rowCount(), 10);
});

browserTest('user is told what is wrong when a file is no recording', async (t) => {
  const file = join(t.folder(), 'no.cast');
  writeFileSync(file, '{"version": 9}\n');
  const terminal = await t.open();
  const choosing = terminal.page.waitForEvent('filechooser');
  await terminal.button('Play a recording').click();
  await (await choosing).setFiles(file);
  await terminal.page
    .getByRole('log')
    .filter({ hasText: /recording|version/i })
    .waitFor();
});

browserTest('recording that changes its size again and again holds nothing up', async (t) => {
  const terminal = await t.open();
  const file = join(t.folder(), 'sizes.cast');
  const sizes = Array.from({ length: 20_000 }, (_, index) => `[0.1,"r","${index % 2 === 0 ? '1000x1000' : '10x10'}"]`);
  const lines = ['{"version":2,"width":80,"height":24}', ...sizes, '[0.1,"o","at the end"]'];
  writeFileSync(file, lines.join('\n'));
  const choosing = terminal.page.waitForEvent('filechooser');
  await terminal.button('Play a recording').click();
  await (await choosing).setFiles(file);
  await terminal.untilShown('at the end');
  await terminal.button('Paste').click();
  await terminal.untilSaid(/only watch/);
});
