// Starts a server from a command line, waits until it is ready, says what it costs, and ends it with all it left behind. Knows
// nothing about the protocol beyond /readyz and `RpcConnection.open`.

import { spawn } from 'node:child_process';
import net from 'node:net';
import { cpuBetween, cpuTime, descendants, hasEnvironment, memory, startTime } from './proc.mjs';
import { RpcConnection } from './rpc-connection.mjs';
import { pause } from './statistics.mjs';

/** In the environment of commands that the benchmark runs for longer, so that they are not taken for parts of the server. */
export const COMMAND_MARK = { name: 'BENCH_COMMAND', value: '1' };

const READY_LIMIT_MS = 20_000;
/** Pause between two attempts to reach /readyz: the resolution of the start time. */
const READY_POLL_MS = 1;
/** Time for a server to end after SIGTERM, and again after a second one. */
const TERM_GRACE_MS = 1_500;
/** Characters of stderr that are kept for the message when a server does not start. */
const STDERR_KEPT = 4_000;

/** @type {Set<ServerProcess>} */
const live = new Set();

/** Ends every server at once, by pid, with all its descendants. For the end of the process. */
export function killAllServers() {
  for (const server of live) server.kill();
}

/** @returns {Promise<number>} a port that was free a moment ago. */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** @param {number} port @returns {Promise<boolean>} whether /readyz answered 200. */
function ready(port) {
  return new Promise((resolve) => {
    // From another address: while nothing listens, a socket may otherwise be connected to itself.
    const socket = net.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
    socket.setNoDelay(true);
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
    socket.on('data', (data) => {
      resolve(data.toString('latin1', 0, 12) === 'HTTP/1.1 200');
      socket.destroy();
    });
    socket.write(`GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
  });
}

/** A running server. */
export class ServerProcess {
  /** Milliseconds from spawn to the first /readyz 200. */
  readyMs = 0;
  /** @type {RpcConnection[]} */
  #connections = [];
  #stderr = '';
  #exited = false;
  /** @type {Promise<void>} */
  #exit;
  #child;

  /** @param {string} command @param {number} port */
  constructor(command, port) {
    this.port = port;
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OTEL_')));
    // `exec env` leaves one process with the pid we know, and lets a command begin with NAME=value.
    this.#child = spawn('/bin/sh', ['-c', `exec env ${command.replaceAll('{port}', String(port))}`], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    this.#child.stderr?.on('data', (data) => {
      if (this.#stderr.length < STDERR_KEPT) this.#stderr += data;
    });
    this.#exit = new Promise((resolve) => {
      this.#child.once('exit', () => {
        this.#exited = true;
        live.delete(this);
        resolve();
      });
      this.#child.once('error', () => resolve());
    });
    live.add(this);
  }

  /** Starts a server and waits for its first /readyz 200. @param {string} command with `{port}` in it @returns {Promise<ServerProcess>} */
  static async start(command) {
    const port = await freePort();
    const started = performance.now();
    const server = new ServerProcess(command, port);
    while (!(await ready(port))) {
      if (server.#exited) throw new Error(`the server ended before it was ready: ${server.#stderr.trim()}`);
      if (performance.now() - started > READY_LIMIT_MS) {
        server.kill();
        throw new Error(`no /readyz 200 within ${READY_LIMIT_MS / 1000} s: ${server.#stderr.trim()}`);
      }
      await pause(READY_POLL_MS);
    }
    server.readyMs = performance.now() - started;
    return server;
  }

  get pid() {
    return this.#child.pid ?? 0;
  }

  /** A connection, initialized; closed by `stop`. @param {object} [capabilities] @returns {Promise<RpcConnection>} */
  async connect(capabilities) {
    const connection = await RpcConnection.open(this.port, capabilities);
    this.#connections.push(connection);
    return connection;
  }

  /** As many, 50 at a time. @param {number} count @param {object} [capabilities] @returns {Promise<RpcConnection[]>} */
  async connectMany(count, capabilities) {
    /** @type {RpcConnection[]} */
    const all = [];
    while (all.length < count) {
      all.push(
        ...(await Promise.all(
          Array.from({ length: Math.min(50, count - all.length) }, () => this.connect(capabilities)),
        )),
      );
    }
    return all;
  }

  /** Call the result for the CPU seconds used since: helper processes of the server included, its commands not. @returns {() => number} */
  startCpuClock() {
    const from = this.#cpuTime();
    return () => cpuBetween(from, this.#cpuTime());
  }

  #cpuTime() {
    const sum = { whole: 0, live: 0 };
    for (const pid of this.#own()) {
      const { whole, live } = cpuTime(pid);
      sum.whole += whole;
      sum.live += live;
    }
    return sum;
  }

  /** Memory now, helper processes of the server included, its commands not. */
  memory() {
    const sum = { rssMb: 0, pssMb: 0, anonMb: 0 };
    for (const pid of this.#own()) {
      const { rssMb, pssMb, anonMb } = memory(pid);
      sum.rssMb += rssMb;
      sum.pssMb += pssMb;
      sum.anonMb += anonMb;
    }
    return sum;
  }

  /** @returns {number[]} */
  #own() {
    const mark = `${COMMAND_MARK.name}=${COMMAND_MARK.value}`;
    return [this.pid, ...descendants(this.pid).filter((pid) => !hasEnvironment(pid, mark))];
  }

  /** Closes the connections and ends the server: SIGTERM, SIGTERM, SIGKILL. */
  async stop() {
    if (this.#exited) return;
    const left = this.#descendantsNow();
    await Promise.all(this.#connections.map((connection) => connection.close()));
    for (const signal of /** @type {const} */ (['SIGTERM', 'SIGTERM', 'SIGKILL'])) {
      if (this.#exited) break;
      this.#child.kill(signal);
      await Promise.race([this.#exit, pause(TERM_GRACE_MS)]);
    }
    killStill(left);
  }

  /** Ends the server and all its descendants at once. */
  kill() {
    const left = this.#descendantsNow();
    this.#child.kill('SIGKILL');
    killStill(left);
  }

  /** @returns {[number, string | undefined][]} */
  #descendantsNow() {
    return descendants(this.pid).map((pid) => [pid, startTime(pid)]);
  }
}

/** Kills each process whose pid was not given to another one. @param {[number, string | undefined][]} processes */
function killStill(processes) {
  for (const [pid, started] of processes) {
    if (started === undefined || startTime(pid) !== started) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended meanwhile.
    }
  }
}
