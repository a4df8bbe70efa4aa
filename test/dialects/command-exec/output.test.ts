// Shows how deltas are encoded, and how output is streamed and capped. Starts no process.

import t from 'tap';
import { OutputLog } from '../../../src/commands/output/log.js';
import { Viewer } from '../../../src/commands/output/viewer.js';
import { DeltaEncoder, MAX_DELTA_BYTES } from '../../../src/dialects/command-exec/delta-encoder.js';
import { StreamPort } from '../../../src/dialects/command-exec/stream-port.js';
import { HIGH_WATER_BYTES } from '../../../src/rpc/outbox.js';
import { MESSAGE_HEADROOM_BYTES } from '../../../src/rpc/transport.js';
import type { MemoryTransport } from '../../support/memory-transport.js';
import { fc } from '../../support/property.js';
import { openSession } from '../../support/test-connection.js';

// Deltas.

function textOf({ buffer, textBytes }: { buffer: Buffer; textBytes: number }): string {
  return buffer.toString('utf8', MESSAGE_HEADROOM_BYTES, MESSAGE_HEADROOM_BYTES + textBytes);
}

t.test('delta encoder writes the same text as JSON.stringify for any ids and bytes', (t) => {
  const processId = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('__proto__', '', '"\\', '\u2028', '\ud800'),
  );
  fc.assert(
    fc.property(
      processId,
      fc.constantFrom('stdout' as const, 'stderr' as const),
      fc.boolean(),
      fc.boolean(),
      fc.uint8Array({ maxLength: 50_000, size: 'max' }),
      (id, stream, jsonrpc, capReached, bytes) => {
        const plain = JSON.stringify({
          ...(jsonrpc ? { jsonrpc: '2.0' } : {}),
          method: 'command/exec/outputDelta',
          params: { processId: id, stream, deltaBase64: Buffer.from(bytes).toString('base64'), capReached },
        });
        const message = new DeltaEncoder(id, stream, { jsonrpc }).encode(Buffer.from(bytes), capReached);
        return textOf(message) === plain;
      },
    ),
    { numRuns: 150 },
  );
  t.end();
});

t.test('delta encoder does not change an unsent message when it reuses buffers of sent ones', (t) => {
  const encoder = new DeltaEncoder('p', 'stdout', { jsonrpc: true });
  const chunkOf = (byte: number): Buffer => Buffer.alloc(MAX_DELTA_BYTES, byte);
  const held = encoder.encode(chunkOf(1), false);
  const before = textOf(held);
  const sent = encoder.encode(chunkOf(2), false);
  sent.onSent?.();
  const next = encoder.encode(chunkOf(3), false);
  t.equal(next.buffer, sent.buffer, 'the buffer of the sent message is used again');
  t.not(next.buffer, held.buffer);
  t.equal(textOf(held), before, 'the buffer of the unsent message is not');
  const long = new DeltaEncoder('p'.repeat(5000), 'stdout', { jsonrpc: true }).encode(chunkOf(4), true);
  t.equal((JSON.parse(textOf(long)) as { params: { processId: string } }).params.processId.length, 5000);
  t.end();
});

// Streamed output.

interface Delta {
  readonly deltaBase64: string;
  readonly capReached: boolean;
}

function streamed(capBytes: number): {
  readonly sink: OutputLog;
  readonly transport: MemoryTransport;
  readonly deltas: () => { bytes: string; capReached: boolean }[];
  readonly resumes: () => number;
} {
  const { session, transport } = openSession();
  let resumes = 0;
  const port = new StreamPort({ session, processId: 'p', stream: 'stdout', saysOffset: false, followsTaken: false });
  const sink = new OutputLog({ capBytes });
  sink.add(new Viewer({ port, from: 0, isLossless: true, windowBytes: Number.POSITIVE_INFINITY }));
  sink.onResume = () => {
    resumes += 1;
  };
  const deltas = (): { bytes: string; capReached: boolean }[] =>
    transport.messages.map(({ params }) => {
      const { deltaBase64, capReached } = params as unknown as Delta;
      return { bytes: Buffer.from(deltaBase64, 'base64').toString('latin1'), capReached };
    });
  return {
    sink,
    transport,
    deltas,
    resumes: () => resumes,
  };
}

t.test('streamed output says capReached once, on the last delta, when output meets its cap', (t) => {
  const table: readonly [cap: number, chunks: string[], deltas: [string, boolean][], truncated: boolean][] = [
    [5, ['abcdefgh', 'ij'], [['abcde', true]], true],
    [5, ['abcde'], [['abcde', true]], false],
    [
      5,
      ['abc', 'de', 'f'],
      [
        ['abc', false],
        ['de', true],
      ],
      true,
    ],
    [5, ['abc'], [['abc', false]], false],
    [5, [], [], false],
    [0, ['abc', 'd'], [['', true]], true],
    [0, [], [['', true]], false],
    [Number.POSITIVE_INFINITY, ['abc'], [['abc', false]], false],
  ];
  for (const [cap, chunks, expected, truncated] of table) {
    const { sink, deltas } = streamed(cap);
    for (const chunk of chunks) t.ok(sink.take(Buffer.from(chunk)), 'the command never waits at its cap');
    sink.end();
    const name = `cap ${cap}, ${JSON.stringify(chunks)}`;
    t.same(
      deltas(),
      expected.map(([bytes, capReached]) => ({ bytes, capReached })),
      name,
    );
    t.equal(sink.truncated, truncated, name);
    t.equal(sink.receivedBytes, chunks.join('').length, name);
  }
  t.end();
});

t.test('streamed output cuts large chunks and loses nothing when caps and sizes are random', (t) => {
  const sizes = fc.array(fc.integer({ min: 1, max: 3 * MAX_DELTA_BYTES }), { maxLength: 5 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 0, max: 6 * MAX_DELTA_BYTES }), (chunkSizes, cap) => {
      const { sink, deltas } = streamed(cap);
      const all = chunkSizes.map((size, at) => Buffer.alloc(size, 65 + at));
      for (const chunk of all) sink.take(chunk);
      sink.end();
      const wanted = Buffer.concat(all).toString('latin1').slice(0, cap);
      const got = deltas();
      const marks = got.map(({ capReached }) => capReached);
      return (
        got.map(({ bytes }) => bytes).join('') === wanted &&
        got.every(({ bytes }) => bytes.length <= MAX_DELTA_BYTES) &&
        marks.slice(0, -1).every((mark) => !mark) &&
        (marks.at(-1) ?? false) === (wanted.length === cap)
      );
    }),
    { numRuns: 40 },
  );
  t.end();
});

t.test('streamed output pauses its source at the high water mark and resumes it when there is room', (t) => {
  const { sink, transport, resumes } = streamed(Number.POSITIVE_INFINITY);
  transport.stopReading();
  const chunk = Buffer.alloc(MAX_DELTA_BYTES);
  let taken = 1;
  while (sink.take(chunk)) taken += 1;
  t.ok(transport.bufferedBytes >= HIGH_WATER_BYTES && transport.bufferedBytes < 1.2 * HIGH_WATER_BYTES);
  t.equal(resumes(), 0);
  transport.readOn();
  t.equal(resumes(), 1);
  t.equal(transport.texts.length, taken);
  t.end();
});

t.test('streamed output neither sends nor pauses when it is discarded or capped', (t) => {
  const { sink, transport, resumes } = streamed(2 * HIGH_WATER_BYTES);
  transport.stopReading();
  t.notOk(sink.take(Buffer.alloc(HIGH_WATER_BYTES)));
  sink.discard();
  t.ok(sink.take(Buffer.alloc(HIGH_WATER_BYTES)));
  sink.end();
  transport.readOn();
  t.equal(resumes(), 1, 'the discard resumed the source, and nothing resumes it again');
  t.equal(transport.texts.length, HIGH_WATER_BYTES / MAX_DELTA_BYTES);

  const capped = streamed(2 * HIGH_WATER_BYTES);
  capped.transport.stopReading();
  t.ok(capped.sink.take(Buffer.alloc(2 * HIGH_WATER_BYTES)), 'at its cap the source is not paused for a full outbox');
  t.end();
});
