// Owns the life of the server that is being fuzzed: start, address, memory, end. Knows nothing of what is sent to it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** A running server in a process of its own. */
export interface ServerUnderTest {
  readonly host: string;
  readonly port: number;
  /** Undefined while it runs; how it ended otherwise. */
  ended(): string | undefined;
  /** Bytes of resident memory. 0 where the kernel does not tell. */
  residentBytes(): number;
  /** The last lines it wrote to stderr. */
  lastLines(): readonly string[];
  /** Sends SIGTERM and waits. @returns How it ended: `exit 0` when all is well. */
  stop(): Promise<string>;
}

const BANNER = /listening on: wss?:\/\/([\d.]+):(\d+)/;

/** Milliseconds. A server that has not said where it listens by then does not start at all. */
const START_MS = 20_000;

/** Milliseconds from SIGTERM to SIGKILL: the drain timeout given below, and room for a slow machine. */
const STOP_MS = 15_000;

const KEPT_LINES = 40;

/**
 * Starts `node SCRIPT serve --listen ws://127.0.0.1:0` and waits for its banner.
 * @param flags Further flags of the server.
 */
export async function startServer(script: string, flags: readonly string[] = []): Promise<ServerUnderTest> {
  const args = [script, 'serve', '--listen', 'ws://127.0.0.1:0', '--drain-timeout', '5', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  let ended: string | undefined;
  child.once('exit', (code, signal) => {
    ended = signal ?? `exit ${code}`;
  });
  const { host, port } = await bannerOf(child, lines);
  return {
    host,
    port,
    ended: () => ended,
    residentBytes: () => residentBytesOf(child.pid),
    lastLines: () => lines,
    async stop() {
      if (ended !== undefined) return ended;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exited;
      clearTimeout(timer);
      return ended ?? 'unknown';
    },
  };
}

function bannerOf(child: ChildProcess, lines: string[]): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    function fail(reason: string): void {
      clearTimeout(timer);
      reject(new Error(`the server ${reason}\n${lines.join('\n')}`));
    }
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('did not say where it listens');
    }, START_MS);
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('close', () => fail('ended before it listened'));
    if (child.stderr === null) return fail('has no stderr');
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      const [, host, port] = BANNER.exec(line) ?? [];
      if (host === undefined || port === undefined) return;
      clearTimeout(timer);
      resolve({ host, port: Number(port) });
    });
  });
}

function residentBytesOf(pid: number | undefined): number {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}
