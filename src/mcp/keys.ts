/** Names of keys, and what a terminal sends for them. Knows no command. */
import { ToolError } from './tool-error.js';

const CSI = '\u001b[';
/** Keys that have no character, as xterm sends them. */
const NAMED: Readonly<Record<string, string>> = {
  enter: '\r',
  tab: '\t',
  'shift-tab': `${CSI}Z`,
  escape: '\u001b',
  space: ' ',
  backspace: '\u007f',
  delete: `${CSI}3~`,
  insert: `${CSI}2~`,
  up: `${CSI}A`,
  down: `${CSI}B`,
  right: `${CSI}C`,
  left: `${CSI}D`,
  home: `${CSI}H`,
  end: `${CSI}F`,
  'page-up': `${CSI}5~`,
  'page-down': `${CSI}6~`,
  f1: '\u001bOP',
  f2: '\u001bOQ',
  f3: '\u001bOR',
  f4: '\u001bOS',
  f5: `${CSI}15~`,
  f6: `${CSI}17~`,
  f7: `${CSI}18~`,
  f8: `${CSI}19~`,
  f9: `${CSI}20~`,
  f10: `${CSI}21~`,
  f11: `${CSI}23~`,
  f12: `${CSI}24~`,
};
/** Control characters are letters without their upper bits. */
const CONTROL_MASK = 0x1f;

/** The names, for the description of the tool. */
export const KEY_NAMES = `${Object.keys(NAMED).slice(0, 16).join(', ')}, f1 to f12, ctrl-a to ctrl-z, ctrl-\\, alt-x`;

/** What a terminal sends for a key. @throws {ToolError} for a name that is none */
export function keyBytes(name: string): string {
  const lower = name.toLowerCase();
  const named = NAMED[lower];
  if (named !== undefined) return named;
  const [, control] = /^(?:ctrl|c)-([a-z@[\\\]^_])$/.exec(lower) ?? [];
  if (control !== undefined) return String.fromCharCode(control.toUpperCase().charCodeAt(0) & CONTROL_MASK);
  const [, meta] = /^alt-(.)$/i.exec(name) ?? [];
  if (meta !== undefined) return `\u001b${meta}`;
  throw new ToolError(
    `keys: there is no key ${JSON.stringify(name)}. Keys are ${KEY_NAMES}; letters belong into text.`,
  );
}
