// Shows the numbered events of a process: their order, what can be read again, and the bound on their number.
import t from 'tap';
import { OutputLog } from '../../../src/commands/output/log.js';
import { ReplayBudget } from '../../../src/commands/output/replay-budget.js';
import { EventLog, MAX_EVENTS } from '../../../src/dialects/exec-server/event-log.js';

function logOf(keepBytes: number): OutputLog {
  const retention = { keepBytes, waitsForWriter: false, budget: new ReplayBudget(1024 * 1024) };
  return new OutputLog({ capBytes: Number.POSITIVE_INFINITY, retention });
}

const textOf = ({ chunks }: ReturnType<EventLog['read']>): string[] => chunks.map(({ bytes }) => bytes.toString());

t.test('events have one sequence when they are of both streams, the exit and the close', (t) => {
  const logs = { stdout: logOf(1000), stderr: logOf(1000) };
  const events = new EventLog(logs);
  const write = (output: 'stdout' | 'stderr', text: string): number => {
    const offset = logs[output].next;
    logs[output].take(Buffer.from(text));
    return events.addOutput(output, offset, text.length);
  };
  t.same([write('stdout', 'one'), write('stderr', 'two'), events.addExit(), write('stdout', 'late')], [1, 2, 3, 4]);
  t.equal(events.addClose(), 5);
  t.equal(events.nextSeq, 6);
  t.same(textOf(events.read(0, Number.POSITIVE_INFINITY)), ['one', 'two', 'late']);
  t.same(textOf(events.read(2, Number.POSITIVE_INFINITY)), ['late']);
  t.same(textOf(events.read(99, Number.POSITIVE_INFINITY)), []);
  t.match(events.read(0, 3), { chunks: { length: 1 }, isCut: true });
  t.match(events.read(0, 0), { chunks: { length: 1 }, isCut: true }, 'one chunk is always given');
  t.match(events.read(0, 6), { chunks: { length: 2 }, isCut: true });
  t.match(events.read(0, 10), { chunks: { length: 3 }, isCut: false });
  t.end();
});

t.test('event is left out when its bytes were forgotten', (t) => {
  const log = logOf(4096);
  const events = new EventLog({ stdout: log });
  for (let index = 0; index < 40; index += 1) {
    const offset = log.next;
    log.take(Buffer.alloc(1000, index));
    events.addOutput('stdout', offset, 1000);
  }
  const { chunks } = events.read(0, Number.POSITIVE_INFINITY);
  t.ok(chunks.length >= 4 && chunks.length < 40, `${chunks.length} chunks`);
  t.equal(chunks.at(-1)?.seq, 40);
  t.ok(chunks.every(({ seq, bytes }) => bytes.length === 1000 && bytes[0] === seq - 1));
  t.end();
});

t.test('events are bounded in number when a program writes single bytes', (t) => {
  const log = logOf(1024 * 1024);
  const events = new EventLog({ stdout: log });
  const count = 3 * MAX_EVENTS;
  for (let index = 0; index < count; index += 1) {
    log.take(Buffer.from('x'));
    events.addOutput('stdout', index, 1);
  }
  const { chunks } = events.read(0, Number.POSITIVE_INFINITY);
  t.ok(chunks.length >= MAX_EVENTS && chunks.length <= 2 * MAX_EVENTS, `${chunks.length}`);
  t.equal(chunks.at(-1)?.seq, count);
  t.end();
});
