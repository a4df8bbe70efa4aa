// Runs the short form of the fuzz run, and checks that its generators make every kind of hostile input. `npm run fuzz` is the long form.

import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import t from 'tap';
import { createRandom, SEED } from '../support/seed.js';
import { SERVER } from '../support/server-process.js';
import { fuzz } from './fuzz.js';
import { createMessageGenerator } from './message-generator.js';
import { nextRawScenario, RAW_SCENARIOS } from './raw-frames.js';

const MIB = 1024 * 1024;
const FILE_METHODS = [
  'fs/readFile',
  'fs/remove',
  'fs/copy',
  'fs/watch',
  'fs/walk',
  'fs/open',
  'fs/writeBlock',
  'fs/watchMissing',
];

/** Messages of both protocols in turn. */
function made(seed: number, count: number): string[] {
  const next = createMessageGenerator(createRandom(seed));
  return Array.from({ length: count }, (_, n) => next(n % 2 === 0 ? 'app-server' : 'exec-server'));
}

t.test('message generator makes the same messages when the seed is the same', (t) => {
  const messages = (seed: number): string[] => made(seed, 500);
  t.same(messages(7), messages(7));
  t.notSame(messages(7), messages(8));
  t.end();
});

t.test('message generator makes every kind of hostile message when enough are made', (t) => {
  const messages = made(1, 40_000);
  const isJson = (text: string) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const kinds: [string, (text: string) => boolean][] = [
    ['deep JSON', (text) => text.includes('['.repeat(5000)) || text.includes('{"a":'.repeat(5000))],
    ['__proto__ as a member', (text) => text.includes('"__proto__":')],
    ['__proto__ as a processId', (text) => text.includes('"processId":"__proto__"')],
    ['duplicate keys', (text) => (text.match(/"id":/g) ?? []).length > 1],
    ['lone surrogates', (text) => text.includes('\\ud800')],
    ['ids beyond a double', (text) => text.includes('"id":9007199254740993')],
    ['NUL in a path', (text) => text.includes('"cwd":"/tmp\\u0000x"')],
    ['NUL in an argument', (text) => text.includes('"a\\u0000b"]')],
    ['NUL in an environment value', (text) => text.includes(':"a\\u0000b"')],
    ['guesses of another id', (text) => /terminate.*"processId":"victim"/.test(text)],
    ['a path that leads out', (text) => text.includes('/../../../etc/passwd"')],
    ['a percent-encoded path', (text) => text.includes('%2e%2e')],
    ...[...FILE_METHODS, 'process/spawn', 'process/start', 'process/read', 'process/write'].map(
      (method): [string, (text: string) => boolean] => [
        method,
        (text) => text.includes(`"method":"${method}","params":{"`),
      ],
    ),
    ['a batch', (text) => text.startsWith('[{')],
    ['a broken text', (text) => !isJson(text)],
    ['a good text', isJson],
  ];
  for (const [name, matches] of kinds) t.ok(messages.some(matches), name);
  t.end();
});

t.test('raw scenarios of every kind come up when enough are made', (t) => {
  const random = createRandom(1);
  const names = new Set(Array.from({ length: 1500 }, () => nextRawScenario(random).name));
  t.same([...names].sort(), Object.keys(RAW_SCENARIOS).sort());
  t.end();
});

const SHORT = { script: SERVER, seed: SEED, maxResidentBytes: 768 * MIB };

t.test('fuzz run finds the hole when connections can reach or read each other', async (t) => {
  const script = resolve(import.meta.dirname, 'leaky-server.mjs');
  const run = (hole: string, seconds: number) => {
    const flags = ['--hole', hole];
    // The leaky server leaves its frames to a library, so only messages are sent. With `inputs: 1` the run ends as soon as `seconds` are over.
    return fuzz({ ...SHORT, script, flags, seconds, inputs: 1, halfOpenUpgrades: 0, rawFrames: false });
  };
  t.same((await run('none', 1)).problems, [], 'no hole, no problem');
  t.match((await run('reach', 60)).problems.join(), /the victim (was reached|read)/);
  t.match((await run('read', 60)).problems.join(), /a hostile client read what the victim wrote/);
});

t.test('server survives, stays bounded and serves the next client when it is fed hostile input for 10 s', async (t) => {
  // Compression, so that bombs are inflated and not only refused.
  const flags = ['--compression'];
  const report = await fuzz({ ...SHORT, flags, seconds: 10, inputs: 2_000, halfOpenUpgrades: 300 });
  t.same(report.problems, [], JSON.stringify({ ...report, lastInputs: report.lastInputs.slice(-5) }));
  t.ok(report.messages > 1000, `${report.messages} messages`);
  t.ok(report.rawConnections > 20, `${report.rawConnections} raw connections`);
  t.ok(report.goodClientsServed > 0, `${report.goodClientsServed} good clients`);
  t.comment(`${report.messages} messages, peak ${Math.round(report.peakResidentBytes / MIB)} MiB`);
});

t.test(
  'server lets no hostile client in, and serves the next good one, when hostile clients have no credential',
  async (t) => {
    const token = 'a-token-that-nobody-guesses';
    const flags = [
      '--ws-auth',
      'capability-token',
      '--ws-token-sha256',
      createHash('sha256').update(token).digest('hex'),
    ];
    const report = await fuzz({ ...SHORT, token, flags, seconds: 3, inputs: 20, halfOpenUpgrades: 300 });
    t.same(report.problems, [], JSON.stringify({ ...report, lastInputs: report.lastInputs.slice(-5) }));
    t.equal(report.messages, 0, 'no message was ever sent');
    t.ok(report.goodClientsServed > 0, `${report.goodClientsServed} good clients`);
  },
);
