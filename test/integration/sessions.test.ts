// Shows many connections and many requests at once, what one session agrees on, and two clients of other projects. Knows no bound.

import { once } from 'node:events';
import { JSONRPCClient } from 'json-rpc-2.0';
import t from 'tap';
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  type DataCallback,
  type Message,
} from 'vscode-jsonrpc/node';
import { WebSocket } from 'ws';
import { startServer } from '../support/server.js';

const server = await startServer(t);
const CLIENT_INFO = { clientInfo: { name: 'independent', version: '1' } };

t.test('same ids on two connections never mix, and nothing of one reaches the other', async (t) => {
  const pair = [await server.wire(), await server.wire()] as const;
  for (const [at, raw] of pair.entries()) {
    raw.send({ id: 0, method: 'initialize', params: CLIENT_INFO });
    for (let id = 1; id <= 20; id += 1) {
      const params = { command: ['sh', '-c', `echo ${at}-${id}`], processId: `p${id}`, streamStdoutStderr: true };
      raw.send({ id, method: 'command/exec', params });
    }
  }
  for (const [at, raw] of pair.entries()) {
    for (let id = 0; id <= 20; id += 1) await raw.replyTo(id);
    const deltas = raw.messages.filter(({ method }) => method === 'command/exec/outputDelta');
    const said = deltas.map(({ params }) => {
      const { processId, deltaBase64 } = params as { processId: string; deltaBase64: string };
      return `${processId} ${Buffer.from(deltaBase64, 'base64')}`;
    });
    t.same(said.sort(), Array.from({ length: 20 }, (_, index) => `p${index + 1} ${at}-${index + 1}\n`).sort());
    t.equal(raw.messages.length, 21 + 20, 'one reply each and nothing else');
  }
  const [one, other] = pair;
  void one.request('command/exec', { command: ['sleep', '60'], processId: 'mine' }).catch(() => {});
  t.match(
    await other.request('command/exec/terminate', { processId: 'mine' }),
    { error: { code: -32600 } },
    'ids of other connections are unknown',
  );
  t.same((await one.request('command/exec/terminate', { processId: 'mine' })).result, {});
});

t.test('100 connections get their own answers when they ask at once', async (t) => {
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, at) => {
      const client = await server.connect();
      const { stdout } = await client.exec(['echo', String(at)]);
      await client.close();
      return stdout;
    }),
  );
  t.same(
    answers,
    Array.from({ length: 100 }, (_, at) => String(at)),
  );
});

t.test('quick commands are answered before a slow one when 33 run at once on one connection', async (t) => {
  const client = await server.session();
  const slow = client.exec(['cat'], { processId: 'slow', streamStdin: true });
  const quick = Array.from({ length: 32 }, (_, at) => client.exec(['echo', String(at)]));
  const answers = await Promise.all(quick);
  t.same(
    answers.map(({ result }) => result.stdout),
    Array.from({ length: 32 }, (_, at) => `${at}\n`),
  );
  await client.request('command/exec/write', { processId: 'slow', closeStdin: true });
  const last = await slow;
  t.match(last, { result: { exitCode: 0 } });
  t.ok(
    answers.every((answer) => client.messages.indexOf(answer) < client.messages.indexOf(last)),
    'no quick command waited for the slow one',
  );
});

t.test('messages before, at and after initialize are served in order when they come in one go', async (t) => {
  const raw = await server.wire();
  raw.send({ id: 'early', method: 'command/exec', params: { command: ['true'] } });
  raw.send({ id: 1, method: 'initialize', params: CLIENT_INFO });
  raw.send({ method: 'initialized' });
  raw.send({ id: 2, method: 'initialize', params: CLIENT_INFO });
  raw.send({ id: 3, method: 'command/exec', params: { command: ['echo', 'hi'] } });
  t.match(await raw.replyTo(3), { id: 3, result: { stdout: 'hi\n' } });
  t.match(raw.messages, [
    { id: 'early', error: { code: -32600, message: 'Not initialized', data: { reason: 'notInitialized' } } },
    { id: 1, result: { serverInfo: { name: 'execwire' }, limits: { maxFrameBytes: 16 * 1024 * 1024 } } },
    { id: 2, error: { code: -32600, message: 'Already initialized' } },
    { id: 3 },
  ]);
  t.equal(raw.messages.length, 4);
});

t.test('replies have jsonrpc when their request has it, and notifications when initialize had it', async (t) => {
  for (const more of [{}, { jsonrpc: '2.0' }]) {
    const raw = await (await server.wire()).initialize({}, more);
    const params = { command: ['echo', 'x'], processId: 'p', streamStdoutStderr: true };
    const [without, withVersion] = [
      await raw.request('command/exec', params),
      await raw.request('command/exec', params, { jsonrpc: '2.0' }),
    ];
    t.same([without.jsonrpc, withVersion.jsonrpc], [undefined, '2.0']);
    for (const { jsonrpc } of raw.messages.filter(({ method }) => method !== undefined)) {
      t.equal(jsonrpc, 'jsonrpc' in more ? '2.0' : undefined);
    }
  }
});

t.test('replies are sent and output is not when a connection opted out of output', async (t) => {
  const raw = await (await server.wire()).initialize({
    optOutNotificationMethods: ['command/exec/outputDelta', 'initialize'],
  });
  const params = { command: ['seq', '200000'], processId: 'p', streamStdoutStderr: true, disableOutputCap: true };
  t.match(await raw.request('command/exec', params), { result: { exitCode: 0, stdout: '' } });
  t.equal(raw.messages.length, 2);
});

t.test('long reply arrives whole when its client reads other replies meanwhile', async (t) => {
  const client = await server.session();
  const long = client.exec(['sh', '-c', "head -c 20000000 /dev/zero | tr '\\0' a"], { disableOutputCap: true });
  const quick = await client.exec(['echo', 'quick']);
  t.equal(quick.result.stdout, 'quick\n');
  const { stdout } = (await long).result;
  t.equal(stdout.length, 20_000_000);
  t.ok(/^a+$/.test(stdout));
});

// Two clients of other projects.

class SocketReader extends AbstractMessageReader {
  readonly #ws: WebSocket;
  constructor(ws: WebSocket) {
    super();
    this.#ws = ws;
  }
  listen(callback: DataCallback): { dispose(): void } {
    const onMessage = (data: unknown): void => callback(JSON.parse(String(data)) as Message);
    this.#ws.on('message', onMessage);
    return { dispose: () => this.#ws.off('message', onMessage) };
  }
}

class SocketWriter extends AbstractMessageWriter {
  readonly #ws: WebSocket;
  constructor(ws: WebSocket) {
    super();
    this.#ws = ws;
  }
  async write(message: Message): Promise<void> {
    this.#ws.send(JSON.stringify(message));
  }
  end(): void {}
}

async function openSocket(): Promise<WebSocket> {
  const ws = new WebSocket(server.url);
  await once(ws, 'open');
  return ws;
}

t.test('vscode-jsonrpc initializes, runs a command and gets its output when it is the client', async (t) => {
  const ws = await openSocket();
  const connection = createMessageConnection(new SocketReader(ws), new SocketWriter(ws));
  const output: string[] = [];
  connection.onNotification('command/exec/outputDelta', (params: { deltaBase64: string }) => {
    output.push(Buffer.from(params.deltaBase64, 'base64').toString());
  });
  connection.listen();
  t.match(await connection.sendRequest('initialize', CLIENT_INFO), { serverInfo: { name: 'execwire' } });
  await connection.sendNotification('initialized');
  t.same(await connection.sendRequest('command/exec', { command: ['echo', 'hi'] }), {
    exitCode: 0,
    stdout: 'hi\n',
    stderr: '',
  });
  await connection.sendRequest('command/exec', {
    command: ['echo', 'streamed'],
    processId: 'p',
    streamStdoutStderr: true,
  });
  t.equal(output.join(''), 'streamed\n');
  await t.rejects(connection.sendRequest('command/exec', { command: [] }), {
    code: -32600,
    message: 'command must not be empty',
  });
  connection.dispose();
  ws.close();
  await once(ws, 'close');
});

t.test('json-rpc-2.0 initializes and runs a command when it is the client', async (t) => {
  const ws = await openSocket();
  const client: JSONRPCClient = new JSONRPCClient((request) => ws.send(JSON.stringify(request)));
  ws.on('message', (data) => client.receive(JSON.parse(String(data))));
  t.match(await client.request('initialize', CLIENT_INFO), { serverInfo: { name: 'execwire' } });
  client.notify('initialized', {});
  t.same(await client.request('command/exec', { command: ['echo', 'hi'] }), {
    exitCode: 0,
    stdout: 'hi\n',
    stderr: '',
  });
  await t.rejects(Promise.resolve(client.request('nonsense', {})), { code: -32601 });
  ws.close();
  await once(ws, 'close');
});
