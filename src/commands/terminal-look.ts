/** How a cell looks, as the sequence that sets it (SGR). Knows no terminal. */

/** What a cell, or the next character, looks like. */
export interface Look {
  isBold(): number;
  isDim(): number;
  isItalic(): number;
  isUnderline(): number;
  getUnderlineStyle(): number;
  isBlink(): number;
  isInverse(): number;
  isInvisible(): number;
  isStrikethrough(): number;
  isOverline(): number;
  getFgColorMode(): number;
  getFgColor(): number;
  getBgColorMode(): number;
  getBgColor(): number;
  /** Whether it has an underline of its own kind or colour. */
  hasExtendedAttrs(): number;
  getUnderlineColorMode(): number;
  getUnderlineColor(): number;
}

/** The look of a terminal that has just begun. */
export const PLAIN = '\x1b[0m';

/** How the library stores a colour. */
const ColourMode = { palette16: 0x1000000, palette256: 0x2000000, rgb: 0x3000000 } as const;

/** Sets a look whatever was set before. */
export function lookOf(of: Look | undefined): string {
  if (of === undefined) return PLAIN;
  const styles = [
    [of.isBold(), 1],
    [of.isDim(), 2],
    [of.isItalic(), 3],
    [of.isBlink(), 5],
    [of.isInverse(), 7],
    [of.isInvisible(), 8],
    [of.isStrikethrough(), 9],
    [of.isOverline(), 53],
  ].flatMap(([isSet, code]) => (isSet ? [code] : []));
  const foreground = colour(of.getFgColorMode(), of.getFgColor(), 30);
  const background = colour(of.getBgColorMode(), of.getBgColor(), 40);
  return `\x1b[${[0, ...styles, ...underline(of), ...foreground, ...background].join(';')}m`;
}

/** The look that erasing leaves behind: the background alone. */
export function erasedLookOf(of: Look | undefined): string {
  if (of === undefined || of.getBgColorMode() === 0) return PLAIN;
  return `\x1b[${[0, ...colour(of.getBgColorMode(), of.getBgColor(), 40)].join(';')}m`;
}

function underline(of: Look): string[] {
  if (!of.isUnderline()) return [];
  const style = `4:${of.getUnderlineStyle() || 1}`;
  const mode = of.hasExtendedAttrs() ? of.getUnderlineColorMode() : 0;
  const value = of.getUnderlineColor();
  if (mode === ColourMode.rgb) return [style, `58:2::${channels(value).join(':')}`];
  return mode === 0 ? [style] : [style, `58:5:${value}`];
}

/** @param base 30 for the foreground, 40 for the background */
function colour(mode: number, value: number, base: number): number[] {
  if (mode === ColourMode.rgb) return [base + 8, 2, ...channels(value)];
  if (mode === ColourMode.palette256) return [base + 8, 5, value];
  if (mode !== ColourMode.palette16) return [];
  return [value < 8 ? base + value : base + 60 + value - 8];
}

function channels(value: number): [red: number, green: number, blue: number] {
  return [(value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff];
}
