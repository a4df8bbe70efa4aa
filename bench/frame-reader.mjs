// Finds WebSocket frames in a stream of chunks. Reads headers only: of a large payload it keeps the first and the last bytes, so
// that the measuring client costs next to nothing per byte. Knows nothing about JSON, sockets or what a frame means.

/** Payloads up to this many bytes are handed over whole; of larger ones only the two ends are kept. */
const WHOLE_LIMIT = 16 * 1024;
/** Bytes kept of the beginning of a large payload: longer than any `outputDelta` up to its base64. */
const HEAD_BYTES = 512;
/** Bytes kept of the end of a large payload: longer than anything behind the base64 of an `outputDelta`. */
const TAIL_BYTES = 256;
/** Longest header of an unmasked frame (RFC 6455, 5.2): two bytes and a 64-bit length. */
const MAX_HEADER = 10;

/**
 * @typedef {object} Frame Valid only during the callback: the views point into memory that is used again.
 * @property {number} opcode
 * @property {number} length Payload length in bytes.
 * @property {Buffer} head The whole payload when `whole`, else its first bytes.
 * @property {Buffer} tail The whole payload when `whole`, else its last bytes.
 * @property {boolean} whole
 */

/** Cuts chunks into frames. */
export class FrameReader {
  #header = Buffer.alloc(MAX_HEADER);
  #headerBytes = 0;
  #whole = Buffer.alloc(WHOLE_LIMIT);
  #head = Buffer.alloc(HEAD_BYTES);
  #tail = Buffer.alloc(TAIL_BYTES);
  #opcode = 0;
  /** Length of the payload that is being read over several chunks; -1 between frames. */
  #length = -1;
  #received = 0;
  #onFrame;

  /** @param {(frame: Frame) => void} onFrame */
  constructor(onFrame) {
    this.#onFrame = onFrame;
  }

  /** @param {Buffer} chunk Used only during the call. */
  push(chunk) {
    let at = 0;
    while (at < chunk.length) {
      at = this.#length >= 0 ? this.#continuePayload(chunk, at) : this.#startFrame(chunk, at);
    }
  }

  /** @param {Buffer} chunk @param {number} at @returns {number} */
  #startFrame(chunk, at) {
    let header = chunk;
    let start = at;
    let next = at;
    if (this.#headerBytes > 0 || chunk.length - at < MAX_HEADER) {
      // The header may be split: take what it needs byte by byte.
      while (next < chunk.length && this.#headerBytes < headerLength(this.#header, this.#headerBytes)) {
        this.#header[this.#headerBytes++] = chunk[next++];
      }
      if (this.#headerBytes < headerLength(this.#header, this.#headerBytes)) return next;
      header = this.#header;
      start = 0;
      this.#headerBytes = 0;
    } else {
      next += headerLength(chunk.subarray(at, at + 2), 2);
    }
    const first = header[start];
    const second = header[start + 1];
    if ((first & 0xf0) !== 0x80) throw new Error(`unexpected frame header byte 0x${first.toString(16)}`);
    if (second & 0x80) throw new Error('a server must not mask its frames');
    let length = second;
    if (second === 126) length = header.readUInt16BE(start + 2);
    else if (second === 127) length = header.readUInt32BE(start + 2) * 2 ** 32 + header.readUInt32BE(start + 6);
    const opcode = first & 0x0f;
    if (length <= chunk.length - next) {
      this.#emitFrom(opcode, chunk.subarray(next, next + length));
      return next + length;
    }
    this.#opcode = opcode;
    this.#length = length;
    this.#received = 0;
    return next;
  }

  /** @param {Buffer} chunk @param {number} at @returns {number} */
  #continuePayload(chunk, at) {
    const take = Math.min(this.#length - this.#received, chunk.length - at);
    const part = chunk.subarray(at, at + take);
    if (this.#length <= WHOLE_LIMIT) {
      part.copy(this.#whole, this.#received);
    } else {
      if (this.#received < HEAD_BYTES) part.copy(this.#head, this.#received);
      const tailStart = this.#length - TAIL_BYTES;
      const from = Math.max(tailStart - this.#received, 0);
      if (from < take) part.copy(this.#tail, this.#received + from - tailStart, from);
    }
    this.#received += take;
    if (this.#received === this.#length) this.#emitCollected();
    return at + take;
  }

  /** @param {number} opcode @param {Buffer} payload */
  #emitFrom(opcode, payload) {
    const length = payload.length;
    if (length <= WHOLE_LIMIT) this.#onFrame({ opcode, length, head: payload, tail: payload, whole: true });
    else {
      const head = payload.subarray(0, HEAD_BYTES);
      this.#onFrame({ opcode, length, head, tail: payload.subarray(length - TAIL_BYTES), whole: false });
    }
  }

  #emitCollected() {
    const length = this.#length;
    const opcode = this.#opcode;
    this.#length = -1;
    if (length <= WHOLE_LIMIT) this.#emitFrom(opcode, this.#whole.subarray(0, length));
    else this.#onFrame({ opcode, length, head: this.#head, tail: this.#tail, whole: false });
  }
}

/** @param {Buffer} header @param {number} known How many of its bytes are there. @returns {number} */
function headerLength(header, known) {
  if (known < 2) return 2;
  const length = header[1] & 0x7f;
  if (length === 126) return 4;
  return length === 127 ? 10 : 2;
}
