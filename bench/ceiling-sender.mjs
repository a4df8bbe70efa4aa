// The other end of the client's self-check: answers requests without reading them, and sends ready-made frames. A process of its own.
// Usage: node ceiling-sender.mjs stream DELTA_BYTES TOTAL_BYTES | answer

import { createHash } from 'node:crypto';
import net from 'node:net';
import { CHEAP_CODE, CHEAP_METHOD, CHEAP_PARAMS } from './commands.mjs';
import { FrameTemplate } from './frame-writer.mjs';

/** RFC 6455, 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const [mode, deltaBytes, totalBytes] = process.argv.slice(2);

/** An unmasked text frame. @param {string} text */
function textFrame(text) {
  const payload = Buffer.from(text);
  const header = payload.length < 126 ? Buffer.alloc(2) : payload.length < 65536 ? Buffer.alloc(4) : Buffer.alloc(10);
  header[0] = 0x81;
  header[1] = header.length === 2 ? payload.length : header.length === 4 ? 126 : 127;
  if (header.length === 4) header.writeUInt16BE(payload.length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([header, payload]);
}

const INITIALIZED = textFrame('{"jsonrpc":"2.0","id":1,"result":{}}');

/** @param {net.Socket} socket */
async function stream(socket) {
  const size = Number(deltaBytes);
  const deltaBase64 = Buffer.alloc(size).toString('base64');
  const params = { processId: 'p', stream: 'stdout', deltaBase64, capReached: false };
  const frame = textFrame(JSON.stringify({ jsonrpc: '2.0', method: 'command/exec/outputDelta', params }));
  const perWrite = Math.ceil((1024 * 1024) / size);
  const block = Buffer.concat(Array.from({ length: perWrite }, () => frame));
  for (let sent = 0; sent < Number(totalBytes); sent += size * perWrite) {
    if (!socket.write(block)) await new Promise((resolve) => socket.once('drain', resolve));
  }
}

const requestBytes = new FrameTemplate(CHEAP_METHOD, CHEAP_PARAMS).length;
const message = `no active command/exec for process id ${JSON.stringify(CHEAP_PARAMS.processId)}`;
const reply = textFrame(JSON.stringify({ jsonrpc: '2.0', id: 100_000_000, error: { code: CHEAP_CODE, message } }));
const replies = Buffer.concat(Array.from({ length: 1024 }, () => reply));

const server = net.createServer({ noDelay: true }, (socket) => {
  let stage = 'upgrade';
  let unanswered = 0;
  socket.on('error', () => {});
  socket.on('data', (data) => {
    if (stage === 'upgrade') {
      const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(data.toString('latin1'))?.[1] ?? '';
      const accept = createHash('sha1')
        .update(key + ACCEPT_GUID)
        .digest('base64');
      const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
      socket.write(`${head}Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
      stage = 'initialize';
    } else if (stage === 'initialize') {
      // The client sends no more before this answer.
      socket.write(INITIALIZED);
      stage = 'initialized';
    } else if (stage === 'initialized') {
      stage = 'work';
      // The notification `initialized`, alone or with the first requests behind it.
      const length = 6 + (data[1] & 0x7f);
      if (data.length > length) socket.emit('data', data.subarray(length));
    } else if (mode === 'stream') {
      stage = 'streaming';
      stream(socket).catch(() => {});
    } else if (mode === 'answer') {
      unanswered += data.length;
      const count = Math.floor(unanswered / requestBytes);
      unanswered -= count * requestBytes;
      socket.write(replies.subarray(0, count * reply.length));
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address) process.stdout.write(`${address.port}\n`);
});
