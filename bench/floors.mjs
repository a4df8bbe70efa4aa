// Compiles the C baselines in floors/ and runs them. Without a C compiler every floor is skipped, with the reason.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL('./floors/', import.meta.url));
const NAMES = ['pipe_read', 'pipe_write', 'pty_read', 'pty_echo', 'spawn_wait', 'tcp_echo'];
const FLOOR_LIMIT_MS = 30_000;

/** @type {string | undefined} */
let directory;

/** Removes the compiled programs. */
export function removeFloors() {
  if (directory) rmSync(directory, { recursive: true, force: true });
  directory = undefined;
}

/** The baselines, compiled. */
export class Floors {
  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
  }

  /** @returns {Promise<{ floors?: Floors, skipped?: string }>} */
  static async compile() {
    directory = mkdtempSync(path.join(tmpdir(), 'execwire-bench-'));
    try {
      for (const name of NAMES) {
        // -lutil: forkpty in a glibc before 2.34.
        await run('cc', ['-O2', '-o', path.join(directory, name), path.join(SOURCES, `${name}.c`), '-lutil']);
      }
    } catch (error) {
      const code = /** @type {{ code?: unknown }} */ (error).code;
      return { skipped: code === 'ENOENT' ? 'no C compiler (cc) on this machine' : `cc failed: ${error}` };
    }
    return { floors: new Floors(directory) };
  }

  /** Runs one and reads the JSON it prints. @param {string} name @param {number[]} values @returns {Promise<any>} */
  async json(name, ...values) {
    const { stdout } = await run(path.join(this.folder, name), values.map(String), { timeout: FLOOR_LIMIT_MS });
    return JSON.parse(stdout);
  }

  /**
   * A plain TCP connection to tcp_echo, from this process: what a round trip costs with nothing behind it.
   * @template T @param {(socket: net.Socket) => Promise<T>} use @returns {Promise<T>}
   */
  async withTcpEcho(use) {
    const child = spawn(path.join(this.folder, 'tcp_echo'), { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const port = await new Promise((resolve, reject) => {
        child.once('error', reject);
        child.stdout.once('data', (data) => resolve(Number(data)));
      });
      const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
      return await use(socket).finally(() => socket.destroy());
    } finally {
      child.kill('SIGKILL');
    }
  }
}
