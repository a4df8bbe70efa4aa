// Shows when the server gives memory back to the machine. The clock and all figures come from the test.
import t from 'tap';
import { MemoryReturn } from '../../src/server/memory-return.js';

const MIB = 1024 * 1024;

function watched(costMs: number): { look: (atMs: number, mib: number) => Promise<boolean> } {
  let nowMs = 0;
  let bytes = 0;
  const memory = new MemoryReturn({
    residentBytes: () => bytes,
    nowMs: () => nowMs,
    giveBack: async () => {
      nowMs += costMs;
    },
  });
  return {
    look: (atMs, mib) => {
      nowMs = atMs;
      bytes = mib * MIB;
      return memory.look();
    },
  };
}

t.test('memory is given back when it is far above the least that was seen', async (t) => {
  const { look } = watched(0);
  t.notOk(await look(0, 60), 'the first look has nothing to compare with');
  t.notOk(await look(10, 70), 'some growth is ordinary');
  t.ok(await look(20, 560));
  t.ok(await look(30, 100));
  t.notOk(await look(40, 62));
});

t.test('memory of a small process is left alone when its growth is small in bytes', async (t) => {
  const { look } = watched(0);
  await look(0, 10);
  t.notOk(await look(10, 20));
});

t.test('collections take at most a thousandth of the time when they free nothing', async (t) => {
  const { look } = watched(20);
  await look(0, 60);
  t.ok(await look(10_000, 560));
  t.notOk(await look(20_000, 560), 'the collection at 10 s took 20 ms, so the next one may come after 20 s');
  t.notOk(await look(30_000, 560));
  t.ok(await look(40_000, 560));
});

t.test('memory is left alone when its size is unknown', async (t) => {
  let gaveBack = false;
  const memory = new MemoryReturn({
    residentBytes: () => undefined,
    giveBack: async () => {
      gaveBack = true;
    },
  });
  memory.start();
  t.notOk(await memory.look());
  memory.stop();
  t.notOk(gaveBack);
});
