// Owns a name server with a few IPv4 addresses that a test may change at any time. Knows no balancer.
import { createSocket } from 'node:dgram';

const HEADER_BYTES = 12;
/** Type A and class IN behind the name of a question (RFC 1035, 4.1.2). */
const TYPE_A = 1;
/** A pointer to the name of the question, type A, class IN, no time to live, four bytes. */
const ANSWER = [0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4];
const NO_SUCH_NAME = 3;

/** @param {Buffer} query @returns {{ name: string, type: number, end: number }} its question, and where that ends */
function questionOf(query) {
  const labels = [];
  let at = HEADER_BYTES;
  while (query[at] > 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
    at += 1 + query[at];
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** @param {Buffer} query @param {ReadonlyMap<string, string>} addresses */
function replyTo(query, addresses) {
  const { name, type, end } = questionOf(query);
  const address = addresses.get(name);
  const answer = address !== undefined && type === TYPE_A ? [...ANSWER, ...address.split('.').map(Number)] : [];
  const header = Buffer.from(query.subarray(0, HEADER_BYTES));
  // A reply of the server that owns the name, which also asks others.
  header.writeUInt16BE(0x8580 | (address === undefined ? NO_SUCH_NAME : 0), 2);
  header.writeUInt16BE(answer.length > 0 ? 1 : 0, 6);
  header.writeUInt32BE(0, 8);
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end), Buffer.from(answer)]);
}

/**
 * Answers on port 53 of 127.0.0.1.
 * @param {ReadonlyMap<string, string>} addresses by name; read at each question
 * @returns {Promise<() => void>} closes it
 */
export async function startNameServer(addresses) {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => socket.send(replyTo(query, addresses), from.port, from.address));
  await new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(53, '127.0.0.1', resolve);
  });
  return () => socket.close();
}
