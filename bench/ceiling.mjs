// Measures how fast the measuring client itself is: it takes frames from a sender that does no work. A server's figures must be well below; otherwise
// the client was measured.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { pipelineRequests } from './cases/requests.mjs';
import { RpcConnection } from './rpc-connection.mjs';
import { within } from './statistics.mjs';

const SENDER = fileURLToPath(new URL('./ceiling-sender.mjs', import.meta.url));
const LIMIT_MS = 20_000;
const REQUESTS = 64_000;
/** Bytes of output that the sender frames in all. */
const STREAM_BYTES = 1024 ** 3;

/**
 * @typedef {object} Ceiling
 * @property {number} largeFramesMbPerSecond Decoded bytes in deltas of 64 KiB.
 * @property {number} smallFramesMbPerSecond Decoded bytes in deltas of 4 KiB, the size of a PTY read.
 * @property {number} requestsPerSecond
 */

/** @returns {Promise<Ceiling>} */
export async function measureCeiling() {
  return {
    largeFramesMbPerSecond: await within(streamRate(64 * 1024), LIMIT_MS, 'the self-check'),
    smallFramesMbPerSecond: await within(streamRate(4 * 1024), LIMIT_MS, 'the self-check'),
    requestsPerSecond: await within(requestRate(), LIMIT_MS, 'the self-check'),
  };
}

/** @template T @param {string[]} values @param {(connection: RpcConnection) => Promise<T>} use @returns {Promise<T>} */
async function withSender(values, use) {
  const sender = spawn(process.execPath, [SENDER, ...values], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const port = await new Promise((resolve, reject) => {
      sender.once('error', reject);
      sender.stdout.once('data', (data) => resolve(Number(data)));
    });
    const connection = await RpcConnection.open(port);
    return await use(connection).finally(() => connection.destroy());
  } finally {
    sender.kill('SIGKILL');
  }
}

/** @param {number} deltaBytes @returns {Promise<number>} decoded MB/s */
function streamRate(deltaBytes) {
  return withSender(['stream', String(deltaBytes), String(STREAM_BYTES)], (connection) => {
    let bytes = 0;
    const start = performance.now();
    return new Promise((resolve) => {
      connection.watch('p', (count) => {
        bytes += count;
        if (bytes >= STREAM_BYTES) resolve(bytes / 1e6 / ((performance.now() - start) / 1000));
      });
      connection.request('start', {}).catch(() => {});
    });
  });
}

/** @returns {Promise<number>} requests per second */
function requestRate() {
  return withSender(['answer'], async (connection) => REQUESTS / (await pipelineRequests(connection, REQUESTS)));
}
