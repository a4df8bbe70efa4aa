/** Contrast of the text that a terminal draws, by the formula of WCAG 2.2. Knows nothing of xterm.js but that it draws texts in elements. */
import type { Locator } from 'playwright-core';

/** One piece of text with too little contrast. */
export interface PaleText {
  readonly text: string;
  readonly color: string;
  readonly background: string;
  readonly ratio: number;
}

/** Texts in an element whose contrast is below a ratio. */
export function paleTexts(element: Locator, least: number): Promise<PaleText[]> {
  return element.evaluate((root, leastRatio) => {
    const partsOf = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminanceOf = (color: string): number => {
      const [red = 0, green = 0, blue = 0] = partsOf(color).map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const backgroundOf = (node: Element | null): string => {
      for (let each = node; each !== null; each = each.parentElement) {
        const { backgroundColor } = getComputedStyle(each);
        if ((partsOf(backgroundColor)[3] ?? 1) > 0) return backgroundColor;
      }
      return 'rgb(255, 255, 255)';
    };
    return [...root.querySelectorAll('span')].flatMap((span) => {
      const text = span.textContent?.trim() ?? '';
      if (text === '') return [];
      const { color } = getComputedStyle(span);
      const background = backgroundOf(span);
      const [darker = 0, lighter = 0] = [luminanceOf(color), luminanceOf(background)].sort((one, other) => one - other);
      const ratio = (lighter + 0.05) / (darker + 0.05);
      return ratio < leastRatio ? [{ text, color, background, ratio }] : [];
    });
  }, least);
}
