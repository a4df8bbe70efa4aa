/** TCP connections that send given bytes, and the bytes of an upgrade and of a frame. Knows no answer. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';
import type { Address } from './ask.js';

/** Connects; the end of the test destroys the connection. */
export async function tcpConnect(t: Test, { host, port }: Address): Promise<Socket> {
  const socket = connect(port, host);
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The bytes of an upgrade request. */
export function upgradeRequest(): string {
  return (
    'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
  );
}

/** A text frame of a client, with a mask of zeros. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = Buffer.alloc(4);
  return Buffer.concat([Buffer.from([0x81]), maskedLength(payload.length), mask, payload]);
}

/** @see RFC 6455 section 5.2 */
function maskedLength(bytes: number): Buffer {
  if (bytes <= 125) return Buffer.from([0x80 | bytes]);
  const length = Buffer.alloc(bytes <= 0xffff ? 3 : 9);
  if (bytes <= 0xffff) {
    length[0] = 0x80 | 126;
    length.writeUInt16BE(bytes, 1);
  } else {
    length[0] = 0x80 | 127;
    length.writeBigUInt64BE(BigInt(bytes), 1);
  }
  return length;
}
