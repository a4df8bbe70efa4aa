// Shows the parts of the tools for agents, without a server: what is kept of output and where it is cut, patterns, keys, waits, and the table of commands.
// Long because each part is small, and they are shown with the same commands.
import t from 'tap';
import { RpcError } from '../../client/src/errors.js';
import type { Box, Run } from '../../client/src/node.js';
import { AgentCommand } from '../../src/mcp/agent-command.js';
import { AgentCommands, MAX_ENDED } from '../../src/mcp/agent-commands.js';
import { leavesBackground } from '../../src/mcp/background-job.js';
import { BoundedMatch } from '../../src/mcp/bounded-match.js';
import { HEAD_BYTES, KeptOutput, MAX_OUTPUT_BYTES } from '../../src/mcp/kept-output.js';
import { keyBytes } from '../../src/mcp/keys.js';
import { outputPart, stateText } from '../../src/mcp/result-text.js';
import { StreamMerge } from '../../src/mcp/stream-merge.js';
import { toolErrorOf } from '../../src/mcp/tool-error.js';
import { type Wait, waitFor } from '../../src/mcp/waiting.js';
import { headEnd, shownText, tailStart, wholeLength } from '../../src/mcp/whole-text.js';
import { fc } from '../support/property.js';
import { until } from '../support/until.js';

const NEVER = new AbortController().signal;

t.test('kept output gives every byte at its offset, and nothing else, when it was trimmed', (t) => {
  const chunk = fc.uint8Array({ maxLength: 40_000 });
  const step = fc.oneof(
    { weight: 5, arbitrary: chunk.map((bytes) => ({ bytes })) },
    fc.nat(2_000).map((skipped) => ({ skipped })),
    fc.nat(300_000).map((trim) => ({ trim })),
  );
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.nat(200_000),
      fc.integer({ min: 1, max: 200_000 }),
      (steps, from, most) => {
        const kept = new KeptOutput();
        const all: (number | undefined)[] = [];
        for (const one of steps) {
          if ('bytes' in one) {
            kept.push(one.bytes);
            for (const byte of one.bytes) all.push(byte);
          } else if ('skipped' in one) {
            kept.skip(one.skipped);
            for (let n = 0; n < one.skipped; n += 1) all.push(undefined);
          } else {
            kept.trimTo(one.trim);
            if (kept.heldBytes > one.trim) return false;
          }
        }
        const { at, bytes } = kept.read(from, most);
        if (kept.end !== all.length || at < Math.min(from, all.length) || bytes.length > most) return false;
        return bytes.every((byte, index) => byte === all[at + index]);
      },
    ),
    { numRuns: 100 },
  );
  t.end();
});

t.test('kept output keeps its beginning and its end when it is long', (t) => {
  const kept = new KeptOutput();
  const line = Buffer.alloc(10_000, 'x');
  for (let n = 0; n < 100; n += 1) {
    kept.push(line);
    kept.trimTo(300_000);
  }
  t.equal(kept.end, 1_000_000);
  t.equal(kept.read(0, 10_000_000).bytes.length, HEAD_BYTES, 'the head, up to the first byte that is gone');
  const tail = kept.read(HEAD_BYTES, 10_000_000);
  t.ok(tail.at > HEAD_BYTES);
  t.equal(tail.at + tail.bytes.length, 1_000_000);
  t.ok(kept.heldBytes <= 300_000);
  t.not(kept.has(0, 1_000_000), true);
  t.ok(kept.has(tail.at, 1_000_000));
  const small = new KeptOutput();
  small.push(Buffer.from('ok\n'));
  t.ok(small.heldBytes <= 1_000, 'a short output takes little room');
  t.end();
});

t.test('text is cut after a whole character or escape sequence when it is too long', (t) => {
  for (const [text, whole] of [
    ['plain', 5],
    ['é', 2],
    ['\u001b[31mred', 8],
    ['red\u001b', 3],
    ['red\u001b[3', 3],
    ['a\u001b]0;title', 1],
    ['a\u001b]0;title\u0007b', 12],
    ['a\u001b]0;title\u001b\\b', 13],
  ] as const) {
    t.equal(wholeLength(Buffer.from(text)), whole, JSON.stringify(text));
  }
  t.equal(wholeLength(Buffer.from('a€').subarray(0, 3)), 1, 'two of three bytes');
  t.equal(wholeLength(Buffer.from([0x61, 0xff])), 2, 'what can never be a character does not wait');
  t.equal(headEnd(Buffer.from('one\ntwo\nth')), 8, 'at a line that is near');
  t.equal(headEnd(Buffer.from('a\nno other line')), 15);
  t.equal(tailStart(Buffer.from('ne\ntwo\nthree\nfour')), 3);
  t.equal(tailStart(Buffer.from('€uro').subarray(1)), 2);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), fc.nat(200), (text, at) => {
      const bytes = Buffer.from(text);
      const cut = bytes.subarray(0, at);
      const whole = cut.subarray(0, wholeLength(cut));
      return !text.includes('\ufffd') && !text.includes('\u001b') ? !whole.toString().includes('\ufffd') : true;
    }),
  );
  t.end();
});

t.test('shown text is what a reader sees, and counts what is no text, when output has control characters', (t) => {
  const shown = (text: string | Uint8Array, isTerminal = false) =>
    shownText(Buffer.from(text as string), 'text', isTerminal);
  t.same(shown('\u001b[1mbold\u001b[0m\n'), { text: 'bold\n', invalid: 0 });
  for (const sequence of [
    '[>4;m',
    '[<u',
    '[=1;1u',
    '[?2004h',
    '[0 q',
    '(B',
    '=',
    '>',
    '7',
    'M',
    'Pq#0\u001b\\',
    ']8;;http://x\u0007',
    ']0;t\u001b\\',
  ]) {
    t.same(shown(`a\u001b${sequence}b`), { text: 'ab', invalid: 0 }, `ESC ${sequence}`);
  }
  t.same(shown('a\u009b1mb'), { text: 'ab', invalid: 0 });
  t.same(shown('a\u0000b\u0007'), { text: 'a\u2400b\u2407', invalid: 0 });
  t.same(shown(' 1%\r 2%\r\n'), { text: ' 1%\r 2%\r\n', invalid: 0 }, 'pipes keep what they carry');
  t.same(shown(' 1%\r 2%\r\n', true), { text: ' 2%\n', invalid: 0 }, 'terminals write over it');
  t.same(shown(Buffer.from([0x61, 0xff, 0xfe])), { text: 'a\ufffd\ufffd', invalid: 2 });
  t.same(shown('\ufffd'), { text: '\ufffd', invalid: 0 }, 'the replacement character itself is text');
  t.same(shownText(Buffer.from('\u001b[1mx'), 'raw', true), { text: '\u001b[1mx', invalid: 0 });
  t.end();
});

t.test('merged streams keep every character whole when their bytes come mixed', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 5 })), { maxLength: 60 }),
      (out, err, turns) => {
        const left = { stdout: Buffer.from(out), stderr: Buffer.from(err) };
        const pieces: Buffer[] = [];
        const merge = new StreamMerge((bytes) => pieces.push(Buffer.from(bytes)));
        const take = (stream: 'stdout' | 'stderr', count: number): void => {
          merge.push(stream, left[stream].subarray(0, count));
          left[stream] = left[stream].subarray(count);
        };
        for (const [isOut, count] of turns) take(isOut ? 'stdout' : 'stderr', count);
        take('stdout', Number.POSITIVE_INFINITY);
        take('stderr', Number.POSITIVE_INFINITY);
        merge.end();
        const text = Buffer.concat(pieces).toString();
        const sorted = (value: string): string => [...value].sort().join('');
        return sorted(text) === sorted(Buffer.from(out + err).toString());
      },
    ),
  );
  t.end();
});

t.test('pattern is given up when it takes too long, and explained when it is wrong', (t) => {
  t.equal(new BoundedMatch('listening on :(\\d+)').find('x\nlistening on :80\n'), 'listening on :80');
  t.equal(new BoundedMatch('^two$').find('one\ntwo\nthree'), 'two', 'lines have ends');
  t.equal(new BoundedMatch('four').find('one'), undefined);
  t.throws(() => new BoundedMatch('(a+)+$').find(`${'a'.repeat(60)}b`), { message: /took more than 200 ms.*simpler/ });
  t.throws(() => new BoundedMatch('a(b'), { message: /^match: .*JavaScript regular expression/ });
  t.end();
});

t.test('background process is noticed in a line for a shell when nothing waits for it', (t) => {
  for (const line of ['npm run dev &', 'a & b', '(a &)', 'a >log 2>&1 &', 'nohup a &\nb', 'echo "x" & echo y'])
    t.ok(leavesBackground(line), line);
  for (const line of [
    'a && b',
    'a 2>&1',
    'a &>log',
    'a |& b',
    'a >&2',
    'echo "a & b"',
    "echo 'a & b'",
    'echo a \\& b',
    'a & wait',
    'a # b & c',
  ]) {
    t.notOk(leavesBackground(line), line);
  }
  t.end();
});

t.test('key becomes what a terminal sends when it is pressed', (t) => {
  t.equal(keyBytes('enter'), '\r');
  t.equal(keyBytes('Ctrl-C'), '\u0003');
  t.equal(keyBytes('c-d'), '\u0004');
  t.equal(keyBytes('up'), '\u001b[A');
  t.equal(keyBytes('alt-x'), '\u001bx');
  t.equal(keyBytes('ctrl-\\'), '\u001c');
  t.throws(() => keyBytes('retrun'), { message: /there is no key "retrun". Keys are enter, tab, .*belong into text/ });
  t.end();
});

/** A run that a test drives. */
class FakeRun {
  readonly started: Promise<object>;
  readonly key = 'key-of-a-fake-run';
  readonly argv: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly signals: string[] = [];
  listener: (event: { stream: 'stdout'; bytes: Uint8Array }) => void = () => {};
  resolve: (result: object) => void = () => {};
  readonly #result: Promise<object>;

  constructor(argv: readonly string[], options: Readonly<Record<string, unknown>>, refusal?: RpcError) {
    this.argv = argv;
    this.options = options;
    this.#result = new Promise((resolve, reject) => {
      this.resolve = resolve;
      if (refusal !== undefined) reject(refusal);
    });
    this.started = refusal === undefined ? Promise.resolve({ pid: 7, key: 'key-of-a-fake-run' }) : this.#result;
  }

  onOutput(listener: typeof this.listener): void {
    this.listener = listener;
  }

  onGap(): void {}

  write(text: string): void {
    this.listener({ stream: 'stdout', bytes: Buffer.from(text) });
  }

  async kill(signal: string): Promise<void> {
    this.signals.push(signal);
    this.end({ cause: 'terminated', signal });
  }

  end(result: object = {}): void {
    this.resolve({ cause: 'exited', exitCode: 0, durationMs: 5, ...result });
  }

  // biome-ignore lint/suspicious/noThenProperty: it stands for a promise.
  then: Promise<object>['then'] = (...handlers) => this.#result.then(...handlers);
}

/** A box whose commands a test drives. */
class FakeBox {
  readonly server = { limits: { maxReplayBytes: 1000, maxDetached: 5000 } };
  readonly runs: FakeRun[] = [];
  readonly forgotten: string[] = [];
  refusals: RpcError[] = [];

  exec(argv: readonly string[], options: Readonly<Record<string, unknown>>): FakeRun {
    const run = new FakeRun(argv, options, this.refusals.shift());
    this.runs.push(run);
    return run;
  }

  async forget(key: string): Promise<void> {
    this.forgotten.push(key);
  }
}

function fakeCommands(): { box: FakeBox; commands: AgentCommands; begin: (more?: object) => Promise<AgentCommand> } {
  const box = new FakeBox();
  const commands = new AgentCommands(async () => box as unknown as Box);
  const begin = (more: object = {}): Promise<AgentCommand> =>
    commands.start({ command: 'make', hasOpenInput: false, ...more }, NEVER);
  return { box, commands, begin };
}

t.test('command starts with what the server has and allows when a first start is refused', async (t) => {
  const { box, begin } = fakeCommands();
  const noBash = new RpcError({
    code: -32603,
    message: 'failed to spawn command: program "bash"',
    data: { reason: 'spawnFailed', errno: 'ENOENT' },
  });
  const noRoom = new RpcError({ code: -32001, message: 'full', data: { bound: 'replayBudget' } });
  box.refusals = [noBash, noRoom];
  const command = await begin();
  t.same(
    box.runs.map(({ argv }) => argv[0]),
    ['bash', 'sh', 'sh'],
  );
  t.match(box.runs[1]?.options, { detachable: { ttl: 5000, replayBytes: 1000 } });
  t.equal(box.runs[2]?.options.detachable, false, 'without room it ends with its connection');
  t.equal(stateText(command).replace(/[\d.]+ s/, 'T'), 'Command c1: running for T, pid 7.');
  box.runs[2]?.end();
  await command.whenEnded();
  t.same(box.forgotten, ['key-of-a-fake-run'], 'the server need not keep what ended');
  const noDirectory = new RpcError({
    code: -32603,
    message: 'failed to spawn command: cwd "/x": no such',
    data: { reason: 'spawnFailed', errno: 'ENOENT' },
  });
  box.refusals = [noDirectory];
  await t.rejects(begin(), { message: /cwd/ });
  t.match(toolErrorOf(noDirectory).message, /Give a cwd that exists there\.$/);
  t.match(toolErrorOf(noRoom).message, /Nothing was done\. Stop commands/);
});

t.test('ended commands are forgotten, the oldest first, when there are many', async (t) => {
  const { box, commands, begin } = fakeCommands();
  for (let n = 0; n < 1_000; n += 1) {
    const command = await begin();
    box.runs.at(-1)?.write(`output ${n}\n`);
    box.runs.at(-1)?.end();
    await command.whenEnded();
  }
  await until('the table is small', () => commands.all.length === MAX_ENDED);
  t.throws(() => commands.named('c1'), { message: /"c1": it has ended and is forgotten.*list shows/ });
  t.throws(() => commands.named('c1001'), { message: /ids are those that exec and start returned/ });
  const last = commands.named('c1000');
  t.equal(outputPart(last, { from: 0, maxBytes: 100, cut: 'middle', view: 'text' }).text, 'output 999\n');
});

t.test('output of all commands is bounded, and running ones keep both ends, when they write much', async (t) => {
  const { box, commands, begin } = fakeCommands();
  const chunk = 'x'.repeat(1024 * 1024);
  const ended = await begin();
  for (let n = 0; n < 8; n += 1) box.runs[0]?.write(chunk);
  box.runs[0]?.end();
  await ended.whenEnded();
  const running: AgentCommand[] = [];
  for (let n = 0; n < 10; n += 1) {
    running.push(await begin());
    for (let piece = 0; piece < 12; piece += 1) box.runs.at(-1)?.write(chunk);
  }
  t.ok(running.every(({ output }) => output.heldBytes <= MAX_OUTPUT_BYTES));
  const held = commands.all.reduce((sum, { output }) => sum + output.heldBytes, 0);
  t.ok(held <= 64 * 1024 * 1024, `${held} bytes`);
  t.not(commands.all.includes(ended), true, 'the one that had ended went first');
  for (const command of running) {
    const part = outputPart(command, { from: 0, maxBytes: 1_000, cut: 'middle', view: 'text' });
    t.match(part.notes, [
      /^Output: 12582912 bytes\.$/,
      /^Bytes 400 to \d+ are left out; read_output \{"id": "c\d+", "from": 400\} shows those that are still kept\.$/,
    ]);
    t.match(part.text, /^x{400}\n\[… \d+ bytes left out …\]\nx{600}$/);
  }
});

t.test('command ends when no tool has named it for its ttl, and not earlier', async (t) => {
  const { box, commands, begin } = fakeCommands();
  // Times to live alone keep no process running.
  const stays = setInterval(() => {}, 1_000);
  t.teardown(() => clearInterval(stays));
  const long = await begin({ ttlMs: 600_000 });
  const short = await begin({ ttlMs: 1 });
  await short.whenEnded();
  t.same(box.runs[1]?.signals, ['SIGTERM']);
  t.match(stateText(short), /because no tool had named it for its ttl_seconds\.$/);
  t.equal(long.ending, undefined);
  commands.touch(long);
  await commands.endAll();
  t.same(box.runs[0]?.signals, ['SIGTERM']);
  await t.rejects(begin(), { message: /is ending; nothing was started/ });
});

t.test('command is killed when its start is cancelled', async (t) => {
  const { box, commands } = fakeCommands();
  const cancel = new AbortController();
  const starting = commands.start({ command: 'make', hasOpenInput: false }, cancel.signal);
  const first = new Promise<void>((resolve) => setImmediate(resolve));
  cancel.abort(new Error('cancelled'));
  await t.rejects(starting, { message: 'cancelled' });
  await first;
  t.same(commands.all, []);
  t.ok(box.runs.every(({ signals }) => signals.includes('SIGKILL')));
});

t.test('wait is over when what it waits for comes, or when the command ends', async (t) => {
  const { box, begin } = fakeCommands();
  const command = await begin();
  const [run] = box.runs;
  const wait = (more: Partial<Wait>): Wait => ({ waitFor: 'none', idleMs: 5, timeoutMs: 600_000, from: 0, ...more });
  t.same(await waitFor(command, wait({}), NEVER), { why: 'none' });
  t.same(await waitFor(command, wait({ waitFor: 'exit', timeoutMs: 1 }), NEVER), { why: 'timeout' });
  t.same(await waitFor(command, wait({ waitFor: 'idle' }), NEVER), { why: 'idle' });
  const output = waitFor(command, wait({ waitFor: 'output' }), NEVER);
  const match = waitFor(command, wait({ waitFor: 'match', match: 'port \\d+' }), NEVER);
  run?.write('\u001b[32mlistening on por');
  t.same(await output, { why: 'output' });
  run?.write('t 8080\u001b[0m\n');
  t.same(await match, { why: 'match', matched: 'port 8080' }, 'over two pieces and a colour');
  t.same(await waitFor(command, wait({ waitFor: 'match', match: 'port \\d+' }), NEVER), {
    why: 'match',
    matched: 'port 8080',
  });
  t.same(
    await waitFor(command, wait({ waitFor: 'match', match: 'port', from: command.output.end, timeoutMs: 1 }), NEVER),
    { why: 'timeout' },
    'only after the offset',
  );
  const cancel = new AbortController();
  const cancelled = waitFor(command, wait({ waitFor: 'exit' }), cancel.signal);
  cancel.abort(new Error('cancelled'));
  await t.rejects(cancelled, { message: 'cancelled' });
  t.equal(command.ending, undefined, 'a wait that is cancelled leaves the command alone');
  const exit = waitFor(command, wait({ waitFor: 'exit' }), NEVER);
  const missed = waitFor(command, wait({ waitFor: 'match', match: 'never' }), NEVER);
  const last = waitFor(command, wait({ waitFor: 'match', match: 'last words' }), NEVER);
  run?.write('x'.repeat(3_000_000));
  run?.write('last words');
  run?.end();
  t.same(await exit, { why: 'exit' });
  t.same(await missed, { why: 'exit' });
  t.same(await last, { why: 'match', matched: 'last words' }, 'also when it comes with the end');
});

t.test('pieces of output add up to all of it when each begins where the last one ended', async (t) => {
  const { box, begin } = fakeCommands();
  const command = await begin();
  const whole = Array.from({ length: 500 }, (_, n) => `line ${n} äöü €\n`).join('');
  box.runs[0]?.write(whole);
  let text = '';
  for (let from = 0; from < command.output.end; ) {
    const part = outputPart(command, { from, maxBytes: 333, cut: 'end', view: 'text' });
    t.ok(Buffer.byteLength(part.text) <= 333);
    text += part.text;
    from = part.next;
  }
  t.equal(text, whole);
  const ends = outputPart(command, { from: 0, maxBytes: 400, cut: 'middle', view: 'text' });
  t.match(ends.text, /^line 0 äöü €\n[\s\S]*\n\[… \d+ bytes left out …\]\nline \d+ [\s\S]*line 499 äöü €\n$/);
  const [, from = ''] = /"from": (\d+)/.exec(ends.notes.join(' ')) ?? [];
  const middle = outputPart(command, { from: Number(from), maxBytes: 100_000, cut: 'end', view: 'text' });
  t.ok(
    whole.startsWith(ends.text.slice(0, ends.text.indexOf('[…')) + middle.text.slice(0, 20)),
    'the middle follows the beginning',
  );
  t.match(outputPart(command, { from: 10 ** 9, maxBytes: 100, cut: 'end', view: 'text' }).notes, [
    'No further output yet.',
    /^Only \d+ bytes have come: nothing begins at 1000000000 yet\.$/,
  ]);
});

t.test('unfinished character or sequence waits for its rest when the command still runs', async (t) => {
  const command = new AgentCommand({ id: 'c1', line: 'x', size: { cols: 80, rows: 24 }, onOutput: () => {} });
  const run = new FakeRun([], {});
  const followed = command.follow(run as unknown as Run, run as unknown as Run);
  const show = (): string => {
    const part = outputPart(command, { from: command.cursor, maxBytes: 1_000, cut: 'middle', view: 'text' });
    command.cursor = part.next;
    return part.text;
  };
  run.listener({ stream: 'stdout', bytes: Buffer.from('a€').subarray(0, 3) });
  t.equal(show(), 'a');
  run.listener({ stream: 'stdout', bytes: Buffer.from('€').subarray(2) });
  t.equal(show(), '€');
  run.write('b\u001b[3');
  t.equal(show(), 'b');
  run.write('1mred');
  t.equal(show(), 'red');
  run.write('\u001b[');
  run.end();
  await followed;
  t.equal(show(), '\u241b[', 'a sequence that stays unfinished is shown at the end');
});
