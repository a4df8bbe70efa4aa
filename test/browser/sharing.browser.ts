/** Several pages and programs at one command: who writes, who watches, and the list of what runs. */
import assert from 'node:assert/strict';
import { connect } from '../../client/src/node.js';
import { until } from '../support/until.js';
import { browserTest } from './browser-test.js';
import type { TerminalPage } from './terminal-page.js';

/** The row of a command in the list, which is opened. */
async function rowOf(
  terminal: TerminalPage,
  text: string | RegExp,
): Promise<ReturnType<TerminalPage['page']['getByRole']>> {
  await terminal.button('Commands').click();
  const row = terminal.dialog.getByRole('row').filter({ hasText: text });
  await row.first().waitFor();
  return row;
}

browserTest('second page takes over, and the first takes it back, when both want to type', async (t) => {
  const first = await t.open();
  await first.run('echo mark-of-the-""first');
  const second = await t.open({ awaitsShell: false });
  await second.untilPrompt();
  // The list has its own shell, too, which it may only show.
  await rowOf(second, 'running');
  await second.dialog.getByRole('button', { name: /^Take over/ }).click();
  await second.untilShown('mark-of-the-first');
  await first.untilSaid(/another|taken/i);
  assert.match(await second.run('echo from-the-""second'), /from-the-second/);
  // Nothing that the first one types arrives, until it takes it back.
  await first.keyboard.focus();
  await first.page.keyboard.type('lost');
  await first.button('Take it back').click();
  await first.untilShown('from-the-second');
  assert.match(await first.run('echo from-the-""first'), /from-the-first/);
  assert.doesNotMatch(await first.screen(), /lost/);
  await second.untilSaid(/another|taken/i);
});

browserTest('watching page sees everything and types nothing, until it takes over', async (t) => {
  const writer = await t.open({ viewport: { width: 700, height: 500 } });
  await writer.run('echo mark-of-the-""writer');
  const watcher = await t.open({ viewport: { width: 1100, height: 800 } });
  const row = await rowOf(watcher, 'running');
  await row
    .filter({ hasText: 'Take over' })
    .getByRole('button', { name: /^Watch/ })
    .click();
  await watcher.untilShown('mark-of-the-writer');
  await watcher.untilSaid(/watching/);
  assert.equal(await watcher.rowCount(), await writer.rowCount(), 'the size is that of whoever writes');
  await watcher.keyboard.focus();
  await watcher.page.keyboard.type('echo intruder\n');
  await writer.run('echo live-""output');
  await watcher.untilShown('live-output');
  assert.doesNotMatch(await writer.screen(), /intruder/);
  await watcher.button('Take over').click();
  await watcher.untilNotSaid(/You are watching/);
  assert.match(await watcher.run('echo now-""writing'), /now-writing/);
});

browserTest('commands of programs are in the list, are watched and are ended there', async (t) => {
  const box = await connect(t.server.url, { name: 'agent', token: t.workplace.token });
  t.after(() => box.close());
  const run = box.exec(['sh', '-c', 'echo output-of-the-agent; sleep 1000'], { detachable: true, reject: false });
  await run.started;
  const terminal = await t.open();
  const row = await rowOf(terminal, 'output-of-the-agent');
  await row.getByRole('button', { name: /^Watch/ }).click();
  await terminal.untilShown('output-of-the-agent');
  const again = await rowOf(terminal, 'output-of-the-agent');
  await again.getByRole('button', { name: /^Kill/ }).click();
  await terminal.page.getByRole('dialog').getByRole('button', { name: 'Kill', exact: true }).click();
  assert.equal((await run).signal, 'SIGTERM');
  await until('the page says so', async () =>
    /SIGTERM/.test((await terminal.page.locator('body').textContent()) ?? ''),
  );
});

browserTest('text of a command can imitate nothing in the list, and its shells can be told apart', async (t) => {
  const box = await connect(t.server.url, { name: 'agent', token: t.workplace.token });
  t.after(() => box.close());
  const words = ['sh', '-c', 'sleep 1000', `a\u202eb${'c'.repeat(10_000)}`];
  const run = box.exec(words, { detachable: true, reject: false });
  await run.started;
  const terminal = await t.open();
  await terminal.button('New terminal').click();
  await terminal.untilPrompt();
  const tabs = await terminal.page.getByRole('tab').allTextContents();
  assert.equal(new Set(tabs).size, 2, tabs.join());
  const row = await rowOf(terminal, 'sleep 1000');
  assert.doesNotMatch((await row.textContent()) ?? '', /\u202e/);
  await row.getByRole('button', { name: /^Kill/ }).click();
  const asked = terminal.page.getByRole('dialog').filter({ hasText: 'Kill this command?' });
  assert.ok(((await asked.textContent()) ?? '').length < 400);
  await asked.getByRole('button', { name: 'Cancel', exact: true }).click();
  const names = await terminal.dialog
    .getByRole('button', { name: /^Kill: shell/ })
    .evaluateAll((buttons) => buttons.map((each) => each.getAttribute('aria-label')));
  assert.equal(new Set(names).size, 2, names.join());
});

browserTest('closing a tab asks, and leaves or ends its command', async (t) => {
  const box = await connect(t.server.url, { name: 'test', token: t.workplace.token });
  t.after(() => box.close());
  const running = async (): Promise<number> => (await box.list()).filter(({ state }) => state !== 'ended').length;
  const terminal = await t.open();
  await terminal.button('New terminal').click();
  await terminal.untilPrompt();
  assert.equal(await running(), 2);
  const tab = terminal.page.getByRole('tab').last();
  await tab.focus();
  await terminal.page.keyboard.press('Delete');
  await terminal.dialog.getByRole('button', { name: 'End it' }).click();
  await until('its shell has ended', async () => (await running()) === 1);
  assert.equal(await terminal.page.getByRole('tab').count(), 1);
});
