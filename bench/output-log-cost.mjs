// What the output log costs a plain stream: `node --import=tsx bench/output-log-cost.mjs`. Encodes deltas of 64 KiB as a connection gets them, once
// straight from the chunk and once through an `OutputLog` with one viewer and nothing to keep, in turn. Neither pipe nor socket takes part, so
// the share in a real stream is smaller still. Prints the ratio of the CPU times and its 95 % interval.
import { OutputLog } from '../src/commands/output/log.js';
import { Viewer } from '../src/commands/output/viewer.js';
import { DeltaEncoder } from '../src/dialects/command-exec/delta-encoder.js';
import { medianInterval, ratiosInTurn } from './statistics.mjs';

const CHUNK_BYTES = 64 * 1024;
const CHUNKS = 2_000;
const ROUNDS = 45;

const chunk = Buffer.alloc(CHUNK_BYTES, 'some text of a program\n');

/** Encodes each chunk, as the port of a connection does. */
class EncodingPort {
  isFull = false;
  takenOffset = 0;
  #encoder = new DeltaEncoder('p', 'stdout', { jsonrpc: false });

  /** @param {Buffer} bytes @param {number} offset @param {boolean} last */
  send(bytes, offset, last) {
    this.#encoder.encode(bytes, last, offset).onSent?.();
  }

  gap() {}
  whenWritable() {}
  forget() {}
}

/** @param {() => void} send @returns {number} microseconds of CPU, which other programs take nothing of */
function timeOf(send) {
  const before = process.cpuUsage();
  for (let count = 0; count < CHUNKS; count += 1) send();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function straight() {
  const port = new EncodingPort();
  let offset = 0;
  return timeOf(() => {
    port.send(chunk, offset, false);
    offset += chunk.length;
  });
}

function throughLog() {
  const log = new OutputLog({ capBytes: Number.POSITIVE_INFINITY });
  log.add(new Viewer({ port: new EncodingPort(), from: 0, isLossless: true, windowBytes: Number.POSITIVE_INFINITY }));
  return timeOf(() => log.take(chunk));
}

straight();
throughLog();
const { median, low, high } = medianInterval(await ratiosInTurn(straight, throughLog, ROUNDS));
const interval = `95 % between ${low.toFixed(4)} and ${high.toFixed(4)}`;
console.log(
  `through the log by straight: ${median.toFixed(4)} (${interval}), ${ROUNDS} rounds of ${CHUNKS} deltas of 64 KiB`,
);
