// Owns HTTP probes: one request, one status. Knows nothing of what is probed.
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const DEFAULT_TIMEOUT_MS = 2000;
const POLL_MS = 50;

/**
 * @param {string} url
 * @param {{ timeoutMs?: number }} [options] default 2,000 ms
 * @returns {Promise<number>} the HTTP status; 0 when there was none. A new connection each time, as kubelet makes it.
 */
export function probe(url, { timeoutMs = DEFAULT_TIMEOUT_MS } = {}) {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: timeoutMs }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(0));
  });
}

/**
 * Polls until a status is seen.
 * @param {string} url
 * @param {number} status
 * @param {{ timeoutMs?: number }} [options] default 20,000 ms
 */
export async function waitForStatus(url, status, { timeoutMs = 20_000 } = {}) {
  const deadline = Date.now() + timeoutMs;
  let seen;
  do {
    seen = await probe(url);
    if (seen === status) return;
    await delay(POLL_MS);
  } while (Date.now() < deadline);
  throw new Error(`${url} answered ${seen}, not ${status}`);
}
