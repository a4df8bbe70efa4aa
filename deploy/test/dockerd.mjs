// Owns a private dockerd: its start where it can start, and its end. Knows nothing of images.
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './command.mjs';
import { findProgram } from './requirements.mjs';

/** Milliseconds; two seconds on a machine that does nothing else. */
const START_LIMIT_MS = 40_000;
/** Debian's own client is of the daemon's age; another one may refuse it. */
const CLIENT = '/usr/bin/docker';

/**
 * @param {string} storage folder
 * @returns {Promise<{ words: string[], stop: () => Promise<void> } | { reason: string }>} `words` before each command; `reason`: why there is none
 */
export async function startDockerd(storage) {
  const program = findProgram('dockerd');
  if (program === undefined) return { reason: 'dockerd is missing (Debian: apt-get install docker.io)' };
  await mkdir(join(storage, 'docker'), { recursive: true });
  const host = 'unix:///run/docker.sock';
  const flags = { host, 'data-root': join(storage, 'docker'), 'exec-root': '/run/docker', pidfile: '/run/docker.pid' };
  const daemon = spawn(program, [...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  daemon.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2000);
  });
  const exited = new Promise((resolve) => daemon.once('exit', resolve));
  const words = [CLIENT, '--host', host];
  const deadline = performance.now() + START_LIMIT_MS;
  while ((await run([...words, 'version'], { check: false })).code !== 0) {
    if (daemon.exitCode !== null || performance.now() > deadline) {
      daemon.kill('SIGKILL');
      return { reason: `dockerd does not start here: ${said.trim().split('\n').slice(-3).join(' / ')}` };
    }
    await delay(100);
  }
  return {
    words,
    stop: async () => {
      daemon.kill('SIGTERM');
      await exited;
    },
  };
}
