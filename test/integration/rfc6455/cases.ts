/**
 * A table of what a client may and may not send by RFC 6455, and what a server answers. Each message calls a method before `initialize`. The refusal
 * repeats its id, which shows that the text arrived whole. Knows no transport. Long because the RFC has many cases.
 */
import { deflateRawSync, constants as zlib } from 'node:zlib';
import { frame } from '../../fuzz/raw-frames.js';

/** One case. */
export interface Case {
  readonly name: string;
  /** Frames, or bytes that are no frame; sent unchanged. */
  readonly sends: readonly Buffer[];
  /** Ids that come back, in order. null for a text that is no request. Default none. */
  readonly ids?: readonly (string | null)[];
  /** Default none. */
  readonly pongs?: readonly string[];
  /** Code of the server's Close. Default none: the connection is still good afterwards. */
  readonly close?: number;
  /** Only with compression, or only without. Default both. */
  readonly compression?: boolean;
}

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const PROTOCOL_ERROR = 1002;
const NOT_UTF8 = 1007;
const NO_CODE = 1005;

/** Requests that take longer than one connection's share of a turn of the server's loop. */
const MANY = 800;

/** A request with that id, filled up to a length in bytes. */
function request(id: string, bytes = 0): Buffer {
  const text = JSON.stringify({ id, method: 'm' });
  return Buffer.from(text + ' '.repeat(Math.max(0, bytes - Buffer.byteLength(text))));
}

const text = (payload: Buffer, options: { fin?: boolean; rsv?: number } = {}): Buffer =>
  frame({ opcode: TEXT, payload, ...options });
const rest = (payload: Buffer, options: { fin?: boolean; rsv?: number } = {}): Buffer =>
  frame({ opcode: CONTINUATION, payload, ...options });
const ping = (payload = ''): Buffer => frame({ opcode: PING, payload: Buffer.from(payload, 'latin1') });

/** A message in pieces that end at these places. */
function fragments(payload: Buffer, ends: readonly number[], between: readonly Buffer[] = []): Buffer[] {
  const cuts = [...ends, payload.length];
  return cuts.flatMap((end, at) => {
    const piece = payload.subarray(cuts[at - 1] ?? 0, end);
    const fin = at === cuts.length - 1;
    return [at === 0 ? text(piece, { fin }) : rest(piece, { fin }), ...(fin ? [] : between)];
  });
}

function closeFrame(code?: number, reason: Buffer | string = ''): Buffer {
  if (code === undefined) return frame({ opcode: CLOSE });
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
  return frame({ opcode: CLOSE, payload });
}

const every = (length: number): number[] => Array.from({ length }, (_, at) => at + 1);
const many = <T>(values: readonly T[], make: (value: T) => Case): Case[] => values.map(make);

const good = request('a');
const other = text(request('b'));

const lengths: Case[] = many([125, 126, 127, 65_535, 65_536, 65_537, 300_000], (length) => ({
  name: `a text of ${length} bytes`,
  sends: [text(request('a', length)), other],
  ids: ['a', 'b'],
}));

const fragmentation: Case[] = [
  { name: 'a text in two fragments', sends: fragments(good, [7]), ids: ['a'] },
  { name: 'a text in fragments of one byte', sends: fragments(good, every(good.length - 1)), ids: ['a'] },
  { name: 'empty fragments first, between and last', sends: fragments(good, [0, 0, 9, 9, good.length]), ids: ['a'] },
  {
    name: 'a long text in fragments of unequal lengths',
    sends: fragments(request('a', 200_000), [125, 251, 65_786, 131_322]),
    ids: ['a'],
  },
  { name: 'a ping between fragments', sends: fragments(good, [3, 9], [ping('p')]), ids: ['a'], pongs: ['p', 'p'] },
  { name: 'an unasked pong between fragments', sends: fragments(good, [3], [frame({ opcode: PONG })]), ids: ['a'] },
  { name: 'a Close between fragments', sends: fragments(good, [3], [closeFrame(1000)]), close: 1000 },
  { name: 'a continuation without a beginning', sends: [rest(good), other], close: PROTOCOL_ERROR },
  {
    name: 'a continuation without a beginning that is not the last',
    sends: [rest(good, { fin: false }), other],
    close: PROTOCOL_ERROR,
  },
  { name: 'a continuation after a whole text', sends: [text(good), rest(good)], ids: ['a'], close: PROTOCOL_ERROR },
  { name: 'a text inside of a text', sends: [text(good, { fin: false }), other], close: PROTOCOL_ERROR },
  {
    name: 'a binary frame inside of a text',
    sends: [text(good, { fin: false }), frame({ opcode: BINARY })],
    close: PROTOCOL_ERROR,
  },
];

const control: Case[] = [
  { name: 'an empty ping', sends: [ping(), other], ids: ['b'], pongs: [''] },
  { name: 'a ping of 125 bytes', sends: [ping('x'.repeat(125)), other], ids: ['b'], pongs: ['x'.repeat(125)] },
  { name: 'a ping that is no text', sends: [ping('\xff\x00\xfe'), other], ids: ['b'], pongs: ['\xff\x00\xfe'] },
  { name: 'a ping of 126 bytes', sends: [ping('x'.repeat(126)), other], close: PROTOCOL_ERROR },
  { name: 'an unasked pong', sends: [frame({ opcode: PONG, payload: good }), other], ids: ['b'] },
  { name: 'a pong of 126 bytes', sends: [frame({ opcode: PONG, payload: Buffer.alloc(126) })], close: PROTOCOL_ERROR },
  ...many([PING, PONG, CLOSE], (opcode) => ({
    name: `a control frame of opcode ${opcode} that is a fragment`,
    sends: [frame({ opcode, fin: false }), rest(Buffer.alloc(0)), other],
    close: PROTOCOL_ERROR,
  })),
];

const reserved: Case[] = [
  ...many([1, 2, 3, 5, 6, 7], (rsv) => ({
    name: `reserved bits ${rsv.toString(2)} on a text`,
    sends: [text(good, { rsv }), other],
    close: PROTOCOL_ERROR,
  })),
  {
    name: 'the bit of compression on a text without it',
    sends: [text(good, { rsv: 4 })],
    close: PROTOCOL_ERROR,
    compression: false,
  },
  {
    name: 'the bit of compression on a continuation',
    sends: [text(good, { fin: false }), rest(good, { rsv: 4 })],
    close: PROTOCOL_ERROR,
  },
  ...many([1, 2, 4], (rsv) => ({
    name: `reserved bits ${rsv.toString(2)} on a ping`,
    sends: [frame({ opcode: PING, rsv }), other],
    close: PROTOCOL_ERROR,
  })),
  ...many([3, 4, 5, 6, 7, 11, 12, 13, 14, 15], (opcode) => ({
    name: `the reserved opcode ${opcode}`,
    sends: [frame({ opcode, payload: good }), other],
    close: PROTOCOL_ERROR,
  })),
  {
    name: 'a reserved opcode after a good text',
    sends: [text(good), frame({ opcode: 3 })],
    ids: ['a'],
    close: PROTOCOL_ERROR,
  },
  { name: 'a binary frame', sends: [frame({ opcode: BINARY, payload: good }), other], close: 1003 },
  {
    name: 'a binary message in fragments',
    sends: [frame({ opcode: BINARY, fin: false }), rest(good), other],
    close: 1003,
  },
  ...many([TEXT, BINARY, PING, CLOSE], (opcode) => ({
    name: `a frame of opcode ${opcode} without a mask`,
    sends: [frame({ opcode, masked: false }), other],
    close: PROTOCOL_ERROR,
  })),
  { name: 'a length beyond 63 bits', sends: [frame({ opcode: TEXT, declaredLength: 2n ** 63n + 5n })], close: 1009 },
  { name: 'a length beyond 53 bits', sends: [frame({ opcode: TEXT, declaredLength: 2n ** 53n })], close: 1009 },
  { name: 'a length beyond the bound', sends: [frame({ opcode: TEXT, declaredLength: 2n ** 24n + 1n })], close: 1009 },
];

const goodCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const badCodes = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

const closing: Case[] = [
  ...many(goodCodes, (code) => ({ name: `a Close of ${code}`, sends: [closeFrame(code)], close: code })),
  ...many(badCodes, (code) => ({
    name: `a Close of ${code}, which is not allowed`,
    sends: [closeFrame(code)],
    close: PROTOCOL_ERROR,
  })),
  { name: 'a Close without a code', sends: [closeFrame()], close: NO_CODE },
  { name: 'a Close of one byte', sends: [frame({ opcode: CLOSE, payload: Buffer.from([3]) })], close: PROTOCOL_ERROR },
  { name: 'a Close with a reason', sends: [closeFrame(1000, 'üöä€𝄞')], close: 1000 },
  { name: 'a Close with the longest reason', sends: [closeFrame(1000, 'x'.repeat(123))], close: 1000 },
  { name: 'a Close with a reason that is too long', sends: [closeFrame(1000, 'x'.repeat(124))], close: PROTOCOL_ERROR },
  {
    name: 'a Close with a reason that is no UTF-8',
    sends: [closeFrame(1000, Buffer.from([0xce, 0xba, 0xff]))],
    close: NOT_UTF8,
  },
  { name: 'a Close right after a request', sends: [text(good), closeFrame(1000)], ids: ['a'], close: 1000 },
  {
    name: 'a Close right after many requests',
    sends: [...Array(MANY).fill(text(good)), closeFrame(1001)],
    ids: Array(MANY).fill('a'),
    close: 1001,
  },
  { name: 'a Close after a ping', sends: [ping('p'), closeFrame(1000)], pongs: ['p'], close: 1000 },
  { name: 'requests and a ping after a Close', sends: [closeFrame(1000), other, ping('p'), other], close: 1000 },
  { name: 'two Closes', sends: [closeFrame(1000), closeFrame(1001)], close: 1000 },
  {
    name: "requests and a Close after the server's Close",
    sends: [frame({ opcode: BINARY }), other, closeFrame(1000), other],
    close: 1003,
  },
  {
    name: 'a Close right after a frame that breaks the protocol',
    sends: [frame({ opcode: 3 }), closeFrame(1000)],
    close: PROTOCOL_ERROR,
  },
];

/** The first and last characters of each length in UTF-8, and those next to excluded ranges. */
const edges = [
  '\u007f',
  '\u0080',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\ue000',
  '\ufffd',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
];
const κόσμε = 'κόσμε';

function idFragments(id: string): Case[] {
  const payload = request(id);
  const from = payload.indexOf(Buffer.from(id));
  const bytes = Buffer.byteLength(id);
  const inside = Array.from({ length: bytes }, (_, at) => from + at);
  return [
    { name: `${JSON.stringify(id)} cut at each of its bytes`, sends: fragments(payload, inside), ids: [id] },
    { name: `${JSON.stringify(id)} in one frame`, sends: [text(payload)], ids: [id] },
  ];
}

const wrongUtf8: readonly [name: string, hex: string][] = [
  ['a continuation alone', '80'],
  ['a start alone', 'c3'],
  ['an overlong slash of two bytes', 'c0af'],
  ['an overlong slash of three bytes', 'e080af'],
  ['an overlong slash of four bytes', 'f08080af'],
  ['the largest overlong of two bytes', 'c1bf'],
  ['the largest overlong of three bytes', 'e09fbf'],
  ['the first surrogate', 'eda080'],
  ['the last surrogate', 'edbfbf'],
  ['a pair of surrogates', 'eda080edb080'],
  ['the first beyond Unicode', 'f4908080'],
  ['a start of five bytes', 'f888808080'],
  ['a start of six bytes', 'fc8480808080'],
  ['FE', 'fe'],
  ['FF', 'ff'],
  ['three of four bytes', 'f09d84'],
];

const utf8: Case[] = [
  ...edges.flatMap(idFragments),
  ...idFragments(κόσμε),
  { name: 'an empty text', sends: [text(Buffer.alloc(0)), other], ids: [null, 'b'] },
  {
    name: 'a byte order mark',
    sends: [text(Buffer.concat([Buffer.from('efbbbf', 'hex'), good])), other],
    ids: [null, 'b'],
  },
  ...wrongUtf8.flatMap(([name, hex]): Case[] => {
    const wrong = Buffer.concat([Buffer.from('{"id":"'), Buffer.from(hex, 'hex'), Buffer.from('"}')]);
    return [
      { name: `${name} in UTF-8`, sends: [text(wrong), other], close: NOT_UTF8 },
      { name: `${name} in UTF-8, in fragments`, sends: [...fragments(wrong, [8]), other], close: NOT_UTF8 },
    ];
  }),
  { name: 'a text that ends within a character', sends: [text(Buffer.from([0xe2, 0x82])), other], close: NOT_UTF8 },
  {
    name: 'a message that ends within a character',
    sends: fragments(Buffer.from('"\u20ac').subarray(0, 3), [2]),
    close: NOT_UTF8,
  },
];

/** A compressed message; the empty block at its end is left out. @see RFC 7692 section 7.2.1 */
function deflated(payload: Buffer): Buffer {
  return deflateRawSync(payload, { finishFlush: zlib.Z_SYNC_FLUSH }).subarray(0, -4);
}

const small = deflated(good);
const large = deflated(request('a', 200_000));
const compressed: Case[] = [
  { name: 'a compressed text', sends: [text(small, { rsv: 4 }), other], ids: ['a', 'b'] },
  { name: 'a compressed text that inflates to much', sends: [text(large, { rsv: 4 }), other], ids: ['a', 'b'] },
  { name: 'two compressed texts', sends: [text(small, { rsv: 4 }), text(small, { rsv: 4 })], ids: ['a', 'a'] },
  {
    name: 'a compressed text in fragments with a ping between',
    sends: [text(small.subarray(0, 5), { rsv: 4, fin: false }), ping('p'), rest(small.subarray(5))],
    ids: ['a'],
    pongs: ['p'],
  },
  {
    name: 'a compressed text right before a Close',
    sends: [text(small, { rsv: 4 }), closeFrame(1000)],
    ids: ['a'],
    close: 1000,
  },
  {
    name: 'a compressed text that is no deflate stream',
    sends: [text(Buffer.from('ffffffff', 'hex'), { rsv: 4 }), other],
    close: NOT_UTF8,
  },
  {
    name: 'a compressed text that is no UTF-8',
    sends: [text(deflated(Buffer.from([0xc0, 0xaf])), { rsv: 4 }), other],
    close: NOT_UTF8,
  },
  {
    name: 'a compressed text that inflates beyond the bound',
    sends: [text(deflated(Buffer.alloc(17 * 1024 * 1024)), { rsv: 4 })],
    close: 1009,
  },
].map((one) => ({ ...one, compression: true }));

/** All cases. */
export const CASES: readonly Case[] = [
  ...lengths,
  ...fragmentation,
  ...control,
  ...reserved,
  ...closing,
  ...utf8,
  ...compressed,
];

/** Requests whose replies have the lengths at which a frame's header changes its form. @param overhead bytes of the reply to an empty id */
export function repliesOfLength(overhead: number): readonly (Case & { length: number })[] {
  return [125, 126, 127, 65_535, 65_536, 65_537].map((length) => {
    const id = 'x'.repeat(length - overhead);
    return { name: `a reply of ${length} bytes`, sends: [text(request(id)), other], ids: [id, 'b'], length };
  });
}
