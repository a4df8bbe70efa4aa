// Makes hostile bytes below JSON: requests that are no good upgrade, and frames that break the WebSocket protocol. Opens no connection.

import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import type { Random } from '../support/seed.js';

/** One hostile connection. */
export interface RawScenario {
  readonly name: string;
  /** Written one after the other, each when the socket has taken the one before. */
  readonly chunks: readonly Buffer[];
  /** Whether the server must soon end the connection by itself, because the bytes cannot be right. */
  readonly mustClose: boolean;
}

/** What one frame is made of. The defaults make a good frame. */
interface FrameOptions {
  readonly fin?: boolean;
  /** The three reserved bits, 0 to 7. */
  readonly rsv?: number;
  readonly opcode: number;
  readonly payload?: Buffer;
  readonly masked?: boolean;
  /** A length that differs from the payload's. */
  readonly declaredLength?: bigint;
}

const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;

/** Bytes of a header that is far above the 16 KiB that Node accepts. */
const GIANT_HEADER_BYTES = 256 * 1024;

/** Bytes of zeros in the compression bomb; four times the largest message a server takes by default. */
const BOMB_BYTES = 64 * 1024 * 1024;

/** Bytes of white space in the largest messages that a server takes by default. */
const LARGE_BYTES = 15 * 1024 * 1024;

/** Frames. So many that the memory of a server grows visibly if it keeps something for each fragment. */
const ENDLESS_FRAGMENTS = 50_000;

/** An upgrade request up to and without its empty last line. */
function upgradeHead(extra = ''): string {
  const key = randomBytes(16).toString('base64');
  return (
    'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${extra}`
  );
}

/** A client's frame, right or wrong. */
export function frame(options: FrameOptions): Buffer {
  const { fin = true, rsv = 0, opcode, payload = Buffer.alloc(0), masked = true } = options;
  const length = options.declaredLength ?? BigInt(payload.length);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const maskBit = masked ? 0x80 : 0;
  let header: Buffer;
  if (length < 126n) {
    header = Buffer.from([first, maskBit | Number(length)]);
  } else if (length < 65_536n) {
    header = Buffer.from([first, maskBit | 126, 0, 0]);
    header.writeUInt16BE(Number(length), 2);
  } else {
    header = Buffer.from([first, maskBit | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.writeBigUInt64BE(length, 2);
  }
  if (!masked) return Buffer.concat([header, payload]);
  const mask = randomBytes(4);
  const body = Buffer.from(payload);
  for (let index = 0; index < body.length; index += 1) body[index] = (body[index] ?? 0) ^ (mask[index % 4] ?? 0);
  return Buffer.concat([header, mask, body]);
}

type MakeScenario = (random: Random) => Omit<RawScenario, 'name'>;

const text = (value: string) => Buffer.from(value, 'latin1');
const request =
  (value: string, mustClose = true): MakeScenario =>
  () => ({ chunks: [text(value)], mustClose });
const frames =
  (make: (random: Random) => readonly Buffer[], mustClose = true, extensions = ''): MakeScenario =>
  (random) => ({ chunks: [text(`${upgradeHead(extensions)}\r\n`), ...make(random)], mustClose });
const smallText = () => frame({ opcode: TEXT, payload: text('{}') });

/** Made once, when it is first needed, because compressing it takes longer than sending it. */
let bomb: Buffer | undefined;
function compressionBomb(): Buffer {
  bomb ??= deflateRawSync(Buffer.alloc(BOMB_BYTES));
  return bomb;
}

/** A small frame that inflates to a large message without a method. With compression a server must take it, and keep nothing of it. */
let inflating: Buffer | undefined;
function inflatingMessage(): Buffer {
  inflating ??= deflateRawSync(Buffer.concat([text('{}'), Buffer.alloc(LARGE_BYTES, ' ')]), {
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  // RFC 7692, 7.2.1: the empty block at the end is left out.
  return inflating.subarray(0, -4);
}

/** Every kind of hostile connection, by name. */
export const RAW_SCENARIOS: Readonly<Record<string, MakeScenario>> = {
  // Before the upgrade.
  'no HTTP at all': (random) => ({ chunks: [random.bytes(random.int(1, 2000)), text('\r\n\r\n')], mustClose: true }),
  'TLS to a plain port': () => ({
    chunks: [Buffer.concat([Buffer.from('16030100c8010000c40303', 'hex'), Buffer.alloc(190)])],
    mustClose: true,
  }),
  'giant header': request(`${upgradeHead()}X-Big: ${'x'.repeat(GIANT_HEADER_BYTES)}\r\n\r\n`),
  'many headers': request(`${upgradeHead()}${'X-Many: x\r\n'.repeat(20_000)}\r\n`),
  'giant path': request(`GET /${'x'.repeat(GIANT_HEADER_BYTES)} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
  'header with NUL': request(`${upgradeHead()}X-Nul: a\0b\r\n\r\n`),
  'length and chunks at once': request(
    'POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n',
  ),
  'unknown method': request('BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'wrong WebSocket version': request(`${upgradeHead().replace('Version: 13', 'Version: 12')}\r\n`),
  'bad WebSocket key': request(`${upgradeHead().replace(/Key: .*\r\n/, 'Key: x\r\n')}\r\n`),
  'upgrade of a health route': request(`${upgradeHead().replace('GET /', 'GET /healthz')}\r\n`),
  'upgrade on a malformed path': request(`${upgradeHead().replace('GET /', 'GET /%zz')}\r\n`),
  'upgrade for a foreign host': request(`${upgradeHead().replace('localhost', 'evil.example')}\r\n`),
  'upgrade from a foreign origin': request(`${upgradeHead('Origin: https://evil.example\r\n')}\r\n`),
  'tokens of every broken kind': (random) => ({
    chunks: [
      text(
        `${upgradeHead(
          random.pick([
            'Authorization: Bearer\r\n',
            `Authorization: Bearer ${'x'.repeat(9000)}\r\n`,
            'Authorization: Bearer a.b.c\r\n',
            'Authorization: Bearer eyJhbGciOiJub25lIn0.e30.\r\n',
            'Sec-WebSocket-Protocol: execwire.bearer.====\r\n',
            'Sec-WebSocket-Protocol: ,,,\r\n',
            'Sec-WebSocket-Protocol: execwire.v1, execwire.v1\r\n',
          ]),
        )}\r\n`,
      ),
    ],
    mustClose: false,
  }),
  'half an upgrade': (random) => ({ chunks: [text(upgradeHead().slice(0, random.int(1, 150)))], mustClose: false }),
  'upgrade byte by byte': () => ({ chunks: [...`${upgradeHead()}\r\n`].map(text), mustClose: false }),
  'upgrade after a request': request(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n${upgradeHead()}\r\n`),
  'many requests in one go': request(
    `${'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(500)}${upgradeHead()}\r\n`,
  ),
  // After it.
  'unmasked frame': frames(() => [frame({ opcode: TEXT, payload: text('{}'), masked: false })]),
  'reserved bits': frames((random) => [frame({ opcode: TEXT, rsv: random.int(1, 7), payload: text('{}') })]),
  'reserved opcode': frames((random) => [frame({ opcode: random.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) })]),
  'large ping': frames(() => [frame({ opcode: PING, payload: Buffer.alloc(126) })]),
  'ping in fragments': frames(() => [frame({ opcode: PING, fin: false })]),
  'continuation without a beginning': frames(() => [frame({ opcode: CONTINUATION, payload: text('{}') })]),
  'text inside fragments': frames(() => [frame({ opcode: TEXT, fin: false, payload: text('{') }), smallText()]),
  'length beyond 53 bits': frames(() => [frame({ opcode: TEXT, declaredLength: 2n ** 63n })]),
  'length beyond the bound': frames(() => [frame({ opcode: TEXT, declaredLength: 1n << 30n })]),
  'no UTF-8': frames(() => [frame({ opcode: TEXT, payload: Buffer.from([0x7b, 0xc0, 0x80, 0xff, 0x7d]) })]),
  'binary frame': frames((random) => [frame({ opcode: BINARY, payload: random.bytes(random.int(0, 500)) })]),
  'close of one byte': frames(() => [frame({ opcode: CLOSE, payload: Buffer.from([3]) })]),
  'close with a bad code': frames((random) => {
    const code = random.pick([0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535]);
    return [frame({ opcode: CLOSE, payload: Buffer.from([code >> 8, code & 0xff]) })];
  }),
  'frames after close': frames(() => [frame({ opcode: CLOSE }), smallText(), smallText()]),
  'declared and never sent': frames(() => [frame({ opcode: TEXT, declaredLength: 1_000_000n })], false),
  'endless fragments': frames(() => {
    const piece = frame({ opcode: CONTINUATION, fin: false, payload: text(' ') });
    return [
      frame({ opcode: TEXT, fin: false, payload: text('{') }),
      Buffer.concat(Array(ENDLESS_FRAGMENTS).fill(piece)),
    ];
  }, false),
  'endless empty fragments': frames(() => {
    const piece = frame({ opcode: CONTINUATION, fin: false });
    return [frame({ opcode: TEXT, fin: false }), Buffer.concat(Array(ENDLESS_FRAGMENTS).fill(piece))];
  }, false),
  'flood of pings': frames(
    () => [Buffer.concat(Array(2000).fill(frame({ opcode: PING, payload: Buffer.alloc(125) })))],
    false,
  ),
  'compression bomb': frames(
    () => [frame({ opcode: TEXT, rsv: 4, payload: compressionBomb() })],
    true,
    'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n',
  ),
  'messages that inflate up to the bound': frames(
    () => Array.from({ length: 2 }, () => frame({ opcode: TEXT, rsv: 4, payload: inflatingMessage() })),
    false,
    'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n',
  ),
  'random frames': frames((random) => [random.bytes(random.int(1, 4000))], false),
};

const NAMES = Object.keys(RAW_SCENARIOS);

/** The next hostile connection. Its kind depends only on the seed; masks and WebSocket keys differ each time, which does not matter. */
export function nextRawScenario(random: Random): RawScenario {
  const name = NAMES[random.int(0, NAMES.length - 1)] ?? '';
  const make = RAW_SCENARIOS[name];
  if (make === undefined) throw new Error('there are no raw scenarios');
  return { name, ...make(random) };
}

/** An upgrade request that never ends, for holding many connections open. */
export function halfOpenUpgrade(): Buffer {
  return text(upgradeHead('X-Waiting: '));
}
