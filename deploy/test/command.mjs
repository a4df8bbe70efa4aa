// Owns the running of one program to its end with its output captured. Knows nothing of containers.
import { spawn } from 'node:child_process';

/** Programs under way, each the leader of a process group of its own. */
const running = new Set();
/** Milliseconds a program gets between SIGTERM and SIGKILL to clean up after itself, as mmdebstrap does. */
const STOP_GRACE_MS = 3000;

/** Ends everything that {@link run} has under way, and waits for it. */
export async function stopRunning() {
  await Promise.all(
    [...running].map(async (child) => {
      const ended = new Promise((resolve) => child.once('close', resolve));
      signalGroup(child, 'SIGTERM');
      const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_GRACE_MS);
      await ended;
      clearTimeout(timer);
    }),
  );
}

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has just ended.
  }
}

/** A program ended with another code than 0; `result` holds what it wrote. */
export class CommandError extends Error {
  constructor(argv, result) {
    super(
      `${argv.join(' ')} ended with ${result.code ?? result.signal}\n${(result.stderr || result.stdout).slice(-4000)}`,
    );
    this.name = 'CommandError';
    this.result = result;
  }
}

/**
 * Runs a program and waits for its end.
 * @param {string[]} argv
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, input?: string, check?: boolean, timeoutMs?: number }} [options]
 *   `check` (default true): reject when the exit code is not 0; `timeoutMs` (default 240,000): SIGKILL after it
 * @returns {Promise<{ code: number | null, signal: string | null, stdout: string, stderr: string }>}
 */
export function run(argv, { cwd, env, input, check = true, timeoutMs = 240_000 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), {
      cwd,
      env: { ...process.env, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    if (child.pid !== undefined) running.add(child);
    const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), timeoutMs);
    const stdout = [];
    const stderr = [];
    child.stdout.on('data', (chunk) => stdout.push(chunk));
    child.stderr.on('data', (chunk) => stderr.push(chunk));
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      clearTimeout(timer);
      const result = {
        code,
        signal,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      };
      if (check && code !== 0) reject(new CommandError(argv, result));
      else resolve(result);
    });
    if (input !== undefined) child.stdin.end(input);
  });
}

/**
 * Runs a program that writes to the outputs of this process.
 * @param {string[]} argv
 * @returns {{ code: Promise<number | null>, ended: () => Promise<unknown> }} `ended` kills it, if need be, and waits for its end
 */
export function runThrough(argv) {
  const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] });
  const code = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  return {
    code,
    ended: () => {
      child.kill('SIGKILL');
      return code;
    },
  };
}
