// The commands that the cases run, and the parameters for them. All servers get the same ones.

import { COMMAND_MARK } from './server-process.mjs';

/** @typedef {import('./rpc-connection.mjs').RpcConnection} RpcConnection */

/** The container is the sandbox for execwire; the reference runs commands unconfined only when told so. */
export const NO_SANDBOX = { type: 'dangerFullAccess' };

/** For commands that are measured over a longer time: no limits, and a mark that distinguishes them from the server's own processes. */
const LONG_RUNNING = {
  disableTimeout: true,
  disableOutputCap: true,
  streamStdoutStderr: true,
  sandboxPolicy: NO_SANDBOX,
  env: { [COMMAND_MARK.name]: COMMAND_MARK.value },
};

/** The method of a request that every server answers at once: an unknown `processId`, refused with -32600. */
export const CHEAP_METHOD = 'command/exec/terminate';
export const CHEAP_PARAMS = { processId: 'nobody' };
export const CHEAP_CODE = -32600;

let nextId = 1;
/** @param {string} prefix */
export function freshId(prefix) {
  return `${prefix}-${nextId++}`;
}

/** @param {RpcConnection} connection */
export async function cheapRequest(connection) {
  const reply = await connection.request(CHEAP_METHOD, CHEAP_PARAMS);
  if (reply.error?.code !== CHEAP_CODE) throw new Error(`unexpected reply ${JSON.stringify(reply)}`);
}

/** @param {RpcConnection} connection @param {object} [sandboxPolicy] */
export async function runTrue(connection, sandboxPolicy = NO_SANDBOX) {
  const result = await connection.call('command/exec', { command: ['/bin/true'], sandboxPolicy });
  // If the reference cannot make its sandbox, it says so on standard error.
  if (result.exitCode !== 0) throw new Error(`/bin/true exited ${result.exitCode} ${result.stderr.trim()}`);
}

/** @param {RpcConnection} connection */
export async function runTrueInTerminal(connection) {
  const params = { command: ['/bin/true'], sandboxPolicy: NO_SANDBOX, tty: true, streamStdoutStderr: true };
  const result = await connection.call('command/exec', { ...params, processId: freshId('true') });
  if (result.exitCode !== 0) throw new Error(`/bin/true exited ${result.exitCode}`);
}

/**
 * Streams a command's output to its end and counts it.
 * @param {RpcConnection} connection @param {string[]} command @param {{ tty: boolean, expected: number }} options
 * @returns {Promise<{ seconds: number }>}
 */
export async function streamToEnd(connection, command, { tty, expected }) {
  const processId = freshId('stream');
  let bytes = 0;
  connection.watch(processId, (count) => {
    bytes += count;
  });
  const start = performance.now();
  const result = await connection.call('command/exec', { ...LONG_RUNNING, command, processId, tty });
  const seconds = (performance.now() - start) / 1000;
  if (result.exitCode !== 0) throw new Error(`${command.join(' ')} exited ${result.exitCode}`);
  if (bytes !== expected) throw new Error(`${bytes} bytes arrived, ${expected} were written`);
  return { seconds };
}

/** A command that writes as fast as it is read, until its connection closes. */
export class Flood {
  bytes = 0;
  #connection;

  /** @param {RpcConnection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** Resolves once it flows. @param {RpcConnection} connection @returns {Promise<Flood>} */
  static start(connection) {
    /** Bytes after which the first pause for a full socket is over. */
    const flowing = 32 * 1024 * 1024;
    const processId = freshId('flood');
    const flood = new Flood(connection);
    return new Promise((resolve, reject) => {
      connection.watch(processId, (count) => {
        flood.bytes += count;
        if (flood.bytes >= flowing) resolve(flood);
      });
      connection
        .call('command/exec', { ...LONG_RUNNING, command: ['cat', '/dev/zero'], processId })
        .then((result) => reject(new Error(`the flood ended with ${result.exitCode}`)))
        .catch(reject);
    });
  }

  /** Throws when it has stopped, because figures measured beside it are worthless then. */
  check() {
    if (this.#connection.endedBecause) throw new Error(`the flood was cut off: ${this.#connection.endedBecause}`);
  }
}

/** A terminal that sends back each key at once: `cat` with the line discipline in raw mode. */
export class EchoTerminal {
  /** @type {((error?: Error) => void) | undefined} */
  #onByte;
  #connection;
  #processId = freshId('echo');

  /** @param {RpcConnection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** Resolves once `cat` is about to start. @param {RpcConnection} connection @returns {Promise<EchoTerminal>} */
  static async open(connection) {
    const terminal = new EchoTerminal(connection);
    const ready = terminal.#nextByte();
    connection.watch(terminal.#processId, () => terminal.#onByte?.());
    connection
      .call('command/exec', {
        ...LONG_RUNNING,
        command: ['sh', '-c', 'stty raw -echo; printf R; exec cat'],
        processId: terminal.#processId,
        tty: true,
      })
      .then((result) => terminal.#onByte?.(new Error(`the terminal ended with ${result.exitCode}`)))
      .catch((error) => terminal.#onByte?.(error));
    await ready;
    return terminal;
  }

  /** Types a key, and waits for its echo and for the reply to `write`. @returns {Promise<number>} milliseconds to the echo */
  async key() {
    const start = performance.now();
    const echo = this.#nextByte().then(() => performance.now() - start);
    const written = this.#connection.call('command/exec/write', { processId: this.#processId, deltaBase64: 'eA==' });
    const [ms] = await Promise.all([echo, written]);
    return ms;
  }

  /** @returns {Promise<void>} */
  #nextByte() {
    return new Promise((resolve, reject) => {
      this.#onByte = (error) => (error ? reject(error) : resolve());
    });
  }
}
