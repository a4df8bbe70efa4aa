// Compares WebSocket frames with the parser of `ws`, and shows the WebSocket transport, lines, and standard input and output. Knows no JSON-RPC. Long
// because each transport has to show the same things.
import { EventEmitter } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import t from 'tap';
import * as ws from 'ws';
import { LineSplitter } from '../../src/rpc/line-splitter.js';
import { StdioTransport } from '../../src/rpc/stdio-transport.js';
import { FrameWriter } from '../../src/rpc/websocket-frames.js';
import { type WebSocketLike, WebSocketTransport } from '../../src/rpc/websocket-transport.js';
import { encoded } from '../support/encoded-message.js';
import { settled } from '../support/fake-process.js';
import { fc } from '../support/property.js';
import { standingTime } from '../support/standing-time.js';

/** The types of `ws` lack it. */
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable };

// WebSocket frames, read back by the parser of `ws`.

class FakeSocket extends EventEmitter {
  readonly chunks: Buffer[] = [];
  writableLength = 0;
  bytesRead = 0;
  destroyed = false;
  isPaused(): boolean {
    return false;
  }
  _write(): void {}
  write(chunk: Buffer, callback?: (error?: Error | null) => void): boolean {
    this.chunks.push(Buffer.from(chunk));
    callback?.();
    return true;
  }
}

interface Frame {
  readonly text: string;
  readonly isBinary: boolean;
}

async function parse(bytes: Buffer): Promise<Frame[]> {
  const receiver = new Receiver({ isServer: false, maxPayload: 0 });
  const frames: Frame[] = [];
  receiver.on('message', (data: Buffer, isBinary: boolean) => frames.push({ text: data.toString('utf8'), isBinary }));
  await new Promise<void>((resolve, reject) => {
    receiver.on('error', reject);
    receiver.on('finish', resolve);
    receiver.end(bytes);
  });
  return frames;
}

/** A plain frame: one header, then one text. */
function plainFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  if (length <= 125) return Buffer.concat([Buffer.from([0x81, length]), payload]);
  if (length <= 0xffff) return Buffer.concat([Buffer.from([0x81, 126, length >> 8, length & 0xff]), payload]);
  const header = Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, payload]);
}

t.test('frame writer writes what a WebSocket parser reads when texts have every kind of length', async (t) => {
  const lengths = [0, 1, 125, 126, 127, 16_384, 16_385, 65_535, 65_536, 200_000];
  const texts = [...lengths.map((length) => 'a'.repeat(length)), 'ü€🙂', '€'.repeat(42), '🙂'.repeat(20_000)];
  const ways: Record<string, (writer: FrameWriter, text: string) => void> = {
    collected: (writer, text) => writer.send(text),
    encoded: (writer, text) => writer.sendEncoded(encoded(text)),
    'in pieces': (writer, text) => {
      const bytes = Buffer.from(text);
      writer.sendParts([bytes.subarray(0, 7), bytes.subarray(7, 8), bytes.subarray(8)]);
    },
  };
  for (const [name, send] of Object.entries(ways)) {
    const socket = new FakeSocket();
    const writer = new FrameWriter(socket);
    for (const text of texts) send(writer, text);
    await settled();
    const bytes = Buffer.concat(socket.chunks);
    t.ok(bytes.equals(Buffer.concat(texts.map(plainFrame))), `${name}: bit for bit as the plain version`);
    t.same(
      (await parse(bytes)).map(({ text, isBinary }) => [text.length, isBinary]),
      texts.map((text) => [text.length, false]),
      name,
    );
    t.equal(writer.sentBytes, bytes.length, `${name}: counts every byte`);
    t.equal(writer.bufferedBytes, 0);
  }
});

t.test('frame writer keeps the order when the ways of sending are mixed', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('send', 'encoded', 'parts'), fc.string({ unit: 'binary', maxLength: 300 }))),
      async (sends) => {
        const socket = new FakeSocket();
        const writer = new FrameWriter(socket);
        for (const [way, text] of sends) {
          if (way === 'send') writer.send(text);
          else if (way === 'encoded') writer.sendEncoded(encoded(text));
          else writer.sendParts([Buffer.from(text)]);
        }
        writer.flush();
        const expected = Buffer.concat(sends.map(([, text]) => plainFrame(text)));
        return Buffer.concat(socket.chunks).equals(expected);
      },
    ),
    { numRuns: 200 },
  );
  t.pass('bit for bit as the plain version');
});

t.test('frame writer puts small messages of one tick into one write', async (t) => {
  const socket = new FakeSocket();
  const writer = new FrameWriter(socket);
  for (let at = 0; at < 100; at += 1) writer.send(`{"id":${at}}`);
  t.same(socket.chunks, []);
  t.equal(writer.bufferedBytes, writer.sentBytes, 'collected messages count as buffered');
  await settled();
  t.equal(socket.chunks.length, 1);
});

t.test('frame writer calls back when a buffer was sent, and not when it could not be', (t) => {
  const socket = new FakeSocket();
  let sent = 0;
  const writer = new FrameWriter(socket);
  writer.sendEncoded(encoded('x', () => sent++));
  t.equal(sent, 1);
  socket.write = (_chunk, callback) => {
    callback?.(new Error('gone'));
    return true;
  };
  writer.sendEncoded(encoded('x', () => sent++));
  t.equal(sent, 1);
  t.end();
});

// The WebSocket transport.

class FakeWebSocket extends EventEmitter implements WebSocketLike {
  readyState = 1;
  bufferedAmount = 0;
  extensions = '';
  readonly calls: string[] = [];
  readonly sent: [text: string, fin: boolean | undefined][] = [];
  send(data: string | Buffer, options: { binary: boolean; fin?: boolean }, callback?: (error?: Error) => void): void {
    this.sent.push([data.toString(), options.fin]);
    callback?.();
  }
  /** Called when the control frames have left. */
  held: (() => void)[] = [];
  ping(_data: string, _mask: boolean, callback: () => void): void {
    this.calls.push('ping');
    this.held.push(callback);
  }
  pong(data: Buffer, _mask: boolean, callback: () => void): void {
    this.calls.push(`pong ${data}`);
    this.held.push(callback);
  }
  pause(): void {
    this.calls.push('pause');
  }
  resume(): void {
    this.calls.push('resume');
  }
  close(code?: number, reason?: string | Buffer): void {
    this.readyState = 2;
    this.calls.push(`close ${code} ${reason}`);
  }
  terminate(): void {
    this.calls.push('terminate');
  }
}

function listenTo(transport: WebSocketTransport | StdioTransport): string[] {
  const events: string[] = [];
  transport.open({
    onMessage: (message) => events.push(`message ${message}`),
    onUnreadable: (detail) => events.push(`unreadable ${detail}`),
    onEnd: () => events.push('end'),
    onClosing: (proceed) => proceed(),
    onDrain: () => events.push('drain'),
    onClose: (code) => events.push(`close ${code}`),
  });
  return events;
}

t.test('websocket transport closes with 1003 when a binary frame comes', (t) => {
  const ws = new FakeWebSocket();
  const transport = new WebSocketTransport(ws, new FakeSocket());
  const events = listenTo(transport);
  ws.emit('message', Buffer.from('ü'), false);
  ws.emit('message', Buffer.from('{}'), true);
  t.same(events, ['message ü']);
  t.same(ws.calls, ['resume', 'close 1003 messages are text frames']);
  ws.emit('close', 1003);
  t.same(events, ['message ü', 'close 1003']);
  t.end();
});

t.test(
  'websocket transport sends held messages before its Close, and reads the answer even though it was paused',
  (t) => {
    const ws = new FakeWebSocket();
    const socket = new FakeSocket();
    const transport = new WebSocketTransport(ws, socket);
    listenTo(transport);
    transport.pause();
    transport.send('last words');
    transport.close(1001, 'going');
    t.equal(Buffer.concat(socket.chunks).toString('latin1').slice(2), 'last words');
    t.same(ws.calls, ['pause', 'resume', 'close 1001 going']);
    ws.emit('close', 1001);
    t.end();
  },
);

t.test('websocket transport neither takes nor sends a message when either side has sent its Close', async (t) => {
  for (const closes of ['a binary frame', 'the server', 'the peer'] as const) {
    const ws = new FakeWebSocket();
    const socket = new FakeSocket();
    const transport = new WebSocketTransport(ws, socket);
    const events = listenTo(transport);
    if (closes === 'a binary frame') ws.emit('message', Buffer.from('x'), true);
    else if (closes === 'the server') transport.close(1001, '');
    else ws.readyState = 2;
    ws.emit('message', Buffer.from('{}'), false);
    transport.send('1');
    transport.sendEncoded(encoded('2'));
    transport.sendParts([Buffer.from('3')]);
    transport.close(1000, '');
    // Messages are written at the end of the turn.
    await settled();
    t.same([events, socket.chunks], [[], []], closes);
    ws.emit('close', 1000);
  }
});

t.test('websocket transport writes through the library when an extension was negotiated or there is no socket', (t) => {
  for (const [extensions, socket] of [
    ['permessage-deflate', new FakeSocket()],
    ['', undefined],
  ] as const) {
    const ws = new FakeWebSocket();
    ws.extensions = extensions;
    const transport = new WebSocketTransport(ws, socket);
    const events = listenTo(transport);
    let sent = 0;
    transport.send('1');
    transport.sendEncoded(encoded('2', () => sent++));
    transport.sendParts([Buffer.from('3'), Buffer.from('4')]);
    t.same(ws.sent, [
      ['1', undefined],
      ['2', undefined],
      ['3', false],
      ['4', true],
    ]);
    t.equal(sent, 1);
    t.same(socket?.chunks ?? [], [], 'no other frame');
    t.ok(events.includes('drain'));
  }
  t.end();
});

t.test(
  'websocket transport flushes before a Close, and sends nothing after it, when the peer or the library closes',
  async (t) => {
    const ws = new FakeWebSocket();
    const socket = new FakeSocket();
    const order: string[] = [];
    ws.close = () => {
      order.push('Close');
      ws.readyState = 2;
    };
    socket.write = (chunk) => order.push(chunk.toString('latin1', 2)) > 0;
    const transport = new WebSocketTransport(ws, socket);
    listenTo(transport);
    transport.send('reply');
    // As `ws` answers the Close of a peer.
    ws.close(1000);
    transport.send('late');
    await settled();
    t.same(order, ['reply', 'Close']);
    ws.emit('close', 1000);
  },
);

t.test('websocket transport answers the newest ping when several come before the first answer has left', (t) => {
  const ws = new FakeWebSocket();
  const transport = new WebSocketTransport(ws, new FakeSocket());
  listenTo(transport);
  for (let at = 0; at < 61; at += 1) ws.emit('ping', Buffer.from(String(at)));
  t.same(ws.calls, ['pong 0'], 'one answer is held');
  ws.held.shift()?.();
  t.same(ws.calls, ['pong 0', 'pong 60']);
  ws.held.shift()?.();
  ws.emit('ping', Buffer.from('next'));
  t.same(ws.calls.slice(2), ['pong next']);
  ws.readyState = 2;
  ws.emit('ping', Buffer.from('late'));
  ws.held.shift()?.();
  t.equal(ws.calls.length, 3, 'none after a Close');
  t.equal(transport.receivedMessages, 63, 'each is a sign of life');
  t.end();
});

t.test(
  'websocket transport wakes its sources when a control frame is the last that leaves through the library',
  (t) => {
    for (const frame of ['ping', 'pong'] as const) {
      const ws = new FakeWebSocket();
      ws.extensions = 'permessage-deflate';
      const transport = new WebSocketTransport(ws, new FakeSocket());
      const events = listenTo(transport);
      if (frame === 'pong') ws.emit('ping', Buffer.from('x'));
      else transport.ping();
      ws.bufferedAmount = 8;
      transport.send('before it');
      t.notOk(events.includes('drain'), 'the frame is held');
      ws.bufferedAmount = 0;
      ws.held.shift()?.();
      t.ok(events.includes('drain'), frame);
    }
    t.end();
  },
);

t.test(
  'websocket transport waits for a peer that keeps reading, and cuts one that does not, or reads for ever',
  (t) => {
    const time = standingTime(t);
    const ends = (take: (socket: FakeSocket, atMs: number) => void, stand = 0): number => {
      const ws = new FakeWebSocket();
      const socket = new FakeSocket();
      socket.writableLength = 40_000_000;
      const transport = new WebSocketTransport(ws, socket);
      listenTo(transport);
      transport.close(1012, 'drain deadline passed');
      if (stand > 0) time.standStill(stand);
      let atMs = 0;
      for (; !ws.calls.includes('terminate') && atMs < 200_000; atMs += 1000) {
        take(socket, atMs);
        time.pass(1000);
      }
      ws.emit('close', 1006);
      return atMs / 1000;
    };
    t.ok(ends(() => {}) <= 7, 'takes nothing');
    t.ok(ends(() => {}) >= 5);
    t.ok(ends(() => {}, 60_000) >= 5, 'a standstill of the server does not count');
    const steadily = ends((socket, atMs) => {
      if (atMs % 4000 === 0) socket.writableLength -= 1000;
    });
    t.ok(steadily >= 58 && steadily <= 63, `keeps reading: cut after ${steadily} s`);
    const untilDone = ends((socket, atMs) => {
      if (atMs < 20_000) socket.writableLength -= 1000;
    });
    t.ok(untilDone >= 24 && untilDone <= 27, `read for 20 s and then nothing: ${untilDone} s`);
    t.equal(time.pending, 0, 'no timer is left');
    t.end();
  },
);

// Lines, and standard input and output.

function linesOf(maxLineBytes: number, chunks: readonly (string | Buffer)[]): string[] {
  const events: string[] = [];
  const splitter = new LineSplitter({
    maxLineBytes,
    onLine: (line) => events.push(line.toString()),
    onTooLong: () => events.push('<too long>'),
  });
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  splitter.end();
  return events;
}

t.test('line splitter reports whole lines when they come in any pieces', (t) => {
  t.same(linesOf(10, ['a\nb', 'c\n', '\n  \n', 'd\r\n', 'end']), ['a', 'bc', 'd\r', 'end']);
  const euro = Buffer.from('€€\n');
  const bytes = Array.from(euro, (byte) => Buffer.from([byte]));
  t.same(linesOf(10, bytes), ['€€'], 'a character cut at a chunk edge is whole again');
  t.end();
});

t.test('line splitter skips a line to its end and reports it once when it is too long', (t) => {
  t.same(linesOf(4, ['1234\n12345\n6\n']), ['1234', '<too long>', '6']);
  t.same(linesOf(4, ['123', '45', '678', '9\n', 'ok\n']), ['<too long>', 'ok']);
  t.same(linesOf(4, ['12345']), ['<too long>'], 'at the end of input, too');
  t.end();
});

t.test('line splitter agrees with a plain split when chunks are random', (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', '€', '\n', ' ') })), (chunks) => {
      const plain = chunks.join('').split('\n');
      const expected = plain.filter((line) => line.trim() !== '');
      return JSON.stringify(linesOf(1_000_000, chunks)) === JSON.stringify(expected);
    }),
  );
  t.end();
});

t.test('stdio transport writes a line per message whichever way it is sent', async (t) => {
  const output = new PassThrough();
  const transport = new StdioTransport(new PassThrough(), output, 1000);
  let sent = 0;
  transport.send('"1 ü"');
  transport.sendEncoded(encoded('2', () => sent++));
  transport.sendParts([Buffer.from('"3'), Buffer.from('4"')]);
  await settled();
  const written = output.read() as Buffer;
  t.equal(written.toString('utf8'), '"1 ü"\n2\n"34"\n');
  t.equal(transport.sentBytes, written.length);
  t.equal(sent, 1);
});

t.test('stdio transport reports messages, long lines and the end once when its input comes', async (t) => {
  const input = new PassThrough();
  const transport = new StdioTransport(input, new PassThrough(), 8);
  const events = listenTo(transport);
  input.write('{"a":1}\n123456789\n{}');
  input.end();
  await new Promise((resolve) => input.once('end', resolve));
  t.same(events, ['message {"a":1}', 'unreadable a line is longer than 8 bytes; it was skipped', 'message {}', 'end']);
  transport.abort();
  transport.abort();
  t.same(events.slice(4), ['close 1011']);
  t.equal(transport.receivedBytes, 20);
});

t.test('stdio transport sends held messages and then ends when it is closed', async (t) => {
  const written: string[] = [];
  const output = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString());
      setImmediate(done);
    },
  });
  const transport = new StdioTransport(new PassThrough(), output, 1000);
  const closed = new Promise<number>((resolve) =>
    transport.open({ onMessage() {}, onUnreadable() {}, onEnd() {}, onClosing() {}, onDrain() {}, onClose: resolve }),
  );
  for (let at = 0; at < 5; at += 1) transport.send(String(at));
  t.ok(transport.bufferedBytes > 0);
  transport.close(1001, '');
  t.equal(await closed, 1001);
  t.same(written, ['0\n', '1\n', '2\n', '3\n', '4\n']);
  transport.send('after the end');
  t.equal(written.length, 5);
});

t.test('stdio transport ends when its output is closed', (t) => {
  const output = new PassThrough();
  const transport = new StdioTransport(new PassThrough(), output, 1000);
  const events = listenTo(transport);
  output.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  t.same(events, ['close 1011']);
  t.end();
});
