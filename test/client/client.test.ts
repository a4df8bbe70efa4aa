// The client library against a real server, against a server that asks and leaves, and as browsers load it.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { decodeBase64, encodeBase64 } from '../../client/base64.js';
import { type Client, connect, DisconnectedError, RpcError } from '../../client/client.js';
import { socketConstructor } from '../../client/socket.js';
import type { Json } from '../support/memory-transport.js';
import { isAlive } from '../support/process-table.js';
import { startServer } from '../support/server.js';
import { until } from '../support/until.js';

const server = await startServer(t);
const OPTIONS = { clientInfo: { name: 'test', version: '1' }, WebSocket };

/** All output of a command as text. */
function gather(command: ReturnType<Client['start']>): {
  stdout: string;
  stderr: string;
  saying(text: string): Promise<void>;
} {
  const said = { stdout: '', stderr: '' };
  let onMore: () => void = () => {};
  command.onOutput(({ stream, bytes }) => {
    said[stream] += Buffer.from(bytes).toString();
    onMore();
  });
  const saying = (text: string): Promise<void> =>
    new Promise((resolve) => {
      onMore = () => {
        if (said.stdout.includes(text)) resolve();
      };
      onMore();
    });
  return Object.assign(said, { saying });
}

t.test('client runs a command to its end and refuses with RpcError when the server does', async (t) => {
  const client = await server.connect();
  t.same(await client.exec({ command: ['echo', 'hi'] }), { exitCode: 0, stdout: 'hi\n', stderr: '' });
  const refused = await client.exec({ command: [] }).catch((error: unknown) => error);
  t.ok(refused instanceof RpcError);
  t.match(refused, { code: -32600, reason: 'emptyCommand', message: 'command must not be empty' });
});

t.test('client streams output and stdin, several commands at once', async (t) => {
  const client = await server.connect();
  const commands = ['a', 'b', 'c'].map((name) => ({
    name,
    command: client.start({ command: ['sh', '-c', 'cat; echo done >&2'] }),
  }));
  const outputs = commands.map(({ command }) => gather(command));
  for (const { name, command } of commands) {
    await command.write(`${name}€`);
    await command.write(new Uint8Array([0x21]));
    await command.closeStdin();
  }
  for (const [at, { name, command }] of commands.entries()) {
    t.same(await command.result, { exitCode: 0, stdout: '', stderr: '' });
    t.match(outputs[at], { stdout: `${name}€!`, stderr: 'done\n' }, 'all of it before the result');
  }
  t.equal(new Set(commands.map(({ command }) => command.processId)).size, 3);
});

t.test('client drives a terminal without timeout and cap, with its size', async (t) => {
  const client = await server.connect();
  const script = "trap 'stty size' WINCH; stty size; echo ready; while :; do sleep 0.05; done";
  const command = client.start({ command: ['sh', '-c', script], tty: true, size: { rows: 10, cols: 20 } });
  const output = gather(command);
  await output.saying('ready');
  t.match(output.stdout, /^10 20\r\n/);
  await command.resize({ rows: 33, cols: 44 });
  await output.saying('33 44');
  await command.terminate();
  t.match(await command.result, { exitCode: 137 });
  await t.rejects(command.resize({ rows: 1, cols: 1 }), { code: -32600 });
});

t.test('client rejects what is under way and all later requests when the connection ends', async (t) => {
  const client = await server.connect();
  const command = client.start({ command: ['sh', '-c', 'echo $$; exec sleep 600'] });
  const output = gather(command);
  await output.saying('\n');
  const exec = client.exec({ command: ['sleep', '600'] }).catch((error: unknown) => error);
  await client.close();
  t.ok((await exec) instanceof DisconnectedError);
  await t.rejects(command.result, { name: 'DisconnectedError', code: 1000 });
  await t.rejects(client.exec({ command: ['true'] }), { name: 'DisconnectedError' });
  t.same((await client.closed).code, 1000);
  await until('its command is gone', () => !isAlive(Number(output.stdout)));
});

t.test('client says so when nobody is there, when the upgrade is refused, and when initialize is', async (t) => {
  await t.rejects(connect('ws://127.0.0.1:1', OPTIONS), /Cannot connect to ws:\/\/127\.0\.0\.1:1/);
  await t.rejects(connect(`${server.url}/healthz`, OPTIONS), /Cannot connect/);
  const clientInfo = { name: 'no\nheader', version: '1' };
  await t.rejects(connect(server.url, { ...OPTIONS, clientInfo }), { code: -32600, reason: 'invalidClientName' });
});

t.test('client answers requests of the server, and refuses those it does not know', async (t) => {
  const asked: Json[] = [];
  const other = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(other, 'listening');
  const answered = new Promise<void>((resolve) => {
    other.on('connection', (ws) => {
      ws.on('message', (data) => {
        const message = JSON.parse(String(data)) as Json;
        if (message.method === 'initialize') ws.send(JSON.stringify({ id: message.id, result: {} }));
        else if (message.method === 'initialized') {
          for (const [at, method] of ['known', 'throws', 'unknown'].entries()) {
            ws.send(JSON.stringify({ jsonrpc: '2.0', id: `s${at}`, method, params: { n: at } }));
          }
          ws.send(JSON.stringify({ id: 999, result: 'to nobody' }));
          ws.send(JSON.stringify({ method: 'server/draining', params: { deadlineMs: 7 } }));
        } else asked.push(message);
        if (asked.length === 3) resolve();
      });
    });
  });
  const { port } = other.address() as AddressInfo;
  const client = await connect(`ws://127.0.0.1:${port}`, OPTIONS);
  client.onRequest('known', async (params) => ({ echoed: params }));
  client.onRequest('throws', () => {
    throw new Error('no');
  });
  const drained = new Promise((resolve) => client.on('server/draining', resolve));
  await answered;
  t.same(
    asked.sort((a, b) => String(a.id).localeCompare(String(b.id))),
    [
      { jsonrpc: '2.0', id: 's0', result: { echoed: { n: 0 } } },
      { jsonrpc: '2.0', id: 's1', error: { code: -32603, message: 'no' } },
      { jsonrpc: '2.0', id: 's2', error: { code: -32601, message: 'Method not found: unknown' } },
    ],
  );
  t.same(await drained, { deadlineMs: 7 });
  for (const ws of other.clients) ws.close(1001, 'going');
  t.same(await client.closed, { code: 1001, reason: 'going' });
  other.close();
});

t.test('client hears a notification that comes in one go with the answer to initialize', async (t) => {
  const other = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(other, 'listening');
  other.on('connection', (ws) => {
    ws.once('message', (data) => {
      const { id } = JSON.parse(String(data)) as Json;
      ws.send(JSON.stringify({ id, result: {} }));
      ws.send(JSON.stringify({ method: 'server/authExpiring', params: { expiresInMs: 5 } }));
    });
  });
  const { port } = other.address() as AddressInfo;
  const heard: unknown[] = [];
  const client = await connect(`ws://127.0.0.1:${port}`, {
    ...OPTIONS,
    notifications: { 'server/authExpiring': (params) => heard.push(params) },
  });
  for (const ws of other.clients) ws.close(1001, 'going');
  await client.closed;
  t.same(heard, [{ expiresInMs: 5 }]);
  other.close();
});

t.test('client offers its token as a subprotocol, and no other way', async (t) => {
  const other = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(other, 'listening');
  const upgrade = new Promise<string | undefined>((resolve) => {
    other.on('connection', (ws, request) => {
      resolve(request.headers['sec-websocket-protocol']);
      ws.close(1008);
    });
  });
  const { port } = other.address() as AddressInfo;
  await t.rejects(connect(`ws://127.0.0.1:${port}`, { ...OPTIONS, token: 'a/b?ü' }), { name: 'DisconnectedError' });
  const offered = (await upgrade)?.split(',').map((name) => name.trim());
  t.same(offered, ['execwire.v1', `execwire.bearer.${Buffer.from('a/b?ü').toString('base64url')}`]);
  other.close();
});

t.test('client needs a WebSocket from its caller only where there is none', (t) => {
  t.equal(socketConstructor(WebSocket), WebSocket);
  t.intercept(globalThis as { WebSocket?: unknown }, 'WebSocket', { value: undefined });
  t.throws(() => socketConstructor(undefined), /pass one, as in connect/);
  t.end();
});

t.test('base64 of the client agrees with Node when bytes are many', (t) => {
  for (const length of [0, 1, 2, 3, 0x8000, 0x8001, 200_000]) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 7) % 256);
    const text = encodeBase64(bytes);
    t.equal(text, Buffer.from(bytes).toString('base64'), `${length} bytes`);
    t.ok(Buffer.from(decodeBase64(text)).equals(bytes));
  }
  t.end();
});

t.test('client has no import left when it is bundled for browsers', async (t) => {
  const entry = fileURLToPath(new URL('../../client/client.ts', import.meta.url));
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    metafile: true,
  });
  t.same(
    Object.values(metafile.outputs).flatMap(({ imports }) => imports),
    [],
  );
  const inputs = Object.keys(metafile.inputs);
  t.notOk(
    inputs.some((input) => input.includes('node_modules')),
    'and nothing of a package inside',
  );
  const text = outputFiles[0]?.text ?? '';
  t.notMatch(text, /\bnode:|\brequire\(|process\.|\bBuffer\b/);
  t.ok(text.length > 1000 && text.length < 100_000, `${text.length} characters`);
});
