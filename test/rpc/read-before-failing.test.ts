// Shows that a WebSocket transport takes what its peer sent before it left, with real sockets in one process: what they write and close is there at once.
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { Inbox } from '../../src/rpc/inbox.js';
import { WebSocketTransport } from '../../src/rpc/websocket-transport.js';

interface Pair {
  readonly peer: Socket;
  readonly transport: WebSocketTransport;
  /** What the transport reported, in its order. */
  readonly events: string[];
  readonly closed: Promise<unknown>;
}

/** @param perMessageDeflate whether an extension is negotiated, so that `ws` writes */
async function pairOf(t: Test, { perMessageDeflate = false } = {}): Promise<Pair> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate });
  await once(server, 'listening');
  t.teardown(() => server.close());
  const opened = new Promise<WebSocketTransport>((resolve) => {
    server.on('connection', (ws, { socket }) => {
      ws.on('error', () => {});
      resolve(new WebSocketTransport(ws, socket));
    });
  });
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
  const extension = perMessageDeflate ? 'Sec-WebSocket-Extensions: permessage-deflate\r\n' : '';
  peer.write(
    `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${extension}\r\n`,
  );
  await once(peer, 'data');
  const transport = await opened;
  const events: string[] = [];
  const closed = new Promise<void>((resolve) => {
    const inbox = new Inbox({
      deliver: (message) => events.push(String(message).slice(0, 20)),
      pause: () => transport.pause(),
      resume: () => transport.resume(),
    });
    transport.open({
      onMessage: (message) => inbox.push(message),
      onDrain() {},
      onEnd() {},
      onUnreadable() {},
      onClosing: (proceed) => inbox.whenEmpty(proceed),
      onClose(code) {
        inbox.close();
        events.push(`closed ${code}`);
        resolve();
      },
    });
  });
  return { peer, transport, events, closed };
}

/** A text frame whose mask is 0, so that its payload is the text itself. */
function frame(text: string): Buffer {
  const bytes = Buffer.from(text);
  const header =
    bytes.length < 126
      ? Buffer.from([0x81, 0x80 | bytes.length])
      : Buffer.from([0x81, 0xfe, bytes.length >> 8, bytes.length & 0xff]);
  return Buffer.concat([header, Buffer.alloc(4), bytes]);
}

/** Writes until the kernel has told that the peer has gone: the first write to a closed socket still succeeds. */
function writeInVain(transport: WebSocketTransport): void {
  for (const text of ['output', 'more output']) transport.sendParts([Buffer.from(text)]);
  transport.ping();
}

t.test(
  'websocket transport takes the last message when it writes to a peer that has gone before it reads',
  async (t) => {
    for (const perMessageDeflate of [false, true]) {
      for (const leaves of ['reset', 'closed'] as const) {
        const { peer, transport, events, closed } = await pairOf(t, { perMessageDeflate });
        peer.write(frame('terminate'));
        if (leaves === 'reset') peer.resetAndDestroy();
        else peer.destroy();
        writeInVain(transport);
        await closed;
        t.same(events, ['terminate', 'closed 1006'], `${leaves}${perMessageDeflate ? ', with an extension' : ''}`);
      }
    }
  },
);

t.test('websocket transport takes all messages that have arrived when there are many, and then ends', async (t) => {
  const { peer, transport, events, closed } = await pairOf(t);
  const COUNT = 40;
  const frames = Array.from({ length: COUNT }, (_, n) => frame(`message ${n} ${'x'.repeat(1_000)}`));
  // In one piece, because Node would hold back all but the first one until the next tick.
  peer.write(Buffer.concat(frames));
  peer.resetAndDestroy();
  writeInVain(transport);
  await closed;
  t.equal(events.length, COUNT + 1);
  t.match(events.at(-2), /^message 39 /);
  t.equal(events.at(-1), 'closed 1006');
});

t.test('websocket transport ends at once when it is aborted', async (t) => {
  const { peer, transport, events, closed } = await pairOf(t);
  peer.write(frame('late'));
  transport.abort();
  await closed;
  t.same(events, ['closed 1006']);
  peer.destroy();
});
