// Shows that a whole server answers messages that are too large or hold too much, and that it goes on serving other clients.
import t from 'tap';
import { WebSocket } from 'ws';
import { startServer } from '../support/server.js';
import type { WireMessage } from '../support/wire-client.js';

const MIB = 1024 * 1024;
/** Far more than any refusal takes, and far less than one that repeats its request. */
const LARGEST_REFUSAL_BYTES = 4096;

const sizeOf = (message: WireMessage): number => JSON.stringify(message).length;

t.test(
  'initialize is answered with the first faults and the server serves on when a list of opt-outs is all wrong',
  async (t) => {
    const server = await startServer(t);
    const neighbour = await server.session();
    // 90,000 are wrong one by one; 400 KB have more elements than a message may have, and so have 10 MB.
    for (const [bytes, code, id] of [
      [180_000, -32602, 7],
      [400 * 1024, -32600, null],
      [10 * MIB, -32600, null],
    ] as const) {
      const client = await server.wire();
      const list = Array(Math.floor(bytes / 2)).fill(1);
      const clientInfo = { name: 'a', version: '1' };
      const params = { clientInfo, capabilities: { optOutNotificationMethods: list } };
      client.ws.send(JSON.stringify({ id: 7, method: 'initialize', params }));
      const refusal = await client.message(({ error }) => error !== undefined);
      t.same([refusal.error?.code, refusal.id], [code, id], `${bytes} bytes`);
      t.ok(sizeOf(refusal) < LARGEST_REFUSAL_BYTES, `${bytes} bytes: a short answer`);
      if (code === -32602) t.match(refusal.error?.data?.issues, { length: 10 }, 'the first ten');
      t.equal((await client.request('initialize', { clientInfo })).error, undefined, 'a later good one is served');
    }
    t.equal((await neighbour.exec(['true'])).result?.exitCode, 0);
  },
);

t.test('command/exec is refused by name when it is larger than its bound, and the server serves on', async (t) => {
  const server = await startServer(t);
  const client = await server.session({ experimentalApi: true });
  const reasonOf = ({ error }: WireMessage): unknown => [error?.code, error?.data?.reason];
  for (let at = 0; at < 4; at += 1) {
    const reply = await client.exec(['true'], { processId: 'x'.repeat(15 * MIB) });
    t.same(reasonOf(reply), [-32600, 'messageTooLarge']);
    t.match(reply.error, { message: /command\/exec/, data: { maxBytes: MIB } });
  }
  t.same(reasonOf(await client.exec(['true'], { processId: 'x'.repeat(1025) })), [-32602, 'invalidParams']);
  t.same(reasonOf(await client.exec(['true'], { processId: 'ü'.repeat(513) })), [-32602, 'invalidParams'], 'in bytes');
  t.equal((await client.exec(['true'], { processId: 'ü'.repeat(512) })).result?.exitCode, 0);
  for (let at = 0; at < 40; at += 1) void client.exec(['sleep', '60'], { processId: `${at}${'x'.repeat(1000)}` });
  t.match((await client.request('command/exec/list')).result?.commands, { length: 40 });

  const variables = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`V${at}`, '']));
  t.same(reasonOf(await client.exec(['true'], { env: variables(10_001) })), [-32602, 'invalidParams']);
  t.equal((await client.exec(['true'], { env: variables(10_000) })).result?.exitCode, 0);
  t.same(reasonOf(await client.exec(Array(131_073).fill('a'))), [-32602, 'invalidParams']);
  const many = ['sh', '-c', 'echo $#', ...Array(131_069).fill('a')];
  const { result, error } = await client.exec(many);
  t.ok(result?.stdout === '131068\n' || error?.data?.errno === 'E2BIG', 'as many as the kernel takes');
});

t.test('message is answered with id null when it is too large for its id to be read', async (t) => {
  const server = await startServer(t);
  const client = await server.session();
  const neighbour = await server.session();
  const variable = (at: number): string => `"VARIABLE_${at}":""`;
  const env = Array.from({ length: 800_000 }, (_, at) => variable(at)).join(',');
  const hostile = [
    `{"id":99,"method":"command/exec","params":{"command":["true"],"env":{${env}}}}`,
    '['.repeat(15 * MIB),
    `{"id":99,"method":"command/exec"${' '.repeat(15 * MIB)}}`,
  ];
  for (const [at, text] of hostile.entries()) {
    client.ws.send(text);
    await client.message(() => client.messages.filter(({ id }) => id === null).length > at);
    t.equal((await neighbour.exec(['true'])).result?.exitCode, 0);
  }
  t.equal(client.ws.readyState, WebSocket.OPEN);
  t.equal((await client.exec(['true'])).result?.exitCode, 0);
});

t.test('command/exec takes integers of 64 bits and every name of a variable when a client sends them', async (t) => {
  const server = await startServer(t);
  const client = await server.session();
  const send = (params: string): Promise<WireMessage> => {
    client.messages.length = 0;
    const reply = client.message(({ id }) => String(id) === '1000');
    client.ws.send(`{"id":1000,"method":"command/exec","params":${params}}`);
    return reply;
  };
  const large = '"outputBytesCap":18446744073709551615,"timeoutMs":9223372036854775807';
  t.match(await send(`{"command":["echo","a"],${large}}`), { result: { exitCode: 0, stdout: 'a\n' } });
  t.match(await send('{"command":["sh","-c","env | grep __proto__"],"env":{"__proto__":"p"}}'), {
    result: { stdout: '__proto__=p\n' },
  });
  t.match(await send('{"command":["true"],"timeoutMs":1.5}'), { error: { code: -32602 } });
});
