/** A WebSocket client that writes given bytes, keeps what it receives, and checks each frame against RFC 6455. Knows no case. */
import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { inflateRawSync, constants as zlib } from 'node:zlib';

/** Where a server listens. */
export type Target = { readonly port: number; readonly secure: boolean } | { readonly path: string };

/** What came from the server. */
export interface Received {
  /** Text messages, put together and inflated. */
  readonly texts: string[];
  /** Payload bytes of the frames that began them, as they were on the wire. */
  readonly lengths: number[];
  readonly pongs: string[];
  /** Code of the Close; 1005 for one without a code, undefined for none. */
  close: number | undefined;
  /** What a server must never send. */
  readonly faults: string[];
}

const CONTINUATION = 0;
const TEXT = 1;
const CLOSE = 8;
const PONG = 10;
const NO_CODE = 1005;

/** One connection. */
export class RawWebSocket {
  readonly socket: Socket;
  readonly received: Received = { texts: [], lengths: [], pongs: [], close: undefined, faults: [] };
  /** The server has ended the TCP connection. */
  readonly ended: Promise<void>;
  #bytes = Buffer.alloc(0);
  #message: { parts: Buffer[]; compressed: boolean } | undefined;
  #onFrame: () => void = () => {};
  #isOver = false;

  private constructor(socket: Socket, rest: Buffer) {
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      const over = (): void => {
        this.#isOver = true;
        this.#onFrame();
        resolve();
      };
      socket.once('end', over).once('close', over);
    });
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#take(rest);
  }

  /** Upgrades. @param offer of extensions; the server must take it exactly when there is one */
  static async open(target: Target, offer = ''): Promise<RawWebSocket> {
    const socket =
      'path' in target
        ? connectTcp(target.path)
        : target.secure
          ? connectTls({ port: target.port, host: '127.0.0.1', rejectUnauthorized: false })
          : connectTcp(target.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.setNoDelay(true);
    const extensions = offer === '' ? '' : `Sec-WebSocket-Extensions: ${offer}\r\n`;
    socket.write(
      `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extensions}\r\n`,
    );
    let head = Buffer.alloc(0);
    while (!head.includes('\r\n\r\n')) head = Buffer.concat([head, (await once(socket, 'data'))[0] as Buffer]);
    const end = head.indexOf('\r\n\r\n') + 4;
    const answer = head.toString('latin1', 0, end);
    if (!/^HTTP\/1\.1 101 /.test(answer)) throw new Error(answer);
    if (/sec-websocket-extensions/i.test(answer) !== (offer !== '')) throw new Error(`other extensions: ${answer}`);
    if (!/sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i.test(answer)) throw new Error(`wrong key: ${answer}`);
    return new RawWebSocket(socket, head.subarray(end));
  }

  /** Resolves once this holds, or the server has ended the connection. */
  async until(holds: (received: Received) => boolean): Promise<void> {
    while (!holds(this.received) && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#onFrame = resolve;
      });
    }
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#takeFrame());
    this.#onFrame();
  }

  #takeFrame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const second = bytes[1] ?? 0;
    const form = second & 0x7f;
    const headerBytes = form === 127 ? 10 : form === 126 ? 4 : 2;
    if (bytes.length < headerBytes) return false;
    const length = form === 127 ? Number(bytes.readBigUInt64BE(2)) : form === 126 ? bytes.readUInt16BE(2) : form;
    if (bytes.length < headerBytes + length) return false;
    this.#bytes = bytes.subarray(headerBytes + length);
    const shortest = length > 0xffff ? 127 : length > 125 ? 126 : length;
    this.#check(form === shortest, `a length of ${length} in the form ${form}`);
    this.#check((second & 0x80) === 0, 'a masked frame');
    this.#frame(bytes[0] ?? 0, bytes.subarray(headerBytes, headerBytes + length));
    return true;
  }

  #frame(first: number, payload: Buffer): void {
    const { received } = this;
    const opcode = first & 0x0f;
    const isFinal = (first & 0x80) !== 0;
    this.#check(received.close === undefined, `a frame of opcode ${opcode} after a Close`);
    this.#check((first & 0x30) === 0, 'a reserved bit');
    this.#check((first & 0x40) === 0 || opcode === TEXT, `a compressed frame of opcode ${opcode}`);
    if (opcode >= CLOSE) this.#check(isFinal && payload.length <= 125, `a control frame of ${payload.length} bytes`);
    if (opcode === TEXT) {
      this.#check(this.#message === undefined, 'a text inside of a text');
      received.lengths.push(payload.length);
      this.#message = { parts: [], compressed: (first & 0x40) !== 0 };
    }
    if (opcode === TEXT || opcode === CONTINUATION) this.#data(payload, isFinal);
    else if (opcode === PONG) received.pongs.push(payload.toString('latin1'));
    else if (opcode === CLOSE) this.#close(payload);
    else if (opcode !== 9) this.#check(false, `opcode ${opcode}`);
  }

  #data(payload: Buffer, isFinal: boolean): void {
    const message = this.#message;
    if (message === undefined) {
      this.#check(false, 'a continuation without a beginning');
      return;
    }
    message.parts.push(payload);
    if (!isFinal) return;
    this.#message = undefined;
    const whole = Buffer.concat(message.parts);
    const text = message.compressed ? inflate(whole) : whole;
    this.#check(isUtf8(text), 'a text that is no UTF-8');
    this.received.texts.push(text.toString());
  }

  #close(payload: Buffer): void {
    this.#check(payload.length !== 1, 'a Close of one byte');
    this.#check(isUtf8(payload.subarray(2)), 'a reason that is no UTF-8');
    this.received.close = payload.length === 0 ? NO_CODE : payload.readUInt16BE(0);
  }

  #check(holds: boolean, fault: string): void {
    if (!holds) this.received.faults.push(fault);
  }
}

/** Without context takeover each message is compressed by itself; the empty block at its end is left out. @see RFC 7692 section 7.2.2 */
function inflate(payload: Buffer): Buffer {
  return inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]), { finishFlush: zlib.Z_SYNC_FLUSH });
}
