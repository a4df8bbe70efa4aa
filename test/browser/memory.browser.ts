/** What the page holds in memory while a command writes without end and nobody looks. */
import assert from 'node:assert/strict';
import { setTimeout as passed } from 'node:timers/promises';
import { longBrowserTest } from './browser-test.js';
import { startChromium } from './chromium.js';

/** Seconds. `UI_SOAK_SECONDS` makes an hour of it. */
const SECONDS = Number(process.env.UI_SOAK_SECONDS ?? 180);
const LOOK_EVERY_MS = 5_000;
/** What the page may hold: its scripts, its screens and what is on the way to them. */
const MOST_BYTES = 100_000_000;

/** What V8 and the page hold after a collection, with the memory of arrays, which is not part of V8's heap. */
interface HeapUsage {
  readonly usedSize: number;
  readonly embedderHeapUsedSize?: number;
  readonly backingStorageSize?: number;
}

longBrowserTest(`page stays under 100 MB when \`yes\` runs in a background tab for ${SECONDS} s`, async (t) => {
  // Of its own, because a tab is in the background only while another one is in front.
  const browser = await startChromium();
  t.after(() => browser.close());
  const server = await t.startServer();
  const terminal = await t.open({ browser, server });
  const { page } = terminal;
  const cdp = await page.context().newCDPSession(page);
  // Otherwise the page believes that it is in front.
  await cdp.send('Emulation.setFocusEmulationEnabled', { enabled: false });
  await terminal.type(`yes ${'0123456789'.repeat(6)}`);
  await terminal.press('Enter');
  await terminal.untilShown('0123456789');
  await (await page.context().newPage()).bringToFront();
  assert.equal(await page.evaluate(() => document.hidden), true, 'the tab is in the background');
  let peakBytes = 0;
  const bytesOut = async (): Promise<number> => t.workplace.bytesOut(server);
  const before = await bytesOut();
  for (const endMs = performance.now() + SECONDS * 1000; performance.now() < endMs; ) {
    await passed(LOOK_EVERY_MS);
    await cdp.send('HeapProfiler.collectGarbage');
    const {
      usedSize,
      embedderHeapUsedSize = 0,
      backingStorageSize = 0,
    }: HeapUsage = await cdp.send('Runtime.getHeapUsage');
    peakBytes = Math.max(peakBytes, usedSize + embedderHeapUsedSize + backingStorageSize);
  }
  const written = (await bytesOut()) - before;
  console.log(
    `      ${(written / 1e6).toFixed(0)} MB of output, at most ${(peakBytes / 1e6).toFixed(1)} MB in the page`,
  );
  assert.ok(written > 0, 'the command went on');
  assert.ok(peakBytes < MOST_BYTES, `${peakBytes} bytes`);
  await page.bringToFront();
  await terminal.press('Control+c');
  await terminal.untilPrompt();
});
