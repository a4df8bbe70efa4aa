// JSON-RPC over a RawConnection: requests by id, and bytes of output counted without decoding them. Knows no methods but the
// `outputDelta` notification and `initialize`.

import { FrameTemplate } from './frame-writer.mjs';
import { RawConnection } from './raw-client.mjs';

/** @typedef {import('./frame-reader.mjs').Frame} Frame */
/** @typedef {{ id?: number, result?: any, error?: { code: number, message: string } }} Reply */

/** A notification names its method within so many bytes. */
const METHOD_WITHIN = 64;
const METHOD_FIELD = Buffer.from('"method":"');
const DELTA_METHOD = Buffer.from('"command/exec/outputDelta"');
const DELTA_FIELD = Buffer.from('"deltaBase64":"');
const ID_FIELD = Buffer.from('"processId":"');
const QUOTE = 0x22;
const PADDING = 0x3d;

/** One connection that speaks JSON-RPC. */
export class RpcConnection {
  /** @type {Map<number, { resolve: (reply: Reply) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  /** @type {Map<string, (bytes: number) => void>} */
  #streams = new Map();
  #nextId = 1;
  #raw;
  /** Set to take every frame as it is, before anything else looks at it. @type {((frame: Frame) => void) | undefined} */
  onRawFrame;
  /** Why the connection ended. @type {string | undefined} */
  endedBecause;

  /** @param {RawConnection} raw */
  constructor(raw) {
    this.#raw = raw;
    raw.onFrame = (frame) => this.#receive(frame);
    raw.onClose = (reason) => {
      this.endedBecause = reason;
      for (const { reject } of this.#waiting.values()) reject(new Error(`connection lost: ${reason}`));
      this.#waiting.clear();
    };
  }

  /** Connects and initializes. @param {number} port @param {object} [capabilities] @returns {Promise<RpcConnection>} */
  static async open(port, capabilities) {
    const connection = new RpcConnection(await RawConnection.connect(port));
    const clientInfo = { name: 'bench', version: '1' };
    const reply = await connection.request('initialize', { clientInfo, ...(capabilities && { capabilities }) });
    if (reply.error) throw new Error(`initialize: ${reply.error.message}`);
    connection.#raw.sendText('{"jsonrpc":"2.0","method":"initialized"}');
    return connection;
  }

  /** @param {string} method @param {object} params @returns {Promise<Reply>} */
  request(method, params) {
    if (this.endedBecause) return Promise.reject(new Error(`connection lost: ${this.endedBecause}`));
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#raw.sendText(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  /** As `request`, but an error reply rejects. @param {string} method @param {object} params @returns {Promise<any>} */
  async call(method, params) {
    const reply = await this.request(method, params);
    if (reply.error) throw new Error(`${method}: ${reply.error.code} ${reply.error.message}`);
    return reply.result;
  }

  /** Calls `onBytes` with the number of bytes in each delta of that command. @param {string} processId @param {(bytes: number) => void} onBytes */
  watch(processId, onBytes) {
    this.#streams.set(processId, onBytes);
  }

  /** Sends frames of a template; the replies come to `onRawFrame`. @param {FrameTemplate} template @param {number} count */
  sendTemplate(template, count) {
    this.#raw.sendFrames(template.take(count));
  }

  /** @returns {Promise<void>} */
  close() {
    return this.#raw.close();
  }

  destroy() {
    this.#raw.destroy();
  }

  /** Stops reading. */
  pause() {
    this.#raw.pause();
  }

  /** @param {Frame} frame */
  #receive(frame) {
    if (this.onRawFrame) this.onRawFrame(frame);
    if (isDelta(frame)) this.#receiveDelta(frame);
    else if (this.#waiting.size > 0) this.#receiveReply(frame);
  }

  /** @param {Frame} frame */
  #receiveReply(frame) {
    if (!frame.whole) throw new Error(`a reply of ${frame.length} bytes is more than this client keeps`);
    /** @type {Reply} */
    const reply = JSON.parse(frame.head.toString());
    if (reply.id === undefined) return;
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    waiting?.resolve(reply);
  }

  /** @param {Frame} frame */
  #receiveDelta(frame) {
    const id = field(frame.head, ID_FIELD) ?? field(frame.tail, ID_FIELD);
    this.#streams.get(id ?? '')?.(deltaBytes(frame));
  }
}

/** @param {Frame} frame */
function isDelta(frame) {
  return frame.head.subarray(0, METHOD_WITHIN).indexOf(DELTA_METHOD) >= 0;
}

/** Whether a frame is not a reply; a server may send notifications at any time. @param {Frame} frame */
export function isNotification(frame) {
  return frame.head.subarray(0, METHOD_WITHIN).indexOf(METHOD_FIELD) >= 0;
}

/** @param {Buffer} bytes @param {Buffer} name @returns {string | undefined} */
function field(bytes, name) {
  const at = bytes.indexOf(name);
  if (at < 0) return undefined;
  const start = at + name.length;
  return bytes.toString('latin1', start, bytes.indexOf(QUOTE, start));
}

/** How many bytes a delta decodes to, from the length of its base64. @param {Frame} frame @returns {number} */
function deltaBytes(frame) {
  const at = frame.head.indexOf(DELTA_FIELD);
  if (at < 0) throw new Error('an outputDelta without deltaBase64 in its first bytes');
  const start = at + DELTA_FIELD.length;
  // Base64 has no quote: of a large payload, the first quote in its tail is the one that ends it.
  const endInTail = frame.whole ? frame.tail.indexOf(QUOTE, start) : frame.tail.indexOf(QUOTE);
  const length = frame.length - frame.tail.length + endInTail - start;
  if (endInTail < 0 || length % 4 !== 0) throw new Error(`base64 of ${length} characters`);
  if (length === 0) return 0;
  let padding = 0;
  while (frame.tail[endInTail - 1 - padding] === PADDING) padding++;
  return (length / 4) * 3 - padding;
}
