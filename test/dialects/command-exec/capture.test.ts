// Shows output that is kept for replies: caps, text, and the bound on all of it together. Starts no process.
import t from 'tap';
import { Capture } from '../../../src/commands/output/capture.js';
import { CaptureBudget } from '../../../src/commands/output/capture-budget.js';
import { execResult } from '../../../src/dialects/command-exec/exec-result.js';
import { ResultParts } from '../../../src/rpc/connection.js';

const MIB = 1024 * 1024;
const UNCONFINED = { sandbox: { choice: { type: 'unconfined', network: true }, isRaised: false } } as const;
const END = { exitCode: 0, signal: null, timedOut: false, outputCut: false, durationMs: 1 };

const budget = new CaptureBudget(1024 * MIB);

function captureOf(capBytes: number): Capture {
  return new Capture(capBytes, budget);
}

function textOf(capture: Capture): string {
  return capture.bytes().toString('utf8');
}

t.test('captured output keeps up to its cap and knows how much was dropped', (t) => {
  const table: readonly [cap: number, chunks: string[], text: string, truncated: boolean][] = [
    [5, ['abc', 'defg', 'h'], 'abcde', true],
    [5, ['abc', 'de'], 'abcde', false],
    [5, ['abcde', 'f'], 'abcde', true],
    [0, ['a'], '', true],
    [0, [], '', false],
    [Number.POSITIVE_INFINITY, ['ab'], 'ab', false],
  ];
  for (const [cap, chunks, text, truncated] of table) {
    const sink = captureOf(cap);
    for (const chunk of chunks) t.equal(sink.take(Buffer.from(chunk)), true);
    t.same([textOf(sink), sink.truncated, sink.receivedBytes], [text, truncated, chunks.join('').length]);
  }
  t.end();
});

t.test('captured output does not change when the memory of its chunks is used again', (t) => {
  const sink = captureOf(100);
  const chunk = Buffer.from('abc');
  sink.take(chunk);
  chunk.fill('x');
  t.equal(textOf(sink), 'abc');
  t.end();
});

t.test(
  'captured output is whole UTF-8 when characters are cut at chunk edges, and U+FFFD where the cap cuts one',
  (t) => {
    const euro = Buffer.from('a€🙂');
    const whole = captureOf(100);
    for (const byte of euro) whole.take(Buffer.from([byte]));
    t.equal(textOf(whole), 'a€🙂');
    const cut = captureOf(3);
    cut.take(euro);
    t.equal(textOf(cut), 'a\ufffd');
    const bom = captureOf(100);
    bom.take(Buffer.from([0xef, 0xbb, 0xbf, 0x41, 0xff]));
    t.equal(textOf(bom), '\ufeffA\ufffd', 'a byte order mark is output, too');
    t.end();
  },
);

t.test('captured output in pieces equals JSON.stringify of its text when it is long', async (t) => {
  const samples: [name: string, bytes: Buffer][] = [
    ['multi-byte text', Buffer.from('€🙂"\\\n\u0001ü'.repeat(200_000))],
    ['control characters', Buffer.alloc(2 * MIB + 1, 1)],
    ['invalid bytes', Buffer.alloc(MIB + 7, 0xff)],
    ['a byte order mark first', Buffer.concat([Buffer.from('\ufeff'), Buffer.alloc(MIB + 5, 0x61)])],
    ['a character cut at the end', Buffer.concat([Buffer.alloc(2 * MIB, 0x61), Buffer.from([0xe2, 0x82])])],
    ['nothing', Buffer.alloc(0)],
  ];
  for (const [name, bytes] of samples) {
    for (const step of [1000, 65_536, 4 * MIB]) {
      const sink = captureOf(Number.POSITIVE_INFINITY);
      for (let from = 0; from < bytes.length; from += step) sink.take(bytes.subarray(from, from + step));
      const text = bytes.toString('utf8');
      t.equal(textOf(sink), text, `${name}: text`);
      const stderr = captureOf(0);
      const options = { end: END, request: UNCONFINED, outputs: { stdout: sink, stderr }, experimental: false, budget };
      const { result } = await execResult(options);
      const whole =
        result instanceof ResultParts ? Buffer.concat([...result.parts]).toString('utf8') : JSON.stringify(result);
      t.equal(result instanceof ResultParts, bytes.length > MIB);
      t.same(JSON.parse(whole), { exitCode: 0, stdout: text, stderr: '' }, `${name} in steps of ${step}`);
    }
  }
});

t.test('captured output keeps nothing, and still takes chunks, when it is discarded', (t) => {
  const sink = captureOf(10);
  sink.take(Buffer.from('abc'));
  sink.discard();
  t.equal(sink.take(Buffer.from('d'.repeat(100))), true);
  t.equal(textOf(sink), '');
  t.equal(sink.receivedBytes, 103);
  t.end();
});

t.test(
  'captured output of all commands stays within its bound, and says what it dropped, when commands write without end',
  (t) => {
    const total = new CaptureBudget(4 * MIB);
    const captures = Array.from({ length: 20 }, () => new Capture(Number.POSITIVE_INFINITY, total));
    const chunk = Buffer.alloc(65_536);
    for (let round = 0; round < 100; round += 1) for (const capture of captures) capture.take(chunk);
    t.ok(total.usedBytes <= 4 * MIB && total.usedBytes > 3 * MIB, `${total.usedBytes} bytes`);
    t.ok(captures.every(({ truncated }) => truncated));
    t.equal(captures.reduce((sum, { keptBytes }) => sum + keptBytes, 0) <= total.usedBytes, true);
    for (const capture of captures) capture.discard();
    t.equal(total.usedBytes, 0, 'all of it is given back');
    t.end();
  },
);

t.test(
  'long reply counts against the same bound, and is cut, when its JSON takes more room than the captured bytes',
  async (t) => {
    const total = new CaptureBudget(8 * MIB);
    const stdout = new Capture(Number.POSITIVE_INFINITY, total);
    const stderr = new Capture(0, total);
    stdout.take(Buffer.alloc(4 * MIB, 1));
    t.notOk(stdout.truncated);
    const options = { end: END, request: UNCONFINED, outputs: { stdout, stderr }, experimental: true, budget: total };
    const { result, release } = await execResult(options);
    t.ok(total.usedBytes <= 8 * MIB);
    const text = Buffer.concat([...(result as ResultParts).parts]).toString('utf8');
    const reply = JSON.parse(text) as { stdout: string; truncated: { stdout: boolean } };
    t.ok(reply.stdout.length > 0 && reply.stdout.length < 4 * MIB, 'control characters take six times their room');
    t.ok(reply.truncated.stdout);
    release?.();
    t.equal(total.usedBytes, 0);
  },
);
