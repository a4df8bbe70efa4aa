// Compares the cost of hostile messages with that of a good message of 1 MiB, and bounds the size of their replies. Knows no transport.
import t from 'tap';
import { decodeBase64 } from '../../src/dialects/command-exec/base64.js';
import type { MethodDefinition } from '../../src/protocol/methods/method-definition.js';
import { methods } from '../../src/protocol/methods.js';
import { type Caller, type Handlers, Router } from '../../src/rpc/router.js';
import type { MemoryTransport } from '../support/memory-transport.js';
import { openConnection } from '../support/test-connection.js';

const MIB = 1024 * 1024;
const FRAME_BYTES = 16 * MIB;
const MICROSECONDS_PER_MS = 1000;
const ROUNDS = 7;
/** A message of 16 MiB may cost as much as 16 of 1 MiB; twice that for the noise of a busy machine. */
const MAX_RATIO = 32;

/** Answers every method of the real table with nothing, after the real checks; a write decodes its bytes. */
function openServer(caller: Caller): MemoryTransport {
  const router = new Router<Caller>(() => {});
  const table: Record<string, MethodDefinition> = methods;
  const handlers: Record<string, (params: never) => unknown> = Object.fromEntries(
    Object.keys(table).map((name) => [name, () => ({})]),
  );
  handlers['command/exec/write'] = ({ deltaBase64 }: { deltaBase64?: string }) => {
    if (typeof deltaBase64 === 'string') decodeBase64(deltaBase64);
    return {};
  };
  router.add(table, handlers as unknown as Handlers<Caller, typeof table>);
  return openConnection({
    serve: (call) => router.serve(caller, call),
    maxBytesOf: (method) => router.maxBytesOf(method),
  }).transport;
}

const INITIALIZED: Caller = { initialized: true, experimentalApi: true };
const FRESH: Caller = { initialized: false, experimentalApi: false };

/** A message that is filled up to a length with a repeated piece. */
function filled(head: string, piece: string, tail: string, bytes: number): string {
  return head + piece.repeat(Math.floor((bytes - head.length - tail.length) / piece.length)) + tail;
}

function variables(count: number): string {
  return Array.from({ length: count }, (_, at) => `"VARIABLE_${at}":""`).join(',');
}

const EXEC = '{"id":1,"method":"command/exec","params":{"command":[';
const WRITE = '{"id":1,"method":"command/exec/write","params":{"processId":"p","deltaBase64":"';
const INITIALIZE =
  '{"id":1,"method":"initialize","params":{"clientInfo":{"name":"a","version":"1"},"capabilities":{"optOutNotificationMethods":[';

const GOOD = filled(EXEC, '"aaaaa",', '"a"]}}', MIB - 8);

const HOSTILE: readonly [name: string, text: string, caller?: Caller][] = [
  ['1,200,000 variables', `${EXEC}"env"],"env":{${variables(1_200_000).slice(0, FRAME_BYTES - 200)}`],
  ['200,000 variables', `${EXEC}"env"],"env":{${variables(200_000)}}}}`],
  ['as many variables as fit into 1 MiB', `${EXEC}"env"],"env":{${variables(45_000)}}}}`],
  ['10,000 variables', `${EXEC}"env"],"env":{${variables(10_000)}}}}`],
  ['10,000 wrong variables', `${EXEC}"env"],"env":{${variables(10_000).replaceAll('""', '1')}}}}`],
  ['brackets', '['.repeat(FRAME_BYTES)],
  ['nested objects', filled('', '{"a":', '', FRAME_BYTES)],
  ['brackets in params', filled('{"id":1,"method":"command/exec","params":', '[', '', FRAME_BYTES)],
  ['opt-outs', filled(INITIALIZE, '"a",', '"a"]}}}', FRAME_BYTES), FRESH],
  ['opt-outs of 400 KB', filled(INITIALIZE, '1,', '1]}}}', 400_000), FRESH],
  ['opt-outs within the bound', filled(INITIALIZE, '1,', '1]}}}', 390_000), FRESH],
  ['arguments', filled(EXEC, '"a",', '"a"]}}', FRAME_BYTES)],
  ['wrong arguments within the bound', filled(EXEC, '1,', '1]}}', 390_000)],
  ['white space', filled('{"id":1', ' ', ',"method":"command/exec"}', FRAME_BYTES)],
  ['white space in a write', filled('{"id":1', ' ', ',"method":"command/exec/write"}', FRAME_BYTES)],
  ['one long argument', filled(`${EXEC}"`, 'a', '"]}}', FRAME_BYTES)],
  ['escapes in a write', filled(WRITE, '\\u0041', '"}}', FRAME_BYTES)],
  ['escaped quotes in a write', filled(WRITE, '\\"', '"}}', FRAME_BYTES)],
  ['letters that are no ASCII in a write', filled(WRITE, 'ü', '"}}', FRAME_BYTES / 2)],
  ['a write', filled(WRITE, 'AAAA', '"}}', FRAME_BYTES)],
  ['a write whose id has a space', filled(WRITE.replace('"id":1', '"id": 1'), 'AAAA', '"}}', FRAME_BYTES)],
  ['a write with a second id', filled(WRITE.replace('"p"', '"p","id":1'), 'AAAA', '"}}', FRAME_BYTES)],
  ['a notification', filled('{"method":"initialized","params":["', 'a', '"]}', FRAME_BYTES)],
];

/** Milliseconds of processor time that this process has used. On a busy machine a long message waits for a core, and a short one may not. */
function usedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / MICROSECONDS_PER_MS;
}

/** Milliseconds of processor time of the cheapest of several rounds, because the collection of garbage only adds to it. */
function priceOf(text: string, caller: Caller): number {
  const bytes = Buffer.from(text);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const transport = openServer(caller);
    const beforeMs = usedMs();
    transport.sayBytes(bytes);
    best = Math.min(best, usedMs() - beforeMs);
  }
  return best;
}

t.test('message costs no more than good messages of its length when it is made to be expensive', (t) => {
  const goodMs = priceOf(GOOD, INITIALIZED);
  for (const [name, text, caller = INITIALIZED] of HOSTILE) {
    const ms = priceOf(text, caller);
    const ratio = ms / goodMs;
    t.ok(ratio < MAX_RATIO, `${name}: ${ratio.toFixed(1)} times a good one of 1 MiB`);
    t.comment(`${name}: ${ms.toFixed(1)} ms, good ${goodMs.toFixed(1)} ms`);
  }
  t.end();
});

t.test('message gets a reply of bounded size when everything in it is wrong', (t) => {
  for (const [name, text, caller = INITIALIZED] of HOSTILE) {
    const transport = openServer(caller);
    transport.say(text);
    const reply = transport.texts.join('');
    t.ok(reply.length < 4096, `${name}: ${reply.length} bytes`);
    t.equal(transport.texts.length, name === 'a notification' ? 0 : 1, `${name}: one answer, or none`);
  }
  t.end();
});
