/**
 * The page of the terminal as a user sees and uses it: by roles, names, keys and the text on the screen. Knows nothing of the page's own code, and of
 * xterm.js only where it draws.
 */
import type { Locator, Page } from 'playwright-core';
import { until } from '../support/until.js';
import { PROMPT } from './workplace.js';

/** Milliseconds for anything to appear on a very busy machine; normally the wait is far shorter. */
export const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 20;
/** What xterm.js draws rows into where it does not draw by WebGL. */
const ROWS = '.xterm-rows';

/** What the page says while it has no connection. */
const DISCONNECTED = /Reconnecting|No server/;

let words = 0;

/** A page with terminals. */
export class TerminalPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE_MS);
  }

  /** The panel of the tab in front. */
  get panel(): Locator {
    return this.page.getByRole('tabpanel').filter({ visible: true });
  }

  /** A button of the whole page, by its name. */
  button(name: string): Locator {
    return this.page.getByRole('button', { name, exact: true }).filter({ visible: true });
  }

  /** The dialog that is open. */
  get dialog(): Locator {
    return this.page.getByRole('dialog');
  }

  /** What takes the keys of the terminal in front. */
  get keyboard(): Locator {
    return this.panel.locator('.xterm-helper-textarea');
  }

  get #banner(): Locator {
    return this.page.getByRole('status').filter({ hasText: DISCONNECTED });
  }

  get #rows(): Locator {
    return this.panel.locator(ROWS);
  }

  /** @param base address of a server or a proxy, up to `/terminal` */
  async goto(base: string, token?: string): Promise<void> {
    const address = `${base}/terminal`;
    await this.page.goto(token === undefined ? address : `${address}#token=${encodeURIComponent(token)}`, {
      timeout: PATIENCE_MS,
    });
  }

  /** Lines on the screen of the terminal in front, without spaces at their ends and without empty lines at the end. */
  screen(): Promise<string> {
    return this.#rows.evaluate((rows) =>
      [...rows.children]
        .map((row) => (row.textContent ?? '').replaceAll('\u00a0', ' ').trimEnd())
        .join('\n')
        .trimEnd(),
    );
  }

  /** How many rows the page draws in front. */
  rowCount(): Promise<number> {
    return this.#rows.evaluate((rows) => rows.children.length);
  }

  /** Whether the page needs no scroll bar, and the rows are inside of the window. */
  fits(): Promise<boolean> {
    return this.#rows.evaluate((rows) => {
      const { scrollWidth, scrollHeight } = document.documentElement;
      const bottom = rows.lastElementChild?.getBoundingClientRect().bottom ?? 0;
      return scrollWidth <= innerWidth && scrollHeight <= innerHeight && bottom <= innerHeight;
    });
  }

  /** Where, in pixels from the left, the last rows with these texts end. */
  textEnds(texts: readonly string[]): Promise<number[]> {
    return this.#rows.evaluate(
      (rows, wanted) =>
        wanted.map((text) => {
          const row = [...rows.children].findLast((each) => each.textContent?.trimEnd() === text);
          const last = [...(row?.children ?? [])].findLast((each) => each.textContent?.trim() !== '')?.firstChild;
          if (last === null || last === undefined) return -1;
          const range = document.createRange();
          range.setStart(last, 0);
          range.setEnd(last, (last.textContent ?? '').trimEnd().length);
          return range.getBoundingClientRect().right;
        }),
      [...texts],
    );
  }

  /** Resolves with the screen once it holds. @throws {Error} with the screen when it does not */
  async untilScreen(what: string, holds: (screen: string) => boolean): Promise<string> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const screen = await this.screen();
      if (holds(screen)) return screen;
      if (performance.now() > deadlineMs) throw new Error(`the screen does not show ${what}, but:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  /** Resolves with the screen once it shows a text. */
  untilShown(text: string | RegExp): Promise<string> {
    return this.untilScreen(String(text), (screen) =>
      typeof text === 'string' ? screen.includes(text) : text.test(screen),
    );
  }

  /** Resolves when the page draws such a number of rows. */
  async untilRows(holds: (rows: number) => boolean): Promise<void> {
    await until('the terminal has other rows', async () => holds(await this.rowCount()), PATIENCE_MS);
  }

  /** Resolves when a condition holds. @param what names it */
  async untilTrue(what: string, holds: () => Promise<boolean>): Promise<void> {
    await until(what, holds, PATIENCE_MS);
  }

  /** Whether the terminal in front has the keyboard. */
  hasKeyboard(): Promise<boolean> {
    return this.keyboard.evaluate((field) => field === document.activeElement);
  }

  /** Closes the dialog that is open by its button. */
  async closeDialog(): Promise<void> {
    await this.dialog.getByRole('button', { name: 'Close', exact: true }).click();
    await this.dialog.waitFor({ state: 'hidden' });
  }

  /** Resolves when the page says that it has no connection. */
  async untilDisconnected(): Promise<void> {
    await this.#banner.waitFor({ state: 'visible' });
  }

  /** Resolves when the page has a connection. */
  async untilConnected(): Promise<void> {
    await this.#banner.waitFor({ state: 'hidden' });
  }

  /** Resolves when a shell waits for a line. */
  async untilPrompt(): Promise<void> {
    await this.untilScreen('a prompt', (screen) => screen.endsWith(PROMPT.trimEnd()));
  }

  /** Types text by keys. */
  async type(text: string): Promise<void> {
    await this.keyboard.focus();
    await this.page.keyboard.type(text);
  }

  /** Presses a key, such as `Enter` or `Control+c`. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.keyboard.focus();
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Types a line into a shell, and waits until the shell has run it. @returns the screen then */
  async run(line: string): Promise<string> {
    words += 1;
    // The shell puts the mark together, so that the typed line does not have it.
    const mark = `done-${words}-`;
    await this.type(`${line}; echo done-${words}""-$?`);
    await this.press('Enter');
    const screen = await this.untilShown(new RegExp(`${mark}\\d+`));
    await this.untilPrompt();
    return screen;
  }

  /** The last 2,000 lines of the terminal in front, those that have scrolled out of it among them. */
  async wholeText(): Promise<string> {
    await this.press('Control+Shift+e');
    const text = await this.dialog.getByLabel('Text of the terminal').and(this.page.locator('textarea')).inputValue();
    await this.closeDialog();
    return text;
  }

  /** Where a text is on the screen. @throws {Error} when it is not there */
  async placeOf(text: string): Promise<{ readonly x: number; readonly y: number }> {
    const place = await this.#rows.evaluate((rows, wanted) => {
      const walker = document.createTreeWalker(rows, NodeFilter.SHOW_TEXT);
      let found: { x: number; y: number } | undefined;
      for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
        const start = (node.textContent ?? '').indexOf(wanted);
        if (start < 0) continue;
        const range = document.createRange();
        range.setStart(node, start);
        range.setEnd(node, start + wanted.length);
        const { left, right, top, bottom } = range.getBoundingClientRect();
        found = { x: (left + right) / 2, y: (top + bottom) / 2 };
      }
      return found;
    }, text);
    if (place === undefined) throw new Error(`the screen does not show ${text} in one piece:\n${await this.screen()}`);
    return place;
  }

  /** Clicks on a text of the screen, its last place. The pointer rests there first, as a hand's does. */
  async clickText(text: string): Promise<void> {
    const { x, y } = await this.placeOf(text);
    await this.page.mouse.move(x - 1, y);
    await this.page.mouse.move(x, y);
    await this.page.mouse.click(x, y);
  }

  /** Selects a word of the screen by a double click. */
  async selectWord(word: string): Promise<void> {
    const { x, y } = await this.placeOf(word);
    await this.page.mouse.dblclick(x, y);
  }

  /** Resolves when a text is on the clipboard. */
  async untilCopied(text: string): Promise<void> {
    await this.page.waitForFunction(async (wanted) => (await navigator.clipboard.readText()) === wanted, text, {
      polling: 100,
    });
  }

  /** Resolves when the page says something in a notice. */
  async untilSaid(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).filter({ visible: true }).first().waitFor();
  }

  /** Resolves when a text is nowhere on the page. */
  async untilNotSaid(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).filter({ visible: true }).first().waitFor({ state: 'hidden' });
  }
}
