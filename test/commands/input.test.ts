// Shows strict base64, and the queue of input before a process. Starts no process.

import t from 'tap';
import { CommandError } from '../../src/commands/command-error.js';
import { CommandInput } from '../../src/commands/input.js';
import { decodeBase64 } from '../../src/dialects/command-exec/base64.js';
import { FakeStdin, settled } from '../support/fake-process.js';
import { fc } from '../support/property.js';

t.test('base64 decodes to the bytes that were encoded when it is standard base64', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = Buffer.from(bytes).toString('base64');
      return decodeBase64(text).equals(bytes);
    }),
  );
  t.equal(decodeBase64('').length, 0);
  t.end();
});

t.test('base64 is refused when only a lenient decoder takes it', (t) => {
  const lenient = [
    'a',
    'ab',
    'abc',
    'YQ',
    'YQ=',
    'YR==',
    'YWJ=',
    '====',
    'Y===',
    ' YQ==',
    'YQ==\n',
    'YQ= =',
    'YQ==YQ==',
  ];
  for (const text of [...lenient, '-_-_', 'Y-==', 'ab c', 'ab\0c', 'äöüß', 'YQ======', '!!!!']) {
    t.throws(
      () => decodeBase64(text),
      { code: -32602, reason: 'invalidBase64', message: /^invalid deltaBase64: / },
      JSON.stringify(text),
    );
  }
  t.end();
});

t.test('base64 is accepted exactly when encoding its bytes gives the same text', (t) => {
  const letters = fc.constantFrom(...'ABgwQ019+/=-_ \n\0é');
  fc.assert(
    fc.property(fc.string({ unit: letters, minLength: 0, maxLength: 12 }), (text) => {
      const isStrict = Buffer.from(text, 'base64').toString('base64') === text;
      try {
        return decodeBase64(text).toString('base64') === text && isStrict;
      } catch {
        return !isStrict;
      }
    }),
    { numRuns: 20_000 },
  );
  t.end();
});

// Standard input.

/** Settles to `accepted`, or to the reason of the refusal. */
function outcome(write: Promise<void> | undefined): Promise<string> {
  return Promise.resolve(write).then(
    () => 'accepted',
    (error: { reason: string }) => error.reason,
  );
}

t.test('command input keeps the order of writes when they come before the process has started', async (t) => {
  const feed = new CommandInput(100);
  const early = [feed.write(Buffer.from('a')), feed.write(Buffer.from('b'))];
  t.ok(early[0] instanceof Promise, 'not accepted yet');
  feed.close();
  const stdin = new FakeStdin();
  feed.feed(stdin);
  t.same(await Promise.all(early.map(outcome)), ['accepted', 'accepted']);
  stdin.readAll();
  t.same([stdin.read, stdin.ended], ['ab', true]);
  t.equal(feed.takenBytes, 2);
});

t.test('command input lets writes wait when it is full, and refuses writes when too many bytes wait', async (t) => {
  const feed = new CommandInput(10);
  const stdin = new FakeStdin();
  feed.feed(stdin);
  t.equal(feed.write(Buffer.alloc(25, 'a')), undefined, 'one write of any size is accepted when nothing is queued');
  const waiting = feed.write(Buffer.alloc(10, 'b'));
  const small = feed.write(Buffer.alloc(0));
  t.throws(() => feed.write(Buffer.from('c')), new CommandError('inputFull', {}));
  const accepted: string[] = [];
  void outcome(waiting).then(() => accepted.push('b'));
  void outcome(small).then(() => accepted.push('empty'));
  await settled();
  t.same(accepted, [], 'no write overtakes another');
  stdin.readAll();
  await settled();
  t.same(accepted, ['b', 'empty']);
  t.equal(stdin.read, 'a'.repeat(25) + 'b'.repeat(10));
});

t.test('command input closes after everything queued, refuses later writes, and may be closed twice', (t) => {
  const feed = new CommandInput(5);
  const stdin = new FakeStdin();
  feed.feed(stdin);
  t.equal(feed.write(Buffer.from('12345')), undefined);
  void outcome(feed.write(Buffer.from('6')));
  feed.close();
  feed.close();
  t.notOk(stdin.ended, 'not before the waiting writes');
  t.throws(() => feed.write(Buffer.from('7')), new CommandError('inputClosed', {}));
  stdin.readAll();
  t.same([stdin.read, stdin.ended], ['123456', true]);
  t.end();
});

t.test('command input refuses waiting writes when the command ends or its reader closes', async (t) => {
  for (const end of ['command', 'reader'] as const) {
    const feed = new CommandInput(5);
    const stdin = new FakeStdin();
    feed.feed(stdin);
    t.equal(await outcome(feed.write(Buffer.from('12345'))), 'accepted');
    const waiting = [outcome(feed.write(Buffer.from('6'))), outcome(feed.write(Buffer.from('7')))];
    if (end === 'command') feed.end();
    else stdin.breakPipe();
    t.same(await Promise.all(waiting), ['inputClosed', 'inputClosed'], end);
    t.throws(() => feed.write(Buffer.from('8')), new CommandError('inputClosed', {}));
    t.ok(stdin.destroyed);
    t.equal(feed.takenBytes, 0);
    feed.close();
    feed.end();
  }
});

t.test('command input refuses waiting writes when the command never starts', async (t) => {
  const feed = new CommandInput(5);
  const waiting = outcome(feed.write(Buffer.from('1')));
  feed.end();
  t.equal(await waiting, 'inputClosed');
});
