/** What the page holds in memory while a command writes without end and nobody looks. */
import assert from 'node:assert/strict';
import { setTimeout as passed } from 'node:timers/promises';
import { until } from '../support/until.js';
import { longBrowserTest } from './browser-test.js';
import { startChromium } from './chromium.js';
import { PlainTab } from './plain-tab.js';
import { PROMPT } from './workplace.js';

/** Seconds. `UI_SOAK_SECONDS` makes an hour of it. */
const SECONDS = Number(process.env.UI_SOAK_SECONDS ?? 180);
const LOOK_EVERY_MS = 5_000;
/** What the page may hold: its scripts, its screens and what is on the way to them. */
const MOST_BYTES = 100_000_000;
const SHOWN = "document.querySelector('.xterm-rows')?.textContent ?? ''";

/** What V8 and the page hold after a collection, with the memory of arrays, which is not part of V8's heap. */
interface HeapUsage {
  readonly usedSize: number;
  readonly embedderHeapUsedSize?: number;
  readonly backingStorageSize?: number;
}

longBrowserTest(`page stays under 100 MB when \`yes\` runs in a background tab for ${SECONDS} s`, async (t) => {
  const browser = await startChromium();
  t.after(() => browser.close());
  const server = await t.startServer();
  const tab = await PlainTab.open(browser, `${server.httpUrl}/terminal#token=${t.workplace.token}`);
  const shows = (what: string): Promise<void> =>
    until(`the page shows ${what}`, async () => (await tab.valueOf<string>(SHOWN)).includes(what));
  await shows(PROMPT.trimEnd());
  await tab.typeLine(`yes ${'0123456789'.repeat(6)}`);
  await shows('01234567890123456789');
  await PlainTab.open(browser, 'about:blank');
  await until('the tab is in the background', () => tab.valueOf<boolean>('document.hidden'));
  const before = await t.workplace.bytesOut(server);
  let peakBytes = 0;
  for (const endMs = performance.now() + SECONDS * 1000; performance.now() < endMs; ) {
    await passed(LOOK_EVERY_MS);
    await tab.send('HeapProfiler.collectGarbage');
    const usage = await tab.send<HeapUsage>('Runtime.getHeapUsage');
    const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = usage;
    peakBytes = Math.max(peakBytes, usedSize + embedderHeapUsedSize + backingStorageSize);
  }
  const written = (await t.workplace.bytesOut(server)) - before;
  console.log(
    `      yes: ${(written / 1e6).toFixed(0)} MB of output, at most ${(peakBytes / 1e6).toFixed(1)} MB in the page`,
  );
  assert.ok(written > 0, 'the command went on');
  assert.ok(peakBytes < MOST_BYTES, `${peakBytes} bytes`);
  // It still works, and is not far behind.
  await tab.bringToFront();
  await tab.send('Input.insertText', { text: '\u0003' });
  await shows(PROMPT.trimEnd());
});
