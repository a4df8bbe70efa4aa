// Compares output logs with a model: what each viewer received, together with its declared gaps, is exactly the stream. Starts no process.
import t from 'tap';
import { OutputLog } from '../../src/commands/output/log.js';
import { ReplayBudget } from '../../src/commands/output/replay-budget.js';
import { type OutputPort, Viewer } from '../../src/commands/output/viewer.js';
import { fc } from '../support/property.js';

/** A client that can stop reading and checks everything that it receives. */
class CheckingPort implements OutputPort {
  isFull = false;
  position: number;
  received = 0;
  lost = 0;
  gaps = 0;
  /** Bytes received that its client has not acknowledged. */
  underWay = 0;
  readonly problems: string[] = [];
  #waiting: (() => void) | undefined;

  constructor(from: number) {
    this.position = from;
  }

  get takenOffset(): number {
    return this.position;
  }

  send(bytes: Buffer, offset: number): void {
    if (offset !== this.position) this.problems.push(`bytes at ${offset}, expected ${this.position}`);
    for (const [at, byte] of bytes.entries()) {
      if (byte !== byteAt(offset + at)) this.problems.push(`wrong byte at ${offset + at}`);
    }
    this.position += bytes.length;
    this.received += bytes.length;
    this.underWay += bytes.length;
  }

  gap(from: number, to: number): void {
    if (from !== this.position || to <= from) this.problems.push(`gap ${from} to ${to} at ${this.position}`);
    if (this.isFull) this.problems.push(`a gap for a client that does not read, ${from} to ${to}`);
    this.position = to;
    this.lost += to - from;
    this.gaps += 1;
  }

  whenWritable(callback: () => void): void {
    this.#waiting = callback;
  }

  forget(): void {
    this.#waiting = undefined;
  }

  readOn(): void {
    this.isFull = false;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
}

function byteAt(offset: number): number {
  return (offset * 7 + (offset >> 8)) & 0xff;
}

function chunkAt(offset: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => byteAt(offset + at)));
}

type Step =
  | { readonly do: 'write'; readonly bytes: number }
  | { readonly do: 'attach'; readonly writer: boolean; readonly back: number; readonly window: number | undefined }
  | { readonly do: 'leave' | 'stop' | 'read' | 'acknowledge'; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 9000 }) }) },
  fc.record({
    do: fc.constant('attach' as const),
    writer: fc.boolean(),
    back: fc.nat(20_000),
    window: fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }),
  }),
  fc.record({ do: fc.constantFrom('leave' as const, 'stop' as const, 'read' as const), which: fc.nat(5) }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('acknowledge' as const), which: fc.nat(5) }) },
);

/** A viewer and its client. */
interface Seat {
  readonly port: CheckingPort;
  readonly viewer: Viewer;
  readonly from: number;
}

t.test('output log gives each viewer every byte once and in order, or a declared gap, whatever the viewers do', (t) => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.constantFrom(0, 1, 4096, 10_000, 100_000),
      fc.boolean(),
      fc.constantFrom(8192, 20_000, 1_000_000),
      (steps, keepBytes, waits, budgetBytes) => {
        const budget = new ReplayBudget(budgetBytes);
        const waitsForWriter = waits && keepBytes > 0;
        const log = new OutputLog({
          capBytes: Number.POSITIVE_INFINITY,
          retention: { keepBytes, waitsForWriter, budget },
        });
        let isPaused = false;
        log.onResume = () => {
          isPaused = false;
        };
        const seats: Seat[] = [];
        const done: Seat[] = [];
        const problems: string[] = [];
        for (const one of steps) {
          if (one.do === 'write') {
            // A source that was told to wait does so.
            if (!isPaused) isPaused = !log.take(chunkAt(log.next, one.bytes));
          } else if (one.do === 'attach') {
            const isLossless = one.writer && !seats.some(({ viewer }) => viewer.isLossless);
            const from = Math.max(0, log.next - one.back);
            const port = new CheckingPort(from);
            const windowBytes = one.window ?? Number.POSITIVE_INFINITY;
            const viewer = new Viewer({ port, from, isLossless, windowBytes });
            log.add(viewer);
            log.pump(viewer);
            seats.push({ port, viewer, from });
          } else {
            const seat = seats[one.which % Math.max(1, seats.length)];
            if (seat === undefined) continue;
            if (one.do === 'leave') {
              log.remove(seat.viewer);
              seats.splice(seats.indexOf(seat), 1);
              done.push(seat);
            } else if (one.do === 'stop') seat.port.isFull = true;
            else if (one.do === 'read') seat.port.readOn();
            else {
              seat.port.underWay = 0;
              log.acknowledge(seat.viewer, seat.port.position);
            }
          }
          for (const { port, viewer } of seats) {
            if (port.underWay > viewer.windowBytes)
              problems.push(`${port.underWay} under way of ${viewer.windowBytes}`);
          }
          const writer = seats.find(({ viewer }) => viewer.isLossless);
          if (!waitsForWriter && writer === undefined && isPaused)
            problems.push('the source waits although no writer is left');
        }
        // In the end all viewers read and acknowledge until no output is left.
        log.end();
        for (let round = 0; round < 1_000_000 && seats.some(({ viewer }) => !log.hasSentAll(viewer)); round += 1) {
          for (const { port, viewer } of seats) {
            port.readOn();
            port.underWay = 0;
            log.acknowledge(viewer, port.position);
          }
        }
        for (const { port, from } of [...seats, ...done]) {
          problems.push(...port.problems);
          if (port.received + port.lost !== port.position - from) problems.push('bytes and gaps do not add up');
        }
        for (const { port } of seats)
          if (port.position !== log.next) problems.push(`stopped at ${port.position} of ${log.next}`);
        for (const { viewer } of seats) log.remove(viewer);
        if (budget.heldBytes !== log.heldBytes) problems.push('the budget counts other bytes than the log');
        if (problems.length > 0) throw new Error(problems.join('; '));
      },
    ),
    { numRuns: 400 },
  );
  t.end();
});

t.test('writer with a window that comes back with its offsets has no gap when the source waits for it', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 30_000 }), fc.nat(40_000), fc.boolean()), { maxLength: 40 }),
      fc.integer({ min: 1, max: 20_000 }),
      (rounds, windowBytes) => {
        const budget = new ReplayBudget(1_000_000);
        const retention = { keepBytes: 20_000, waitsForWriter: true, budget };
        const log = new OutputLog({ capBytes: Number.POSITIVE_INFINITY, retention });
        let isPaused = false;
        log.onResume = () => {
          isPaused = false;
        };
        let position = 0;
        let lost = 0;
        let seat: Seat | undefined;
        for (const [bytes, processed, cuts] of rounds) {
          if (seat === undefined) {
            const port = new CheckingPort(position);
            const viewer = new Viewer({ port, from: position, isLossless: true, windowBytes });
            log.add(viewer);
            log.pump(viewer);
            seat = { port, viewer, from: position };
          }
          if (!isPaused) isPaused = !log.take(chunkAt(log.next, bytes));
          // A part of the sent output is processed and acknowledged; the rest is lost with the connection.
          position = Math.min(seat.port.position, position + processed);
          log.acknowledge(seat.viewer, position);
          lost += seat.port.lost + seat.port.problems.length;
          if (!cuts) continue;
          log.remove(seat.viewer);
          seat = undefined;
          // With no viewer the program writes as long as it may.
          for (let more = 0; more < 3 && !isPaused; more += 1) isPaused = !log.take(chunkAt(log.next, bytes));
        }
        return lost === 0;
      },
    ),
    { numRuns: 400 },
  );
  t.end();
});

t.test('replay budget keeps all logs together below its limit and drops from the largest first', (t) => {
  const budget = new ReplayBudget(256 * 1024);
  const logOf = (waitsForWriter: boolean): OutputLog =>
    new OutputLog({
      capBytes: Number.POSITIVE_INFINITY,
      retention: { keepBytes: 128 * 1024, waitsForWriter, budget },
    });
  const small = logOf(false);
  small.take(Buffer.alloc(10_000));
  const large = Array.from({ length: 10 }, () => logOf(false));
  for (let round = 0; round < 100; round += 1) {
    for (const log of large) log.take(Buffer.alloc(5000));
    t.ok(budget.heldBytes <= budget.limitBytes, `${budget.heldBytes} bytes after round ${round}`);
  }
  t.equal(small.oldest, 0, 'the small one kept its beginning');
  t.ok(budget.canReserve(128 * 1024));
  const waiting = [logOf(true), logOf(true)];
  t.notOk(budget.canReserve(1), 'reserved bytes cannot be reserved again');
  t.ok(budget.usedBytes <= budget.limitBytes, 'the other logs dropped bytes for them');
  for (const log of [...waiting, ...large, small]) log.discard();
  t.equal(budget.usedBytes, 0);
  t.end();
});

t.test('observer that stopped reading gets one gap when it reads on, however much was dropped', (t) => {
  const budget = new ReplayBudget(1_000_000);
  const log = new OutputLog({
    capBytes: Number.POSITIVE_INFINITY,
    retention: { keepBytes: 20_000, waitsForWriter: false, budget },
  });
  const port = new CheckingPort(0);
  log.add(new Viewer({ port, from: 0, isLossless: false, windowBytes: Number.POSITIVE_INFINITY }));
  port.isFull = true;
  for (let chunk = 0; chunk < 1000; chunk += 1) log.take(chunkAt(log.next, 1000));
  t.equal(port.gaps, 0, 'no gap is sent while it does not read');
  port.readOn();
  t.equal(port.gaps, 1);
  t.equal(port.position, log.next);
  t.same(port.problems, []);
  t.end();
});

t.test('viewer with a full window gets no gap until it acknowledges', (t) => {
  const budget = new ReplayBudget(1_000_000);
  const log = new OutputLog({
    capBytes: Number.POSITIVE_INFINITY,
    retention: { keepBytes: 20_000, waitsForWriter: false, budget },
  });
  const port = new CheckingPort(0);
  const viewer = new Viewer({ port, from: 0, isLossless: false, windowBytes: 3000 });
  log.add(viewer);
  for (let chunk = 0; chunk < 1000; chunk += 1) log.take(chunkAt(log.next, 1000));
  t.same([port.received, port.gaps], [3000, 0]);
  log.acknowledge(viewer, 1000);
  t.same([port.received, port.gaps], [4000, 1], 'one gap, and as much as it acknowledged');
  log.acknowledge(viewer, 2500);
  t.same([port.received, port.gaps], [5500, 1]);
  log.acknowledge(viewer, port.position);
  t.same([port.received, port.gaps], [8500, 1]);
  t.same(port.problems, []);
  t.end();
});
