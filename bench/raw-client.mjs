// A WebSocket client that is never the bottleneck: the handshake by hand over net.Socket, one read buffer for the whole process,
// frame headers only. Knows nothing about JSON-RPC (rpc-connection.mjs does).

import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import { FrameReader } from './frame-reader.mjs';
import { buildFrame, OPCODE } from './frame-writer.mjs';

/** @typedef {import('./frame-reader.mjs').Frame} Frame */

/**
 * Every socket of the process reads into this buffer: a read and its callback are one step of the loop. 64 KiB keeps one turn of the loop short
 * (libuv reads up to 32 times), so that a flood on one connection does not delay the reading of another.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);
const HANDSHAKE_LIMIT_MS = 10_000;
/** RFC 6455, 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Loopback source addresses in use, in turn: one alone has 28,000 ports, and closed connections hold theirs for a minute. */
const SOURCE_ADDRESSES = 200;
let nextSource = 0;

/** One WebSocket connection. Set `onFrame` and `onClose` right after `connect`. */
export class RawConnection {
  /** @type {(frame: Frame) => void} */
  onFrame = () => {};
  /** @type {(reason: string) => void} */
  onClose = () => {};
  closed = false;
  #socket;
  #reason = 'the server closed the socket';

  /** @param {net.Socket} socket */
  constructor(socket) {
    this.#socket = socket;
  }

  /** @param {number} port @returns {Promise<RawConnection>} */
  static connect(port) {
    return new Promise((resolve, reject) => {
      const key = randomBytes(16).toString('base64');
      let answer = '';
      let open = false;
      const reader = new FrameReader((frame) => connection.#receive(frame));
      const socket = net.connect({
        host: '127.0.0.1',
        port,
        localAddress: `127.0.0.${1 + (nextSource++ % SOURCE_ADDRESSES)}`,
        noDelay: true,
        onread: {
          buffer: READ_BUFFER,
          callback: (length) => {
            const chunk = READ_BUFFER.subarray(0, length);
            try {
              if (open) reader.push(chunk);
              else shake(chunk);
            } catch (error) {
              connection.#fail(error);
            }
            return true;
          },
        },
      });
      const connection = new RawConnection(socket);
      const limit = setTimeout(() => fail(new Error('the WebSocket handshake took too long')), HANDSHAKE_LIMIT_MS);
      /** @param {Error} error */
      const fail = (error) => {
        clearTimeout(limit);
        socket.destroy();
        reject(error);
      };
      /** @param {Buffer} chunk */
      const shake = (chunk) => {
        answer += chunk.toString('latin1');
        const end = answer.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = answer.slice(0, end);
        const accept = createHash('sha1')
          .update(key + ACCEPT_GUID)
          .digest('base64');
        if (!head.startsWith('HTTP/1.1 101') || !head.includes(accept)) {
          fail(new Error(`upgrade refused: ${head.split('\r\n', 1)[0]}`));
          return;
        }
        clearTimeout(limit);
        open = true;
        resolve(connection);
        const rest = Buffer.from(answer.slice(end + 4), 'latin1');
        if (rest.length > 0) setImmediate(() => reader.push(rest));
        answer = '';
      };
      socket.on('error', (error) => {
        if (open) connection.#reason = error.message;
        else fail(error);
      });
      socket.on('close', () => {
        if (!open) fail(new Error('closed during the handshake'));
        connection.#closed();
      });
      socket.write(
        `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      );
    });
  }

  /** Sends frames that are built already. @param {Buffer} frames */
  sendFrames(frames) {
    this.#socket.write(frames);
  }

  /** @param {string} text */
  sendText(text) {
    this.#socket.write(buildFrame(OPCODE.text, Buffer.from(text)));
  }

  /** Sends a Close frame and ends the socket. @returns {Promise<void>} when it is closed. */
  close() {
    if (this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#socket.once('close', () => resolve());
      this.#socket.end(buildFrame(OPCODE.close, Buffer.from([0x03, 0xe8])));
      // A server that is busy sending may never see the end, so the client does not wait for it.
      setTimeout(() => this.#socket.destroy(), 200).unref();
    });
  }

  /** Stops reading. */
  pause() {
    this.#socket.pause();
  }

  /** Ends the socket at once. */
  destroy() {
    this.#reason = 'destroyed by the client';
    this.#socket.destroy();
  }

  /** @param {Frame} frame */
  #receive(frame) {
    if (frame.opcode === OPCODE.text) this.onFrame(frame);
    else if (frame.opcode === OPCODE.ping) this.#socket.write(buildFrame(OPCODE.pong, Buffer.from(frame.head)));
    else if (frame.opcode === OPCODE.close) {
      const code = frame.length >= 2 ? frame.head.readUInt16BE(0) : 1005;
      this.#reason = `the server closed with ${code} ${frame.head.toString('utf8', 2)}`;
      this.#socket.end();
    } else if (frame.opcode !== OPCODE.pong) throw new Error(`unexpected opcode ${frame.opcode}`);
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#reason = error instanceof Error ? error.message : String(error);
    this.#socket.destroy();
  }

  #closed() {
    if (this.closed) return;
    this.closed = true;
    this.onClose(this.#reason);
  }
}
