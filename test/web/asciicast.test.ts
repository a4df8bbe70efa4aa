// Shows which recordings of terminals the page reads, and that it writes what it reads. Opens no browser.
import t from 'tap';
import { castHeader, castLine, readCast, sizeOf } from '../../web/src/asciicast.js';

const HEADER = '{"version": 2, "width": 80, "height": 24}';

t.test('recording is read as it was written', (t) => {
  const events = [
    { at: 0, kind: 'o' as const, data: 'one \x1b[31mred\x1b[0m é😀\r\n' },
    { at: 0.5, kind: 'r' as const, data: '100x30' },
    { at: 1.25, kind: 'o' as const, data: '"\\\n' },
  ];
  const size = { cols: 80, rows: 24, title: 'a “title”' };
  const file = castHeader(size, 1_700_000_000_500) + events.map(castLine).join('');
  t.same(readCast(file), { ...size, events });
  t.equal(JSON.parse(file.split('\n')[0] ?? '').timestamp, 1_700_000_000);
  t.same(sizeOf('100x30'), { cols: 100, rows: 30 });
  for (const wrong of ['', '100', '0x30', '100x', '99999x9', '-1x5']) t.equal(sizeOf(wrong), undefined, wrong);
  t.end();
});

t.test('recording of other programs is read, and what is not shown is left out', (t) => {
  const file = `${HEADER.replace('}', ', "idle_time_limit": 1, "theme": {"fg": "#fff"}}')}\r\n\n[0.1, "i", "secret"]\n[0.2, "o", "x"]\n[0.3, "m", ""]\n`;
  t.same(readCast(file), { cols: 80, rows: 24, title: '', events: [{ at: 0.2, kind: 'o', data: 'x' }] });
  t.end();
});

t.test('file that is no recording is refused with what is wrong', (t) => {
  const cases: [file: string, why: RegExp][] = [
    ['', /Line 1 .* no JSON/],
    ['hello', /Line 1 .* no JSON/],
    ['null', /version is undefined/],
    ['{"version": 1, "width": 80, "height": 24}', /version is 1/],
    ['{"version": 3, "term": {"cols": 80, "rows": 24}}', /version is 3/],
    ['{"version": 2}', /no size/],
    ['{"version": 2, "width": 0, "height": 24}', /no size/],
    ['{"version": 2, "width": 80, "height": 1e9}', /no size/],
    [`${HEADER}\n[0.1, "o"`, /Line 2 .* no JSON/],
    [`${HEADER}\n[0.1, "o", "x"]\n{}`, /Line 3 .* no event/],
    [`${HEADER}\n["0.1", "o", "x"]`, /Line 2 .* no event/],
    [`${HEADER}\n[0.1, "o", 5]`, /Line 2 .* no event/],
    [`${HEADER}\n[1e999, "o", "x"]`, /Line 2 .* no event/],
  ];
  for (const [file, why] of cases) t.throws(() => readCast(file), { message: why }, JSON.stringify(file));
  t.end();
});

t.test('time of a recording does not go back', (t) => {
  const { events } = readCast(`${HEADER}\n[-1, "o", "a"]\n[2, "o", "b"]\n[1, "o", "c"]`);
  t.same(
    events.map(({ at }) => at),
    [0, 2, 2],
  );
  t.end();
});
