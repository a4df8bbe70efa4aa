// Owns the start and stop of HAProxy and nginx with a given configuration file. Knows nothing of replicas.
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from './requirements.mjs';

const START_TIMEOUT_MS = 10_000;

const ARGUMENTS = {
  // -db: in the foreground, one process.
  haproxy: (file) => ['-db', '-f', file],
  nginx: (file, workFolder) => [
    '-c',
    file,
    '-p',
    workFolder,
    '-g',
    `daemon off; pid ${join(workFolder, 'nginx.pid')};`,
  ],
};

/**
 * Starts a balancer and waits until it accepts connections.
 * @param {'haproxy' | 'nginx'} program
 * @param {{ file: string, workFolder: string, host?: string, port: number }} options
 * @returns {Promise<{ stop: () => Promise<void> }>}
 */
export async function startBalancer(program, { file, workFolder, host = '127.0.0.1', port }) {
  await mkdir(workFolder, { recursive: true });
  const child = spawn(findProgram(program), ARGUMENTS[program](file, workFolder), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    if (said.length < 4000) said += chunk;
  });
  let exit;
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      exit = code ?? signal;
      resolve();
    });
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await accepts(host, port))) {
    if (exit !== undefined || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${program} did not start: ${said}`);
    }
    await delay(50);
  }
  return {
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** A port of 127.0.0.1 that is free now. */
export async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

function accepts(host, port) {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const settle = (accepted) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
