// Screens of detachable terminals over a fake library: what waits for them, and what happens when there is no screen.
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { OutputLog } from '../../src/commands/output/log.js';
import { ReplayBudget } from '../../src/commands/output/replay-budget.js';
import { CommandScreen, FoldTurns, type MakeTerminal } from '../../src/commands/screen.js';
import { type HeadlessTerminal, makeHeadlessTerminal } from '../../src/commands/screen-terminal.js';
import { settled } from '../support/fake-process.js';
import { fc } from '../support/property.js';
import { ShownTerminal } from '../support/shown-terminal.js';

/** Some two seconds of work on an idle machine. */
const RUNS = 400;
const KIB = 1024;
const SIZE = { rows: 24, cols: 80 };

/** A terminal that shows how many bytes it has parsed, and parses only when the test tells it to. */
class SlowTerminal implements HeadlessTerminal {
  parsedBytes = 0;
  isDisposed = false;
  isSlow = true;
  #waiting: (() => void)[] = [];

  write(bytes: Buffer): Promise<void> {
    this.parsedBytes += bytes.length;
    return this.isSlow ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  /** Parses its bytes, and all later ones. */
  goOn(): void {
    this.isSlow = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  resize(): void {}

  picture() {
    return { bytes: Buffer.from(String(this.parsedBytes)), isAlternate: false, title: undefined };
  }

  dispose(): void {
    this.isDisposed = true;
  }
}

function setUp(keepBytes: number, makeTerminal: MakeTerminal): { log: OutputLog; screen: CommandScreen } {
  const retention = { keepBytes, waitsForWriter: false, budget: new ReplayBudget(100 * KIB * KIB) };
  const log = new OutputLog({ capBytes: Number.POSITIVE_INFINITY, retention });
  const screen = new CommandScreen({ log, size: SIZE, makeTerminal, turns: new FoldTurns(), folds: true });
  return { log, screen };
}

t.test('screen does not slow the command when it is asked for, and shows all output up to then', async (t) => {
  const terminal = new SlowTerminal();
  const { log, screen } = setUp(KIB * KIB, async () => terminal);
  for (let chunk = 0; chunk < 16; chunk += 1) log.take(Buffer.alloc(64 * KIB));
  const image = screen.image();
  t.ok(log.take(Buffer.alloc(64 * KIB)), 'the source goes on while the screen is being drawn');
  const second = screen.image();
  t.ok(log.take(Buffer.alloc(64 * KIB)));
  await settled();
  terminal.goOn();
  t.match(await image, { offset: KIB * KIB, bytes: Buffer.from(String(KIB * KIB)), isComplete: true });
  t.match(await second, { offset: 1088 * KIB });
});

t.test('command waits for its screen when it writes faster than the screen parses, and goes on then', async (t) => {
  const terminal = new SlowTerminal();
  const { log } = setUp(64 * KIB, async () => terminal);
  let resumed = 0;
  log.onResume = () => {
    resumed += 1;
  };
  let taken = 0;
  while (log.take(Buffer.alloc(64 * KIB))) taken += 1;
  t.ok(taken >= 4 && taken < 10, `${taken} chunks`);
  t.ok(log.leavingBytes <= 512 * KIB);
  await settled();
  terminal.goOn();
  while (resumed === 0) await settled();
  t.ok(log.take(Buffer.alloc(1)));
});

t.test('screen that cannot be drawn refuses requests for it, and the command goes on', async (t) => {
  const broken = new Error('no such library');
  const { log, screen } = setUp(64 * KIB, () => Promise.reject(broken));
  for (let chunk = 0; chunk < 4; chunk += 1) log.take(Buffer.alloc(64 * KIB));
  await t.rejects(screen.image(), broken);
  for (let chunk = 0; chunk < 40; chunk += 1) t.ok(log.take(Buffer.alloc(64 * KIB)));
  t.equal(log.leavingBytes, 0);
  await t.rejects(screen.image(), broken);
});

t.test('screen that is given up while it is drawn refuses its image and frees its terminal', async (t) => {
  const terminal = new SlowTerminal();
  const { log, screen } = setUp(64 * KIB, async () => terminal);
  log.take(Buffer.alloc(64 * KIB));
  const image = screen.image();
  await settled();
  screen.dispose();
  await t.rejects(image, /forgotten/);
  t.notOk(terminal.isDisposed, 'it is at work, and would never say that it has done it');
  terminal.goOn();
  while (!terminal.isDisposed) await settled();
});

t.test('terminal without a window reports nothing when it cannot read a sequence', async (t) => {
  const said = t.capture(console, 'error').args;
  const warned = t.capture(console, 'warn').args;
  const terminal = await makeHeadlessTerminal({ rows: 5, cols: 20 });
  // A control sequence that ends with a character that none may have.
  await terminal.write(Buffer.from('\x1b[1;\u{1f468}\x1b[\x7f\xe9 text', 'utf8'));
  await terminal.write(Buffer.from([0x1b, 0x5b, 0x31, 0xe9, 0x1b, 0xff, 0x9b, 0xe8]));
  t.match(terminal.picture().bytes.toString(), /text/);
  t.same([...said(), ...warned()], []);
  terminal.dispose();
});

/** What programs write, in pieces that are divided nowhere by themselves. */
const fragments = fc.oneof(
  fc.constantFrom(
    ...[
      '\x1b[31;1m',
      '\x1b[0m',
      '\x1b[38;5;200;48;2;1;2;3m',
      '\x1b[7m',
      '\x1b[H',
      '\x1b[3;7H',
      '\x1b[2J',
      '\x1b[K',
      '\x1b[1K',
    ],
    ...[
      '\x1b[?25l',
      '\x1b[?25h',
      '\x1b[?1049h',
      '\x1b[?1049l',
      '\x1b[2;5r',
      '\x1b[r',
      '\x1b[?6h',
      '\x1b[?6l',
      '\x1b[?2004h',
      '\x1b[?1h',
    ],
    ...[
      '\x1b7',
      '\x1b8',
      '\x1b(0',
      '\x1b(B',
      '\x1b)0',
      '\x0e',
      '\x0f',
      '\x1b[4h',
      '\x1b[4l',
      '\x1b[3 q',
      '\x1bM',
      '\x1bD',
      '\x1b[2L',
      '\x1b[P',
    ],
    ...[
      '\x1b]0;a title\x07',
      '\x1b]2;other\x1b\\',
      '\x1bP1$r0m\x1b\\',
      '\x1b[S',
      '\x1b[?1000h\x1b[?1006h',
      '\x9b32m',
      '\x18',
    ],
    ...[
      '\r\n',
      '\n',
      '\t',
      '\b',
      '漢字',
      'é',
      'e\u0301',
      '👨‍👩‍👧',
      '─│┌',
      'qxlk',
      'text',
      'a line that is longer than the window is wide',
    ],
  ),
  fc.string({ maxLength: 5 }),
);

t.test('screen shows what follows as a terminal that saw all, wherever the output is divided', async (t) => {
  const size = { rows: 6, cols: 20 };
  const property = fc.asyncProperty(fc.array(fragments, { maxLength: 25 }), fc.nat(), async (pieces, at) => {
    const bytes = Buffer.from(pieces.join(''), 'utf8');
    const divided = at % (bytes.length + 1);
    const [whole, back, server] = [
      new ShownTerminal(6, 20),
      new ShownTerminal(6, 20),
      await makeHeadlessTerminal(size),
    ];
    // Not in one piece: what is unfinished may have begun in an earlier one.
    for (let from = 0; from < divided; from += 7) await server.write(bytes.subarray(from, Math.min(from + 7, divided)));
    // At the same place: the library loses some characters that come in two pieces.
    await whole.write(bytes.subarray(0, divided));
    await whole.write(bytes.subarray(divided));
    await back.write(server.picture().bytes);
    await back.write(bytes.subarray(divided));
    const [wanted, got] = [whole.shown(), back.shown()];
    for (const terminal of [whole, back, server]) terminal.dispose();
    if (isDeepStrictEqual(got, wanted)) return;
    throw new Error(
      `${bytes.toString('hex')} divided at ${divided}:\n${JSON.stringify(got)}\n${JSON.stringify(wanted)}`,
    );
  });
  const examples: [pieces: string[], at: number][] = [
    [['a line that is longer than the window is wide', '\x1b[1K', '\x1b[31;1m'], 49],
    [['\x1b[31;1m', '\x1b7', '\x1b[?1049l', ' '], 9],
    [['a line that is longer than the window is wide', '\x1b[1K', ' ', '\x1b[31;1m'], 50],
  ];
  await fc.assert(property, { numRuns: RUNS, examples });
  t.pass(`${RUNS} divisions`);
});
