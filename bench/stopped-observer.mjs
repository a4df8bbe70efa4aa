// Measures the speed of a writer's stream alone and beside an observer that has stopped reading, in turn. Knows one server by its port.

import { RpcConnection } from './rpc-connection.mjs';
import { COMMAND_MARK } from './server-process.mjs';
import { medianInterval, ratiosInTurn } from './statistics.mjs';

const CAPABILITIES = { experimentalApi: true };
/** Written before the clock starts: more than the queues of a connection hold, so that an observer that does not read is stopped by then. */
const FIRST_BYTES = 32 * 1024 * 1024;

let keys = 0;

/** @param {number} bytes */
function params(bytes) {
  keys += 1;
  return {
    command: ['sh', '-c', `head -c ${FIRST_BYTES} /dev/zero; read go; exec head -c ${bytes} /dev/zero`],
    processId: 'writer',
    streamStdin: true,
    streamStdoutStderr: true,
    disableTimeout: true,
    disableOutputCap: true,
    sandboxPolicy: { type: 'dangerFullAccess' },
    env: { [COMMAND_MARK.name]: COMMAND_MARK.value },
    detachable: { key: `stopped-observer.${process.pid}.${keys}`, ttlMs: 0 },
  };
}

/**
 * @param {number} port @param {number} bytes @param {boolean} isObserved
 * @returns {Promise<number>} bytes a second
 */
async function measureOnce(port, bytes, isObserved) {
  const writer = await RpcConnection.open(port, CAPABILITIES);
  const observer = isObserved ? await RpcConnection.open(port, CAPABILITIES) : undefined;
  try {
    const start = params(bytes);
    let received = 0;
    let onFirst = () => {};
    /** @type {Promise<void>} */
    const first = new Promise((resolve) => {
      onFirst = resolve;
    });
    writer.watch(start.processId, (count) => {
      if (received === 0 && observer !== undefined) {
        observer
          .request('command/exec/attach', { processId: 'observer', key: start.detachable.key, role: 'observer' })
          .catch(() => {});
        observer.pause();
      }
      received += count;
      if (received === FIRST_BYTES) onFirst();
    });
    const end = writer.call('command/exec', start);
    await Promise.race([first, end]);
    const startedAtMs = performance.now();
    await writer.call('command/exec/write', { processId: start.processId, deltaBase64: 'Cg==' });
    await end;
    const seconds = (performance.now() - startedAtMs) / 1000;
    if (received !== FIRST_BYTES + bytes)
      throw new Error(`${received} bytes arrived, ${FIRST_BYTES + bytes} were written`);
    return bytes / seconds;
  } finally {
    observer?.destroy();
    await writer.close();
  }
}

/**
 * @param {number} port @param {{ bytes: number, rounds: number }} options
 * @returns {Promise<number[]>} for each round the speed beside a stopped observer divided by the speed alone
 */
export function stoppedObserverRatios(port, { bytes, rounds }) {
  return ratiosInTurn(
    () => measureOnce(port, bytes, false),
    () => measureOnce(port, bytes, true),
    rounds,
  );
}

/** The same as a median with the interval that holds the true one in 95 of 100 cases. @param {number} port @param {{ bytes: number, rounds: number }} options */
export async function measureStoppedObserver(port, options) {
  await stoppedObserverRatios(port, { ...options, rounds: 1 });
  return medianInterval(await stoppedObserverRatios(port, options));
}
