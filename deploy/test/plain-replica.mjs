// Owns one execwire process on this machine without a container, from its banner to its exit. Knows nothing of balancers.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Milliseconds to the banner. */
const START_TIMEOUT_MS = 20_000;

/**
 * @typedef {object} Replica
 * @property {URL} url where it listens
 * @property {(signal?: NodeJS.Signals) => Promise<number | null>} stop sends SIGTERM (or another signal) and resolves with the exit code
 */

/**
 * Starts a server and waits for its banner.
 * @param {string[]} argv the whole command line
 * @param {{ cwd: string }} options
 * @returns {Promise<Replica>} rejects, with what it said, when it exits first
 */
export async function startReplica(argv, { cwd }) {
  const child = spawn(argv[0], argv.slice(1), { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let said = '';
  const lines = createInterface({ input: child.stderr });
  const address = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no banner from ${argv.join(' ')}`)), START_TIMEOUT_MS);
    lines.on('line', (line) => {
      // After the banner its log is read and dropped, so that it never blocks.
      const match = /listening on: (\S+)/.exec(line);
      if (match !== null) {
        clearTimeout(timer);
        resolve(match[1]);
      } else if (said.length < 4000) said += `${line}\n`;
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`exit ${code}: ${said}`)));
  }).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  return {
    url: new URL(address),
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return exited;
    },
  };
}
