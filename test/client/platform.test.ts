// Shows the parts of the client that differ between Node and browsers: the bundle for browsers, base64, and how the token is sent. Runs no command.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import t, { type Test } from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';
import { decodeBase64, encodeBase64 } from '../../client/src/base64.js';
import { connect } from '../../client/src/node.js';

/** Starts a WebSocket server that answers only what the callback answers. */
async function listen(t: Test, onConnection: (socket: WebSocket, protocols: string) => void): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.teardown(() => server.close());
  server.on('connection', (socket, { headers }) => onConnection(socket, headers['sec-websocket-protocol'] ?? ''));
  await once(server, 'listening');
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('client sends its token as a subprotocol when it connects', async (t) => {
  let offered = '';
  const url = await listen(t, (socket, protocols) => {
    offered = protocols;
    socket.close(1008);
  });
  await t.rejects(connect(url, { token: 'a/b?ü' }), { name: 'ConnectError' });
  t.same(
    offered.split(',').map((name) => name.trim()),
    ['execwire.v1', `execwire.bearer.${Buffer.from('a/b?ü').toString('base64url')}`],
  );
});

t.test('client reports a notification when it comes together with the answer to initialize', async (t) => {
  const url = await listen(t, (socket) => {
    socket.once('message', (data) => {
      socket.send(JSON.stringify({ id: JSON.parse(String(data)).id, result: {} }));
      socket.send(JSON.stringify({ method: 'server/authExpiring', params: { expiresInMs: 5 } }));
    });
  });
  let onHeard: (params: unknown) => void = () => {};
  const heard = new Promise((resolve) => (onHeard = resolve));
  await using _box = await connect(url, { notifications: { 'server/authExpiring': onHeard } });
  t.same(await heard, { expiresInMs: 5 });
});

t.test('base64 for browsers gives the result of Node, also when bytes are many', (t) => {
  for (const length of [0, 1, 2, 3, 0x8000, 0x8001, 200_000]) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 7) % 256);
    const text = encodeBase64(bytes);
    t.equal(text, Buffer.from(bytes).toString('base64'), `${length} bytes`);
    t.ok(Buffer.from(decodeBase64(text)).equals(bytes));
  }
  t.end();
});

t.test('bundle for browsers has no import and no name that only Node has', async (t) => {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../../client/src/browser.ts', import.meta.url))],
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
  t.notOk(
    Object.keys(metafile.inputs).some((input) => input.includes('node_modules')),
    'the bundle has no code of another package',
  );
  t.notMatch(outputFiles[0]?.text, /\bnode:|\brequire\(|process\.|\bBuffer\b/);
});
