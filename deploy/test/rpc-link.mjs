// Owns one WebSocket connection to execwire as a careful client uses it. Knows nothing of load, of retries, or of how many connections there are.
import WebSocket from 'ws';

/** Close codes by which the server says: what I have not answered, I have not executed (docs/protocol.md, "Drain"). */
const NOTHING_STARTED_CODES = new Set([1000, 1001, 1012]);
/** Milliseconds for an upgrade and `initialize`. */
const OPEN_TIMEOUT_MS = 10_000;

/**
 * What became of a request.
 * @typedef {{ kind: 'reply', result: any } | { kind: 'refused', error: any } | { kind: 'notStarted' } | { kind: 'unknown', code: number }} Outcome
 */

export class RpcLink {
  #socket;
  #waiting = new Map();
  #nextId = 1;
  #deltaListeners = new Map();
  /** The server has said that it is leaving: finish here, start elsewhere. */
  draining = false;
  closed = false;

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#onMessage(JSON.parse(data.toString())));
    socket.on('close', (code) => this.#onClose(code));
    socket.on('error', () => {});
  }

  /**
   * Opens and initializes a connection.
   * @param {string} url
   * @param {{ token?: string }} [options]
   * @returns {Promise<RpcLink>} rejects when the upgrade is refused, with the status in the message
   */
  static async open(url, { token } = {}) {
    const socket = new WebSocket(url, {
      handshakeTimeout: OPEN_TIMEOUT_MS,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    // Before the first await, or a first message could be missed.
    const link = new RpcLink(socket);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
    });
    const outcome = await link.request('initialize', { clientInfo: { name: 'deploy-test', version: '1' } });
    if (outcome.kind !== 'reply') {
      link.terminate();
      throw new Error(`initialize: ${outcome.kind}`);
    }
    link.#socket.send(JSON.stringify({ method: 'initialized' }));
    return link;
  }

  /**
   * @param {string} method
   * @param {object} params
   * @returns {Promise<Outcome>} never rejects
   */
  request(method, params) {
    if (this.closed || this.#socket.readyState !== WebSocket.OPEN) return Promise.resolve({ kind: 'notStarted' });
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /**
   * Runs a command to its end.
   * @param {object} params of command/exec
   * @param {(chunk: Buffer) => void} [onOutput] for streamed output
   * @returns {Promise<Outcome>}
   */
  async exec(params, onOutput) {
    if (onOutput !== undefined) this.#deltaListeners.set(params.processId, onOutput);
    const outcome = await this.request('command/exec', params);
    this.#deltaListeners.delete(params.processId);
    return outcome;
  }

  close() {
    this.#socket.close(1000);
  }

  terminate() {
    this.#socket.terminate();
  }

  #onMessage(message) {
    if (message.id !== undefined && message.id !== null) {
      const resolve = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      resolve?.(
        message.error === undefined
          ? { kind: 'reply', result: message.result }
          : { kind: 'refused', error: message.error },
      );
    } else if (message.method === 'command/exec/outputDelta') {
      this.#deltaListeners.get(message.params.processId)?.(Buffer.from(message.params.deltaBase64, 'base64'));
    } else if (message.method === 'server/draining') {
      this.draining = true;
    }
  }

  #onClose(code) {
    this.closed = true;
    const outcome = NOTHING_STARTED_CODES.has(code) ? { kind: 'notStarted' } : { kind: 'unknown', code };
    for (const resolve of this.#waiting.values()) resolve(outcome);
    this.#waiting.clear();
  }
}
