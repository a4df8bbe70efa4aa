// Builds masked client frames. Knows nothing about sockets or JSON-RPC.

/**
 * One mask for all frames, so that a payload can be masked once and sent often. Not zero: servers skip the unmasking of a zero mask,
 * and that would measure less than the work of a real client.
 */
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export const OPCODE = { text: 0x1, close: 0x8, ping: 0x9, pong: 0xa };

/** @param {number} opcode @param {Buffer} payload @returns {Buffer} */
export function buildFrame(opcode, payload) {
  const header = payload.length < 126 ? 6 : payload.length < 65536 ? 8 : 14;
  const frame = Buffer.allocUnsafe(header + payload.length);
  frame[0] = 0x80 | opcode;
  if (header === 6) frame[1] = 0x80 | payload.length;
  else if (header === 8) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(payload.length, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  MASK.copy(frame, header - 4);
  for (let i = 0; i < payload.length; i++) frame[header + i] = payload[i] ^ MASK[i & 3];
  return frame;
}

/** Digits of a templated id: fixed, so that every frame of a template has the same length. */
const ID_DIGITS = 9;
const FIRST_ID = 100_000_000;

/** A request that is masked once and sent with one id after the other. */
export class FrameTemplate {
  #frame;
  #idAt;
  #maskAt;
  #nextId = FIRST_ID;

  /** @param {string} method @param {object} params */
  constructor(method, params) {
    const text = `{"jsonrpc":"2.0","id":${FIRST_ID},"method":${JSON.stringify(method)},"params":${JSON.stringify(params)}}`;
    const payload = Buffer.from(text);
    this.#frame = buildFrame(OPCODE.text, payload);
    const idInPayload = text.indexOf(String(FIRST_ID));
    this.#idAt = this.#frame.length - payload.length + idInPayload;
    this.#maskAt = idInPayload;
  }

  get length() {
    return this.#frame.length;
  }

  /** `count` frames with the next ids, in a new Buffer. @param {number} count @returns {Buffer} */
  take(count) {
    const batch = Buffer.allocUnsafe(this.#frame.length * count);
    for (let n = 0; n < count; n++) {
      const at = n * this.#frame.length;
      this.#frame.copy(batch, at);
      let id = this.#nextId++;
      for (let digit = ID_DIGITS - 1; digit >= 0; digit--) {
        batch[at + this.#idAt + digit] = (48 + (id % 10)) ^ MASK[(this.#maskAt + digit) & 3];
        id = Math.floor(id / 10);
      }
    }
    return batch;
  }
}
