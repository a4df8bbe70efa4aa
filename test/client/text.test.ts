// Shows how bytes become text when a bound or another stream cuts a character, and when a line is longer than the longest line. Runs no command.
import t from 'tap';
import { Capture, type OutputChunk } from '../../client/src/capture.js';
import { captureBounds } from '../../client/src/defaults.js';
import { linesOf } from '../../client/src/lines.js';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Characters of one to four bytes. */
const TEXT = 'aé€😀b€é😀';

t.test('captured text has no replacement characters when the bounds cut characters of both streams', (t) => {
  const bytes = encode(TEXT);
  for (let head = 0; head <= bytes.length; head += 1) {
    for (let tail = 0; tail <= bytes.length; tail += 1) {
      for (const step of [1, 2, 3, 5]) {
        const capture = new Capture({ head, tail });
        for (let at = 0; at < bytes.length; at += step) {
          const piece = bytes.slice(at, at + step);
          capture.push('stdout', piece);
          capture.push('stderr', piece);
        }
        for (const streams of [['stdout'], ['stdout', 'stderr']] as const) {
          const text = capture.text(streams);
          if (text.includes('\ufffd')) t.fail(`${streams}, head ${head}, tail ${tail}, step ${step}: ${text}`);
          if (capture.leftOut('stdout') === 0 && streams.length === 1 && text !== TEXT) t.fail(text);
        }
      }
    }
  }
  t.pass('no text has a replacement character');
  t.end();
});

t.test(
  'captured text has a replacement character for bytes that are no characters, and keeps one that the command wrote',
  (t) => {
    const capture = new Capture({ head: 1, tail: 3 });
    capture.push('stdout', encode('ab\ufffd'));
    t.equal(capture.text(['stdout']), 'a\n[… 1 bytes left out …]\n\ufffd');
    const broken = new Capture({ head: 10, tail: 0 });
    broken.push('stdout', Uint8Array.of(0x61, 0xff, 0xe2));
    t.equal(broken.text(['stdout']), 'a\ufffd\ufffd');
    t.end();
  },
);

t.test('capture keeps nothing of the other end, and counts the bytes left out, when maxBuffer names one end', (t) => {
  for (const [maxBuffer, text] of [
    [{ head: 1 }, 'a'],
    [{ tail: 1 }, '[… 2 bytes left out …]\nc'],
    [{}, ''],
  ] as const) {
    const capture = new Capture(captureBounds(maxBuffer, false));
    capture.push('stdout', encode('abc'));
    t.same([capture.text(['stdout']), capture.leftOut('stdout')], [text, text === '' ? 3 : 2]);
  }
  t.end();
});

t.test('lines lose no carriage return when a line is cut because it is too long', async (t) => {
  const longest = 8 * 1024 * 1024;
  const x = 'x'.repeat(longest);
  async function linesIn(...pieces: string[]): Promise<string[]> {
    async function* read(): AsyncGenerator<OutputChunk> {
      for (const piece of pieces) yield { stream: 'stdout', bytes: encode(piece) };
    }
    const lines: string[] = [];
    for await (const line of linesOf(read)) lines.push(line);
    return lines;
  }
  const shown = (lines: string[]): string[] => lines.map((line) => line.replace(/x+/, (all) => `${all.length}x`));
  t.same(shown(await linesIn(`${x}\r`, 'y\n')), [`${longest}x`, '\ry'], 'the carriage return belongs to the line');
  t.same(shown(await linesIn(`${x}a\r`, '\nb\n')), [`${longest}xa`, '', 'b'], 'the carriage return ends the line');
  t.same(await linesIn('a\r', '\nb\r\r\n', '\r\n\n', 'c'), ['a', 'b\r', '', '', 'c']);
});
