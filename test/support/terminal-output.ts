/** Pieces of what programs write to terminals, for property tests. Each is a whole sequence or text; a test divides them. Knows no terminal. */
import { fc } from './property.js';

const LOOKS = [
  '\x1b[31;1m',
  '\x1b[0m',
  '\x1b[38;5;200;48;2;1;2;3m',
  '\x1b[7m',
  '\x1b[4:3;58:5:9m',
  '\x1b[5;8;9;53m',
  '\x9b32m',
];
const PLACES = [
  '\x1b[H',
  '\x1b[3;7H',
  '\x1b[6;20H',
  '\x1b[2;5r',
  '\x1b[r',
  '\x1b[?6h',
  '\x1b[?6l',
  '\x1b7',
  '\x1b8',
  '\x1b[s',
  '\x1b[u',
];
const ERASED = [
  '\x1b[2J',
  '\x1b[K',
  '\x1b[1K',
  '\x1b[J',
  '\x1b[1J',
  '\x1b[3X',
  '\x1b[2L',
  '\x1b[M',
  '\x1b[P',
  '\x1b[2@',
];
const SCROLLED = ['\x1bM', '\x1bD', '\x1bE', '\x1b[S', '\x1b[T'];
const TABS = ['\x1bH', '\x1b[g', '\x1b[3g', '\x1b[Z'];
const MODES = [
  ...['\x1b[?25l', '\x1b[?25h', '\x1b[?1049h', '\x1b[?1049l', '\x1b[?1047h', '\x1b[?1047l', '\x1b[?2004h', '\x1b[?1h'],
  ...[
    '\x1b=',
    '\x1b[?7l',
    '\x1b[?7h',
    '\x1b[4h',
    '\x1b[4l',
    '\x1b[20h',
    '\x1b[3 q',
    '\x1b[?1000h\x1b[?1006h',
    '\x1b[!p',
  ],
];
const CHARSETS = ['\x1b(0', '\x1b(B', '\x1b)0', '\x0e', '\x0f'];
const TEXTS_OF_SEQUENCES = ['\x1b]0;a title\x07', '\x1b]2;other\x1b\\', '\x1bP1$r0m\x1b\\', '\x18'];
const CONTROLS = ['\r\n', '\n', '\t', '\b'];
const TEXTS = [
  '漢字',
  'é',
  'e\u0301',
  '👨‍👩‍👧',
  '─│┌',
  'qxlk',
  'text',
  'a line that is longer than the window is wide',
  '\x1b[3b',
];

/** One piece. */
export const terminalPieces = fc.oneof(
  fc.constantFrom(
    ...[...LOOKS, ...PLACES, ...ERASED, ...SCROLLED, ...TABS, ...MODES, ...CHARSETS],
    ...[...TEXTS_OF_SEQUENCES, ...CONTROLS, ...TEXTS],
  ),
  fc.string({ maxLength: 5 }),
);
