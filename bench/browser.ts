/**
 * `npm run bench:browser`: how long a keystroke takes to the screen, and 50 MB of `cat`, measured in the page of `--ui` in a headless Chromium, drawn by
 * elements and by WebGL. `--page` writes bench/browser.md, which bench/report.mjs puts on the page. `--rounds N` changes the number of rounds.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromiumMissing, startChromium } from '../test/browser/chromium.js';
import { PlainTab } from '../test/browser/plain-tab.js';
import { ServerProcess } from '../test/support/server-process.js';
import { until } from '../test/support/until.js';
import { show } from './results.mjs';
import { median } from './statistics.mjs';

const SECTION = fileURLToPath(new URL('./browser.md', import.meta.url));
const DEFAULT_ROUNDS = '3';
/** Keys of a round; the first ones are not counted, because the page compiles while they come. */
const KEYS = 150;
const UNCOUNTED_KEYS = 30;
/** Milliseconds between two keys: longer than the longest frame, and not in step with the frames. */
const KEY_EVERY_MS = 41;
const CAT_BYTES = 50_000_000;
/** What the page may have shown without acknowledging it: its window. */
const WINDOW_BYTES = 512 * 1024;
/** Milliseconds for a round on a busy machine. */
const PATIENCE_MS = 300_000;
const RENDERERS = ['dom', 'webgl'] as const;

type Renderer = (typeof RENDERERS)[number];

/** What one round found. */
interface Figures {
  readonly keyMs: readonly number[];
  readonly catSeconds: number;
}

/**
 * Runs in the page before its own scripts. A keystroke counts from its event in the page to the frame in which the terminal was drawn after the
 * server's next output: a change of its elements, or a call that draws by WebGL. Output counts as shown when the page acknowledges it, which it does
 * when the terminal has parsed it.
 */
function probe(renderer: Renderer): string {
  return `
    localStorage.setItem('execwire.settings', JSON.stringify({ renderer: '${renderer}' }));
    const probe = globalThis.probe = { keyMs: [], acknowledged: 0, keyAt: undefined, hasEcho: false, hasOutput: false };
    const drawn = () => {
      if (probe.keyAt === undefined || !probe.hasEcho) return;
      const from = probe.keyAt;
      probe.keyAt = undefined;
      requestAnimationFrame((at) => probe.keyMs.push(Math.max(at, performance.now()) - from));
    };
    addEventListener('keydown', () => { probe.keyAt = performance.now(); probe.hasEcho = false; }, { capture: true });
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (text) {
      const found = /"command\\/exec\\/ack".*"offset":(\\d+)/.exec(text);
      if (found !== null) probe.acknowledged = Number(found[1]);
      return send.call(this, text);
    };
    const { addEventListener: listen } = WebSocket.prototype;
    WebSocket.prototype.addEventListener = function (type, listener, options) {
      if (type !== 'message') return listen.call(this, type, listener, options);
      return listen.call(this, type, (event) => {
        if (event.data.includes('command/exec/outputDelta')) probe.hasEcho = probe.hasOutput = true;
        listener(event);
      }, options);
    };
    const { drawElementsInstanced } = WebGL2RenderingContext.prototype;
    WebGL2RenderingContext.prototype.drawElementsInstanced = function (...all) {
      drawn();
      return drawElementsInstanced.apply(this, all);
    };
    new MutationObserver((changes) => {
      if (changes.some(({ target }) => target.parentElement?.closest('.xterm-rows') || target.className === 'xterm-rows')) drawn();
    }).observe(document, { subtree: true, childList: true, characterData: true });
  `;
}

async function measure(renderer: Renderer, server: ServerProcess, file: string): Promise<Figures> {
  const browser = await startChromium({ hasWebGl: true });
  try {
    const tab = await PlainTab.open(browser, 'about:blank');
    await tab.send('Page.enable');
    await tab.send('Page.addScriptToEvaluateOnNewDocument', { source: probe(renderer) });
    await tab.send('Page.navigate', { url: `${server.httpUrl}/terminal` });
    const holds = (what: string, expression: string): Promise<void> =>
      until(what, async () => (await tab.valueOf<boolean>(expression)) === true, PATIENCE_MS);
    await holds('the terminal is drawn', `document.querySelector('[data-renderer=${renderer}]') !== null`);
    await holds('the shell has begun', 'probe.hasOutput');
    for (let key = 0; key < KEYS; key += 1) {
      const code = { key: 'a', code: 'KeyA', windowsVirtualKeyCode: 65 };
      await tab.send('Input.dispatchKeyEvent', { type: 'keyDown', text: 'a', ...code });
      await tab.send('Input.dispatchKeyEvent', { type: 'keyUp', ...code });
      await new Promise((resolve) => setTimeout(resolve, KEY_EVERY_MS));
    }
    const keyMs = (await tab.valueOf<string>('JSON.stringify(probe.keyMs)')) ?? '[]';
    await tab.send('Input.insertText', { text: '\u0015' });
    const before = (await tab.valueOf<number>('probe.acknowledged')) ?? 0;
    const startedAt = performance.now();
    await tab.typeLine(`cat ${file}`);
    await holds('all is shown', `probe.acknowledged >= ${before + CAT_BYTES - WINDOW_BYTES}`);
    const catSeconds = (performance.now() - startedAt) / 1000;
    return { keyMs: (JSON.parse(keyMs) as number[]).slice(UNCOUNTED_KEYS), catSeconds };
  } finally {
    await browser.close();
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function section(rounds: Readonly<Record<Renderer, readonly Figures[]>>, version: string): string {
  const row = (title: string, of: (figures: Figures) => number): string => {
    const cells = RENDERERS.map((renderer) => {
      const values = rounds[renderer].map(of);
      return `${show(median(values))} (${show(Math.min(...values))} to ${show(Math.max(...values))})`;
    });
    return `| ${[title, ...cells].join(' | ')} |`;
  };
  const count = rounds.dom.length;
  return `## The terminal in the browser

${new Date().toISOString().slice(0, 10)}; Chromium ${version}, headless; ${count} round${count === 1 ? '' : 's'}, each with a fresh browser for each way of drawing; ${cpus().length} cores, Linux ${release()}, Node ${process.version}, load
average ${loadavg()[0]?.toFixed(1)} at the end, because the machine was shared: \`npm run bench:browser -- --rounds ${count} --page\`. Server, shell and browser share the machine, and WebGL is computed by its
processor, so a graphics card would be faster. A keystroke counts from its event in the page to the frame that shows the shell's echo; ${KEYS - UNCOUNTED_KEYS} keys a round. \`cat\` counts from
the Enter key until the terminal has parsed 50 MB of lines, the last half megabyte left out. Medians over the rounds, the lowest and the highest behind them.

| in the page | elements | WebGL, by software |
| --- | --: | --: |
${row('keystroke to screen, p50, ms', ({ keyMs }) => median(keyMs))}
${row('keystroke to screen, p95, ms', ({ keyMs }) => percentile(keyMs, 0.95))}
${row('`cat` of 50 MB, s', ({ catSeconds }) => catSeconds)}
${row('`cat` of 50 MB, MB/s', ({ catSeconds }) => CAT_BYTES / 1e6 / catSeconds)}
`;
}

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: DEFAULT_ROUNDS }, page: { type: 'boolean', default: false } },
});
const missing = chromiumMissing();
if (missing !== undefined) throw new Error(missing);
const folder = mkdtempSync(join(tmpdir(), 'execwire-bench-'));
const file = join(folder, 'lines');
const line = `${'A line of text as programs write it, with some words. '.repeat(2).slice(0, 99)}\n`;
writeFileSync(file, line.repeat(Math.ceil(CAT_BYTES / line.length)));
const server = await ServerProcess.start({
  flags: ['--ui', '--drain-delay', '0s', '--drain-timeout', '1s'],
  env: { HOME: folder, SHELL: '/bin/bash' },
});
try {
  const rounds: Record<Renderer, Figures[]> = { dom: [], webgl: [] };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const renderer of round % 2 === 0 ? RENDERERS : [...RENDERERS].reverse()) {
      rounds[renderer].push(await measure(renderer, server, file));
      console.error(`round ${round + 1} of ${values.rounds}: ${renderer}`);
    }
  }
  const browser = await startChromium();
  const version = browser.version();
  await browser.close();
  const text = section(rounds, version);
  console.log(text);
  if (values.page) writeFileSync(SECTION, text);
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
