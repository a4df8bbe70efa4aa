/** What users bring into a terminal and take out of it: text, files, pictures, links, and what a program puts on the clipboard. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { browserTest } from './browser-test.js';
import { CLIPBOARD_PERMISSIONS, copiedText, copyPicture, copyText, PICTURE, transferOf } from './clipboard.js';
import type { TerminalPage } from './terminal-page.js';

const PASTE = 'Control+Shift+v';
const MEBIBYTE = 1024 * 1024;
const OPTIONS = { permissions: CLIPBOARD_PERMISSIONS };

function digestOf(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Drops a file on the terminal in front. */
async function drop(terminal: TerminalPage, name: string, content: Buffer): Promise<void> {
  const dataTransfer = await transferOf(terminal.page, [
    { name, type: 'application/octet-stream', base64: content.toString('base64') },
  ]);
  const target = terminal.panel.locator('.xterm');
  await target.dispatchEvent('dragenter', { dataTransfer });
  await target.dispatchEvent('dragover', { dataTransfer });
  await target.dispatchEvent('drop', { dataTransfer });
}

browserTest('1 MB arrives whole when it is pasted', async (t) => {
  const file = join(t.folder(), 'pasted');
  const terminal = await t.open(OPTIONS);
  // Lines that differ: a piece that is lost, doubled or out of its place changes the digest.
  const lines = Array.from({ length: Math.ceil(MEBIBYTE / 64) }, (_, index) => `${index} `.padEnd(63, 'äx'));
  const text = lines.join('\n');
  await copyText(terminal.page, text);
  // The shell's own terminal would echo a megabyte, and edit it.
  await terminal.type(`stty -echo; printf 'taking-%s\\n' now; cat > ${file}; stty echo`);
  await terminal.press('Enter');
  await terminal.untilShown('taking-now');
  await terminal.press(PASTE);
  await terminal.dialog.getByRole('button', { name: 'Paste', exact: true }).click();
  await terminal.press('Enter', 'Control+d');
  await terminal.untilPrompt();
  const written = readFileSync(file, 'utf8');
  assert.equal(written.length, text.length + 1);
  assert.equal(digestOf(written), digestOf(`${text}\n`));
});

browserTest('user is asked when several lines are pasted outside of bracketed paste, and only there', async (t) => {
  const terminal = await t.open(OPTIONS);
  await copyText(terminal.page, 'first pasted\nsecond pasted\n');
  // The line editor of the shell has bracketed paste, and shows the lines without running them.
  await terminal.press(PASTE);
  await terminal.untilShown('second pasted');
  assert.equal(await terminal.dialog.count(), 0);
  await terminal.press('Control+c');
  await terminal.untilPrompt();
  await terminal.type('clear; cat');
  await terminal.press('Enter');
  await terminal.untilScreen('an empty screen', (screen) => screen === '');
  await terminal.press(PASTE);
  assert.match((await terminal.dialog.textContent()) ?? '', /lines[\s\S]*first pasted/);
  await terminal.page.keyboard.press('Escape');
  await terminal.dialog.waitFor({ state: 'hidden' });
  await terminal.page.keyboard.type('typed');
  await terminal.page.keyboard.press('Enter');
  assert.equal(await terminal.untilShown(/typed\ntyped/), 'typed\ntyped');
  await terminal.press(PASTE);
  await terminal.dialog.getByRole('button', { name: 'Paste', exact: true }).click();
  await terminal.untilShown(/^second pasted$[\s\S]*^second pasted$/m);
});

browserTest('text is copied when it is selected', async (t) => {
  const terminal = await t.open(OPTIONS);
  await terminal.run("printf 'copied-%s\\n' word");
  await terminal.selectWord('copied-word');
  await terminal.press('Control+Shift+c');
  await terminal.untilCopied('copied-word');
  assert.equal(await copiedText(terminal.page), 'copied-word');
});

for (const [how, flags] of [
  ['by the door for files', ['--files']],
  ['by a command, because the server has no door for files', []],
] as const) {
  browserTest(`file is uploaded ${how}, and its path typed, when it is dropped`, async (t) => {
    const server = flags.length > 0 ? t.server : await t.startServer({ withoutFiles: true });
    // The page asks for the door first, and browsers write down each answer of this kind.
    if (flags.length === 0) t.faults.expect(/404/);
    const terminal = await t.open({ server });
    const content = randomBytes(300_000);
    await terminal.type('sha256sum ');
    await drop(terminal, "it's a file; $(touch ran).bin", content);
    await terminal.untilScreen('a typed path', (screen) => /sha256sum \S/.test(screen.replaceAll('\n', '')));
    await terminal.press('Enter');
    await terminal.untilScreen('its digest', (screen) => screen.replaceAll('\n', '').includes(digestOf(content)));
    await terminal.untilPrompt();
    assert.ok(!existsSync(join(t.workplace.home, 'ran')), 'the name of the file is quoted');
  });
}

browserTest('picture is uploaded, and its path typed, when it is pasted', async (t) => {
  const terminal = await t.open(OPTIONS);
  await copyPicture(terminal.page);
  await terminal.type('file=');
  await terminal.button('Paste').click();
  await terminal.untilScreen('a typed path', (screen) => /file=\S+\.png/.test(screen.replaceAll('\n', '')));
  await terminal.press('Enter');
  await terminal.untilPrompt();
  // The browser writes the picture anew for the clipboard, so only its form is known.
  const screen = await terminal.run('head -c 8 "$file" | od -An -tx1');
  const start = Buffer.from(PICTURE, 'base64')
    .subarray(0, 8)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');
  assert.ok(screen.includes(start), screen);
});

browserTest('program writes to the clipboard only after the user agreed', async (t) => {
  const terminal = await t.open(OPTIONS);
  await copyText(terminal.page, 'before');
  const copy = (text: string): string => `printf '\\e]52;c;%s\\a' "$(printf '${text}' | base64)"`;
  await terminal.run(copy('refused'));
  await terminal.dialog.getByRole('button', { name: 'Refuse', exact: true }).click();
  assert.equal(await copiedText(terminal.page), 'before');
  await terminal.run(copy('agreed'));
  await terminal.dialog.getByRole('button', { name: 'Allow', exact: true }).click();
  await terminal.untilCopied('agreed');
});

browserTest('program reads the clipboard only after the user agreed', async (t) => {
  const terminal = await t.open(OPTIONS);
  await copyText(terminal.page, 'a secret');
  const read = `printf '\\e]52;c;?\\a'; IFS= read -rs -t 60 -d $'\\a' answer; echo "got $(printf '%s' "\${answer##*;}" | base64 -d)."`;
  await terminal.type(read);
  await terminal.press('Enter');
  await terminal.dialog.getByRole('button', { name: 'Allow', exact: true }).click();
  await terminal.untilShown('got a secret.');
});

browserTest('link opens in a tab of its own, which does not know the page', async (t) => {
  const terminal = await t.open();
  // The other page is this one once more, which would use a token if it got one.
  t.faults.expect(/HTTP Authentication failed/);
  const url = `${t.server.httpUrl}/terminal`;
  await terminal.run(`clear; echo ${url}`);
  const opened = terminal.page.context().waitForEvent('page');
  await terminal.clickText(url);
  const other = await opened;
  await other.waitForURL(url);
  assert.equal(await other.evaluate(() => window.opener), null);
  assert.equal(await other.evaluate(() => document.referrer), '');
  await other.getByLabel('Token').waitFor();
});
