// Shows what waits for the screen of a detachable terminal, what happens when there is none, and that pictures are right. Starts no process.
import t from 'tap';
import { CommandError } from '../../src/commands/command-error.js';
import { OutputLog } from '../../src/commands/output/log.js';
import { ReplayBudget } from '../../src/commands/output/replay-budget.js';
import { CommandScreen, FoldTurns, type MakeTerminal } from '../../src/commands/screen.js';
import { type HeadlessTerminal, makeHeadlessTerminal } from '../../src/commands/screen-terminal.js';
import { tryDivisions } from '../support/divided-output.js';
import { settled } from '../support/fake-process.js';

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
  t.notOk(terminal.isDisposed, 'a terminal is not freed while it parses, because its write would never end');
  terminal.goOn();
  while (!terminal.isDisposed) await settled();
});

t.test('headless terminal reports nothing when it cannot read a sequence', async (t) => {
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

t.test('picture and the output after it look like all of the output wherever it is divided', async (t) => {
  await tryDivisions(RUNS);
  t.pass(`${RUNS} divisions`);
});

/** Output that would harm the server, whose headless terminal follows it. */
const HARMFUL = {
  'erases above the last cell': '\x1b[24;80H\x1b[1J\x1b[24;80Hx\x1b[1J\x1b[?1J',
  'inserts too many lines': '\x1b[2147483647L\x1b[2147483647M',
  'scrolls too far': '\x1b[2147483647S\x1b[2147483647T',
  'repeats a character too often': 'x\x1b[2147483647b',
  'tabs too often': '\x1b[2147483647I\x1b[2147483647Z',
  'has a long title': `\x1b]0;${'t'.repeat(100_000)}\x07\x1b[22t`.repeat(3),
  'sets many colours': `\x1b]4${';'.repeat(300_000)}\x07`,
  'has a long link': `\x1b]8;;http://${'l'.repeat(100_000)}\x07link\x1b]8;;\x07`,
  'joins many characters': `e${'\u0301'.repeat(100_000)}`,
} as const;

for (const [what, output] of Object.entries(HARMFUL)) {
  t.test(`headless terminal goes on with a short picture when output ${what}`, async (t) => {
    const terminal = await makeHeadlessTerminal(SIZE);
    const bytes = Buffer.from(output, 'utf8');
    for (let from = 0; from < bytes.length; from += 32 * KIB)
      await terminal.write(bytes.subarray(from, from + 32 * KIB));
    await terminal.write(Buffer.from('\r\nand on'));
    const { bytes: picture, title } = terminal.picture();
    t.match(picture.toString(), /and on/);
    t.ok(picture.length < 256 * KIB, `${picture.length} bytes`);
    t.equal(title, undefined);
    terminal.dispose();
  });
}

t.test('headless terminal is refused when its size would take too much memory', async (t) => {
  const huge = { rows: 65_535, cols: 65_535 };
  const refusal = new CommandError('noRoom', { bound: 'screenCells' });
  await t.rejects(makeHeadlessTerminal(huge), refusal);
  const terminal = await makeHeadlessTerminal(SIZE);
  t.throws(() => terminal.resize(huge), refusal);
  terminal.dispose();
});
