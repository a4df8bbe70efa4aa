/** What of a page the Tab key reaches. Knows no terminal, except that one keeps the key for its program. */
import type { Page } from 'playwright-core';

/** More stops than any state of the page has: beyond it the key goes around. */
const MOST_STOPS = 60;

/** Everything that can be used now and is a stop of the Tab key, named for people. */
export function usableParts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const parts = [...document.querySelectorAll<HTMLElement>('button, a[href], input, select, textarea, [tabindex]')];
    return parts
      .filter(
        (part) =>
          part.tabIndex >= 0 && !part.matches(':disabled') && part.checkVisibility({ visibilityProperty: true }),
      )
      .map((part) => `${part.tagName} ${part.getAttribute('aria-label') ?? part.textContent ?? ''}`.trim());
  });
}

/** Where the keyboard is, named in the same way. */
function placeOf(page: Page): Promise<string> {
  return page.evaluate(() => {
    const part = document.activeElement;
    if (part === null || part === document.body) return '';
    return `${part.tagName} ${part.getAttribute('aria-label') ?? part.textContent ?? ''}`.trim();
  });
}

/** Whether whatever has the keyboard keeps the Tab key. */
function isInTerminal(page: Page): Promise<boolean> {
  return page.evaluate(() => document.activeElement?.classList.contains('xterm-helper-textarea') === true);
}

/**
 * All stops of the Tab key from where the keyboard is, forwards and backwards, until a terminal takes the key or the way begins anew.
 * @param wayOut keys that lead out of a terminal
 */
export async function reachedParts(page: Page, wayOut: string): Promise<Set<string>> {
  const reached = new Set<string>();
  for (const key of ['Tab', 'Shift+Tab']) {
    // From the terminal both ways begin at the same place.
    if (await isInTerminal(page)) await page.keyboard.press(wayOut);
    for (let stop = 0; stop < MOST_STOPS; stop += 1) {
      reached.add(await placeOf(page));
      if (await isInTerminal(page)) break;
      await page.keyboard.press(key);
    }
  }
  reached.delete('');
  return reached;
}
