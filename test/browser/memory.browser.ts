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
/** Share of its speed in front that a command must have in the background. Browsers slow timers there to one a second, which would be a thousandth. */
const LEAST_SHARE = 0.1;
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
    until(`the page shows ${what}`, async () => (await tab.valueOf<string>(SHOWN))?.includes(what) === true);
  await shows(PROMPT.trimEnd());
  await tab.typeLine(`yes ${'0123456789'.repeat(6)}`);
  await shows('01234567890123456789');
  const perSecond = async (seconds: number, wait: () => Promise<void>): Promise<number> => {
    const before = await t.workplace.bytesOut(server);
    await wait();
    return ((await t.workplace.bytesOut(server)) - before) / seconds;
  };
  const inFront = await perSecond(LOOK_EVERY_MS / 1000, () => passed(LOOK_EVERY_MS));
  await PlainTab.open(browser, 'about:blank');
  await until('the tab is in the background', async () => (await tab.valueOf<boolean>('document.hidden')) === true);
  let peakBytes = 0;
  const inBackground = await perSecond(SECONDS, async () => {
    for (const endMs = performance.now() + SECONDS * 1000; performance.now() < endMs; ) {
      await passed(LOOK_EVERY_MS);
      await tab.send('HeapProfiler.collectGarbage');
      const usage = await tab.send<HeapUsage>('Runtime.getHeapUsage');
      const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = usage;
      peakBytes = Math.max(peakBytes, usedSize + embedderHeapUsedSize + backingStorageSize);
    }
  });
  const [front, back, peak] = [inFront, inBackground, peakBytes].map((bytes) => (bytes / 1e6).toFixed(1));
  console.log(`      yes: ${front} MB/s in front, ${back} MB/s in the background, at most ${peak} MB in the page`);
  assert.ok(inBackground > LEAST_SHARE * inFront, 'the command goes on');
  assert.ok(peakBytes < MOST_BYTES, `${peakBytes} bytes`);
  // It still works, and is not far behind.
  await tab.bringToFront();
  await tab.send('Input.insertText', { text: '\u0003' });
  await shows(PROMPT.trimEnd());
});
