// The short form of the fuzz run, and that its generators make what they promise. The long form is `npm run fuzz`.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { fuzz } from './fuzz.js';
import { createMessageGenerator } from './message-generator.js';
import { createRandom } from './random.js';
import { nextRawScenario, RAW_SCENARIOS } from './raw-frames.js';

const MIB = 1024 * 1024;
const SERVER = resolve(import.meta.dirname, '../../dist/execwire.cjs');

t.test('message generator repeats itself when the seed is the same', (t) => {
  const messages = (seed: number) => Array.from({ length: 500 }, createMessageGenerator(createRandom(seed)));
  t.same(messages(7), messages(7));
  t.notSame(messages(7), messages(8));
  t.end();
});

t.test('message generator makes every kind of hostile message', (t) => {
  const messages = Array.from({ length: 20_000 }, createMessageGenerator(createRandom(1)));
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
    ['a batch', (text) => text.startsWith('[{')],
    ['a broken text', (text) => !isJson(text)],
    ['a good text', isJson],
  ];
  for (const [name, matches] of kinds) t.ok(messages.some(matches), name);
  t.end();
});

t.test('raw scenarios come up all when enough are made', (t) => {
  const random = createRandom(1);
  const names = new Set(Array.from({ length: 1500 }, () => nextRawScenario(random).name));
  t.same([...names].sort(), Object.keys(RAW_SCENARIOS).sort());
  t.end();
});

t.test('server survives, stays bounded and serves the next client when it is fed hostile input for 10 s', async (t) => {
  if (!existsSync(SERVER)) throw new Error('run `npm run build` first');
  const report = await fuzz({
    script: SERVER,
    seed: 20_261_122,
    seconds: 10,
    inputs: 2_000,
    halfOpenUpgrades: 300,
    maxResidentBytes: 768 * MIB,
  });
  t.same(report.problems, [], JSON.stringify({ ...report, lastInputs: report.lastInputs.slice(-5) }));
  t.ok(report.messages > 1000, `${report.messages} messages`);
  t.ok(report.rawConnections > 20, `${report.rawConnections} raw connections`);
  t.ok(report.goodClientsServed > 1, `${report.goodClientsServed} good clients`);
  t.comment(`${report.messages} messages, peak ${Math.round(report.peakResidentBytes / MIB)} MiB`);
});
