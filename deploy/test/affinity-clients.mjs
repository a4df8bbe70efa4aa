// Owns clients of execwire-client whose connections can be cut, each with one detachable command, and what became of that command. Knows a replica only
// by its `serverId`.
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { connect, ExecError, LostError, RpcError, UnknownOutcomeError } from '../../dist/client/node.js';
import { until } from '../../test/support/until.js';

/** Leaves one line in the replica's working directory, answers each line of input, and ends with its input. */
const SCRIPT = 'echo "$1" >> journal; echo ready; while read -r line; do echo "pong $line"; done';
const TTL_MS = 600_000;
/** Milliseconds between two rounds of new clients: the balancer has to see that a replica is back. */
const FILL_EVERY_MS = 100;
/** Milliseconds for an answer, on a very busy machine. */
const PATIENCE_MS = 60_000;

/**
 * One client with its command.
 * @typedef {object} AffinityCommand
 * @property {string} id
 * @property {object} box
 * @property {object} run
 * @property {string} serverId of the replica that runs it
 * @property {boolean} isLeft whether its client has gone
 * @property {string | undefined} end
 * @property {Promise<{ kind: string }>} fate `ended`, the name of the signal that ended it, `lost`, or `unknown`
 */

export class AffinityClients {
  /** @type {AffinityCommand[]} */
  commands = [];
  comebacks = { asked: 0, reached: 0 };
  #sockets = new Set();
  #url;
  #pings = 0;

  constructor(url) {
    this.#url = url;
  }

  /** Commands that run on one replica. */
  on(serverId) {
    return this.commands.filter((command) => command.serverId === serverId && command.end === undefined);
  }

  /** Starts so many clients with a command each. @returns {Promise<AffinityCommand[]>} */
  start(count) {
    return Promise.all(Array.from({ length: count }, () => this.#startOne()));
  }

  /** Starts clients until each of these replicas runs at least two commands. */
  async fill(serverIds) {
    await until('each replica has clients', async () => {
      if (serverIds.every((serverId) => this.on(serverId).length >= 2)) return true;
      await this.start(3);
      await delay(FILL_EVERY_MS);
      return false;
    });
  }

  /**
   * Cuts all connections at once, and asks each command for an answer.
   * @returns {Promise<{ reached: number, missed: AffinityCommand[] }>}
   */
  async cutAll() {
    for (const socket of [...this.#sockets]) socket.terminate();
    this.#pings += 1;
    const word = `ping-${this.#pings}`;
    const asked = this.commands.filter(({ end, isLeft }) => end === undefined && !isLeft);
    const missed = [];
    await Promise.all(
      asked.map(async (command) => {
        const { run, fate } = command;
        void run.write(`${word}\n`).catch(() => {});
        const answer = run.waitFor(`pong ${word}`, { timeout: PATIENCE_MS }).then(
          () => true,
          () => false,
        );
        if (!(await Promise.race([answer, fate.then(() => false)]))) missed.push(command);
      }),
    );
    this.comebacks.asked += asked.length;
    this.comebacks.reached += asked.length - missed.length;
    return { reached: asked.length - missed.length, missed };
  }

  /** Closes the client of a command on this replica. @returns {Promise<string>} the command's key */
  async leave(serverId) {
    const command = this.on(serverId).find(({ isLeft }) => !isLeft);
    command.isLeft = true;
    const { key } = await command.run.started;
    await command.box.close();
    return key;
  }

  /** Attaches with a client of its own. @returns {Promise<string>} the reason of the refusal */
  async refusalOf(key) {
    const box = await connect(this.#url, { key });
    try {
      await box.attach(key);
      return 'none';
    } catch (error) {
      return error instanceof RpcError ? error.reason : String(error);
    } finally {
      await box.close();
    }
  }

  /** Ends the input of every command that is left, and waits for its end. */
  async endAll() {
    const left = this.commands.filter(({ end, isLeft }) => end === undefined && !isLeft);
    await Promise.all(left.map(({ run, fate }) => run.end().then(() => fate)));
  }

  async close() {
    await Promise.all(this.commands.map(({ box }) => box.close()));
  }

  async #startOne() {
    const box = await connect(this.#url, {
      openSocket: (url, protocols) => {
        const socket = new WebSocket(url, protocols);
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
        return socket;
      },
    });
    const id = `affinity-${process.pid}-${this.commands.length}-${Math.random().toString(36).slice(2)}`;
    const run = box.exec(['sh', '-c', SCRIPT, 'sh', id], { detachable: { ttl: TTL_MS }, stdin: 'pipe' });
    const command = { id, box, run, serverId: '', isLeft: false, end: undefined };
    command.fate = fateOf(run).then((kind) => {
      command.end = kind;
      return { kind };
    });
    this.commands.push(command);
    await run.waitFor('ready', { timeout: PATIENCE_MS });
    command.serverId = box.serverId;
    return command;
  }
}

async function fateOf(run) {
  try {
    await run;
    return 'ended';
  } catch (error) {
    if (error instanceof ExecError) return error.signal ?? `exit code ${error.exitCode}`;
    if (error instanceof LostError) return 'lost';
    if (error instanceof UnknownOutcomeError) return 'unknown';
    return String(error);
  }
}
