// Compares the fast XOR of frames with a plain loop, at every alignment and at the lengths where its way of working changes.
import t from 'tap';
import { mask, unmask } from '../../src/rpc/frame-mask.js';

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const LENGTHS = [0, 1, 2, 3, 4, 5, 31, 32, 33, 511, 512, 513, 514, 515, 516, 1021, 4096, 65_539];

function plain(source: Buffer): Buffer {
  return Buffer.from(source.map((byte, at) => byte ^ (KEY[at % 4] ?? 0)));
}

function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 31 + 7) % 256));
}

t.test('unmask gives the same bytes as a loop, for every length and alignment', async (t) => {
  for (const length of LENGTHS) {
    for (let offset = 0; offset < 4; offset += 1) {
      const memory = Buffer.alloc(length + 16, 0xee);
      const payload = memory.subarray(offset, offset + length);
      pattern(length).copy(payload);
      unmask(payload, KEY);
      t.ok(payload.equals(plain(pattern(length))), `${length} bytes at ${offset}`);
      t.ok(
        memory.subarray(0, offset).every((byte) => byte === 0xee) &&
          memory.subarray(offset + length).every((byte) => byte === 0xee),
        'touches nothing around',
      );
    }
  }
});

t.test('mask writes to its place in the output and does not change the source', async (t) => {
  for (const length of LENGTHS) {
    const source = pattern(length + 3);
    const output = Buffer.alloc(length + 10, 0xee);
    mask(source, KEY, output, 7, length);
    t.ok(output.subarray(7, 7 + length).equals(plain(source.subarray(0, length))), `${length} bytes`);
    t.ok(output.subarray(0, 7).every((byte) => byte === 0xee) && output[7 + length] === 0xee);
    t.ok(source.equals(pattern(length + 3)));
  }
});
