// Shows what counts as overload. All figures come from the test.
import t from 'tap';
import { Overload } from '../../src/server/overload.js';

function overload(options: { maxEventLoopDelayMs?: number; limit?: number } = {}) {
  const state = { delayMs: 0, descriptors: 10, load: 0, nowMs: 0 };
  const lines: string[] = [];
  const it = new Overload({
    maxEventLoopDelayMs: options.maxEventLoopDelayMs ?? 500,
    log: { warn: (_fields: unknown, text: string) => lines.push(text) } as never,
    descriptorLimit: options.limit ?? 1024,
    countDescriptors: () => state.descriptors,
    nowMs: () => state.nowMs,
    loopDelay: {
      get maxMs() {
        return state.delayMs;
      },
      start() {},
      stop() {},
    },
  });
  it.addLoad(() => state.load);
  return { it, state, lines };
}

t.test('service is overloaded when a bound is reached, until it is below nine tenths of it', (t) => {
  const { it, state, lines } = overload();
  const seen = [0.99, 1, 0.95, 0.9, 0.89, 0.95].map((load) => {
    state.load = load;
    return it.isOverloaded;
  });
  t.same(seen, [false, true, true, true, false, false]);
  t.same(lines, ['overloaded', 'no longer overloaded']);
  t.end();
});

t.test('service is not overloaded by a late event loop when the bound on its delay is 0', (t) => {
  const bounded = overload({ maxEventLoopDelayMs: 1 });
  bounded.state.delayMs = 2;
  t.ok(bounded.it.isOverloaded);
  const unbounded = overload({ maxEventLoopDelayMs: 0 });
  for (const delayMs of [0, 1, 60_000]) {
    unbounded.state.delayMs = delayMs;
    t.notOk(unbounded.it.isOverloaded, `${delayMs} ms`);
  }
  t.end();
});

t.test('burst of sockets is refused only until descriptors are counted again when its sockets close at once', (t) => {
  // 40 of 160 are spare, and 20 of them are kept for sockets that wait for their refusal.
  const { it, state } = overload({ limit: 160 });
  const taken = Array.from({ length: 200 }, () => it.takeSocket());
  t.notOk(taken.at(-1), 'a socket counts on after its end, because the last count may have missed it already');
  state.descriptors = 20;
  state.nowMs = 9;
  t.notOk(it.takeSocket(), 'not counted again yet');
  state.nowMs = 10;
  t.ok(it.takeSocket());
  t.end();
});

t.test('descriptors are short when open, requested and expected ones leave too few', (t) => {
  // 128 of 1,000 are spare.
  for (const [expected, shortage] of [
    [0, undefined],
    [10, 'descriptors'],
  ] as const) {
    const { it, state, lines } = overload({ limit: 1000 });
    state.descriptors = 852;
    it.addExpected(() => expected);
    t.equal(it.shortage(10), shortage, `${expected} expected`);
    t.equal(it.shortage(10), 'descriptors', 'granted descriptors count as taken');
    t.same(lines, ['out of descriptors: new connections and commands are refused'], 'logged once');
  }
  t.end();
});
