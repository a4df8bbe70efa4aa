// Shows what the page of the terminal saves of output that ends anywhere, and what it says of a command that it has lost. Opens no browser.
import t from 'tap';
import { ConnectError, LostError, RpcError, UnknownOutcomeError } from '../../client/src/browser.js';
import { fateOf } from '../../web/src/command-fate.js';
import { OutputTail } from '../../web/src/unfinished-output.js';
import { fc } from '../support/property.js';

const RESULT = {
  command: [],
  exitCode: undefined,
  signal: undefined,
  timedOut: false,
  stdout: '',
  stderr: '',
  truncated: { stdout: 0, stderr: 0 },
  durationMs: 0,
} as const;
const KEY_NOT_FOUND = new RpcError({ code: -32600, message: 'no command', data: { reason: 'keyNotFound' } });

/** Bytes at the end of a text that are not finished. */
function unfinished(...pieces: (string | readonly number[])[]): number {
  const tail = new OutputTail();
  for (const piece of pieces)
    tail.push(typeof piece === 'string' ? new TextEncoder().encode(piece) : new Uint8Array(piece));
  return tail.unfinishedBytes;
}

t.test('output that ends in the middle of a sequence or of a character is read again from its start', (t) => {
  const cases: [what: string, pieces: (string | readonly number[])[], bytes: number][] = [
    ['nothing', [], 0],
    ['text', ['text'], 0],
    ['a finished colour', ['a\x1b[31mb'], 0],
    ['the start of any', ['text\x1b'], 1],
    ['a control sequence', ['text\x1b['], 2],
    ['with parameters', ['text\x1b[38;5;1'], 8],
    ['a title', ['\x1b]0;a title'], 11],
    ['a title that a bell ends', ['\x1b]0;a title\x07'], 0],
    ['a title that its terminator ends', ['\x1b]0;a title\x1b\\'], 0],
    ['a title with half of its terminator', ['\x1b]0;a title\x1b'], 12],
    ['a device string with a bell in it', ['\x1bPq\x07#0'], 6],
    ['a cancelled sequence', ['\x1b[31\x18'], 0],
    ['a character set', ['\x1b('], 2],
    ['a whole character set', ['\x1b(0'], 0],
    ['a save of the cursor', ['\x1b7'], 0],
    ['the first of two bytes', [[0x61, 0xc3]], 1],
    ['two bytes', [[0xc3, 0xa9]], 0],
    ['two of three bytes', [[0xe4, 0xb8]], 2],
    ['three of four bytes', [[0x61, 0xf0, 0x9f, 0x98]], 3],
    ['a byte that belongs to nothing', [[0x61, 0x80]], 0],
    ['a character in a title', ['\x1b]0;', [0xe4, 0xb8]], 6],
    ['pieces', ['\x1b', '[3', '1'], 4],
    ['a character in a control sequence', ['\x1b[0é and more'], 0],
    ['a character in a device string', ['\x1bPé and more'], 0],
    ['pieces of a character', [[0xe4], [0xb8]], 2],
    ['a title that the short terminator ends', ['\x1b]0;a title\u009c'], 0],
    ['a longer text than a piece', ['\x1b]52;c;', 'x'.repeat(20_000)], 20_007],
    ['another sequence in a title', ['\x1b]0;a title\x1b[3'], 3],
    ['a sequence within a sequence', ['\x1b[38;5\x1b[3'], 3],
  ];
  for (const [what, pieces, bytes] of cases) t.equal(unfinished(...pieces), bytes, what);
  t.end();
});

t.test('what is read again begins a sequence, wherever output is cut', (t) => {
  const sequences = [
    'text',
    'é世😀',
    '\x1b[1;31m',
    '\x1b]0;title\x07',
    '\x1b]8;;http://x\x1b\\',
    '\x1bP1$r\x1b\\',
    '\x1b(B',
    '\x1b7',
    '\r\n',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...sequences), { maxLength: 20 }), fc.nat(), (parts, at) => {
      const whole = new TextEncoder().encode(parts.join(''));
      const cut = whole.subarray(0, whole.length === 0 ? 0 : at % (whole.length + 1));
      const tail = new OutputTail();
      for (let from = 0; from < cut.length; from += 3) tail.push(cut.subarray(from, from + 3));
      const again = cut.length - tail.unfinishedBytes;
      // Every place that a sequence or a character begins at.
      const starts = new Set([0]);
      for (const part of parts) {
        const before = Math.max(...starts);
        const units = part.startsWith('\x1b') ? [part] : [...part];
        let place = before;
        for (const unit of units) {
          place += new TextEncoder().encode(unit).length;
          starts.add(place);
        }
      }
      return starts.has(again) && (cut.length === again || !starts.has(cut.length));
    }),
  );
  t.end();
});

t.test('page says lost only when the server that ran the command says so, and never an exit code', (t) => {
  const known = { key: 'some.key', serverId: 'one' };
  const cases: [what: string, error: unknown, serverId: string | undefined, state: string, text: RegExp][] = [
    ['the same server', KEY_NOT_FOUND, 'one', 'gone', /lost/],
    [
      'the same server, as the client tells it',
      new LostError('', { ...RESULT, cause: 'lost' }, KEY_NOT_FOUND),
      'one',
      'gone',
      /lost/,
    ],
    ['another server', KEY_NOT_FOUND, 'two', 'gone', /unknown/],
    [
      'another server, as the client tells it',
      new UnknownOutcomeError('', { cause: KEY_NOT_FOUND }),
      'two',
      'gone',
      /unknown/,
    ],
    ['a server that does not say who it is', KEY_NOT_FOUND, undefined, 'gone', /unknown/],
    ['no server', new UnknownOutcomeError('', { cause: new ConnectError('none') }), 'one', 'away', /unknown/],
    ['another client', new UnknownOutcomeError('', { detached: 'takeover' }), 'one', 'taken', /taken over/],
  ];
  for (const [what, error, serverId, state, text] of cases) {
    const fate = fateOf(error, known, serverId);
    t.equal(fate.state, state, what);
    t.match(fate.text, text, what);
    t.notMatch(fate.text, /exit|\d/, what);
  }
  const neverStarted = new RpcError({ code: -32600, message: 'no such program', data: { reason: 'spawnFailed' } });
  t.match(fateOf(neverStarted, { key: undefined, serverId: 'one' }, 'one'), {
    state: 'gone',
    text: /not started: no such/,
  });
  t.end();
});
