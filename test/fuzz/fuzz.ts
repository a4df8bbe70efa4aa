// One fuzz run: which clients attack, for how long, and what must hold during and after the attack. Starts the server. Knows no arguments.

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { residentBytesOf } from '../support/process-table.js';
import { createRandom } from '../support/seed.js';
import { type Exit, ServerProcess } from '../support/server-process.js';
import { checkNextClient, startVictim } from './good-client.js';
import { openHalfUpgrades, playScenario, sendMessages } from './hostile-clients.js';
import { createMessageGenerator } from './message-generator.js';
import { nextRawScenario } from './raw-frames.js';

/** How long and how hard. The run goes on until both `seconds` and `inputs` are reached. */
export interface FuzzOptions {
  /** The server's script. */
  readonly script: string;
  /** Further flags of the server. */
  readonly flags?: readonly string[];
  /** The same seed gives the same inputs. Their order across connections depends on the machine. */
  readonly seed: number;
  readonly seconds: number;
  /** Messages plus raw connections. */
  readonly inputs: number;
  /** Whether raw connections attack too. Default: true. */
  readonly rawFrames?: boolean;
  /** Upgrades that are begun and never ended, all at once. */
  readonly halfOpenUpgrades: number;
  /** The token of good clients. Hostile clients have none, and none of them may be let in. Default: no token is needed. */
  readonly token?: string;
  /** Most bytes of resident memory that the server may take. */
  readonly maxResidentBytes: number;
}

/** What a run found. It is good when `problems` is empty. */
export interface FuzzReport {
  readonly seed: number;
  readonly seconds: number;
  readonly messages: number;
  readonly rawConnections: number;
  readonly goodClientsServed: number;
  /** Upgrades that were begun, and how many of them the server hung up by itself. */
  readonly halfOpen: { readonly opened: number; readonly hungUp: number };
  readonly peakResidentBytes: number;
  readonly finalResidentBytes: number;
  readonly serverEnd: string;
  readonly problems: readonly string[];
  /** The last inputs before the first problem. */
  readonly lastInputs: readonly string[];
  readonly lastServerLines: readonly string[];
}

const MESSAGE_CLIENTS = 6;
const RAW_CLIENTS = 3;

/** Most messages of one connection. Most bugs need few, and every connection begins with a fresh session. */
const MAX_MESSAGES_PER_CONNECTION = 400;

/** Milliseconds between two good clients. */
const PROBE_INTERVAL_MS = 500;

/** Milliseconds within which a server has closed all upgrades that do not end, on a busy machine. */
const SLOW_UPGRADE_MS = 60_000;

const KEPT_INPUTS = 100;
/** Lines kept of the server's log. */
const KEPT_LINES = 40;
/** Characters kept of an input. */
const KEPT_INPUT_LENGTH = 2_000;

/** Runs hostile clients against a server of its own, next to good ones. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const random = createRandom(options.seed);
  const folder = mkdtempSync(join(tmpdir(), 'execwire-fuzz-'));
  symlinkSync('/etc', join(folder, 'link'));
  // Nothing but the folder is served, so that no message about files can do harm; sessions without a client end soon with their processes.
  const harmless = ['--files-root', folder, '--session-keep', '1s'];
  const flags = ['--drain-timeout', '5s', ...harmless, ...(options.flags ?? [])];
  const server = await ServerProcess.start({ script: options.script, flags });
  const good = { host: server.host, port: server.port, token: options.token };
  const startedAtMs = Date.now();
  const problems: string[] = [];
  const lastInputs: string[] = [];
  let messages = 0;
  let rawConnections = 0;
  let goodClientsServed = 0;
  let halfOpen = { opened: 0, hungUp: 0 };
  let peakResidentBytes = 0;

  const elapsedMs = () => Date.now() - startedAtMs;
  const isOver = () =>
    problems.length > 0 || (elapsedMs() >= options.seconds * 1000 && messages + rawConnections >= options.inputs);

  function remember(input: string): void {
    lastInputs.push(input.slice(0, KEPT_INPUT_LENGTH));
    if (lastInputs.length > KEPT_INPUTS) lastInputs.shift();
  }

  async function attempt(what: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async function messageClient(): Promise<void> {
    const own = random.fork();
    const next = createMessageGenerator(own.fork(), folder);
    while (!isOver()) {
      const { sent, leaked } = await sendMessages(server, next, own, {
        count: own.int(1, MAX_MESSAGES_PER_CONNECTION),
        mustBeRefused: options.token !== undefined,
        onInput: remember,
      });
      messages += sent;
      if (leaked !== undefined) problems.push(leaked);
      // The server was full and refused the connection. A pause avoids a busy loop.
      if (sent === 0) await pause(20);
    }
  }

  async function rawClient(): Promise<void> {
    const own = random.fork();
    while (!isOver()) {
      const scenario = nextRawScenario(own);
      remember(`raw: ${scenario.name}`);
      await attempt('raw connection', () => playScenario(server, scenario));
      rawConnections += 1;
    }
  }

  function checkServer(): void {
    const resident = residentBytesOf(server.pid);
    peakResidentBytes = Math.max(peakResidentBytes, resident);
    if (resident > options.maxResidentBytes) problems.push(`the server holds ${resident} bytes`);
    if (server.exit !== undefined) problems.push(`the server ended: ${endOf(server.exit)}`);
  }

  async function watcher(): Promise<void> {
    const victim = await startVictim(good);
    while (!isOver()) {
      checkServer();
      await attempt('good client', () => checkNextClient(good));
      await attempt('victim', () => victim.check());
      goodClientsServed += 1;
      await pause(PROBE_INTERVAL_MS);
    }
    victim.close();
  }

  async function halfOpenClient(): Promise<void> {
    const sockets = await openHalfUpgrades(server, options.halfOpenUpgrades);
    while (!isOver() && elapsedMs() < (options.seconds * 1000) / 2) await pause(100);
    halfOpen = { opened: sockets.length, hungUp: sockets.filter((socket) => socket.closed).length };
    for (const socket of sockets) socket.destroy();
    remember(`half-open upgrades: ${sockets.length}`);
    if (elapsedMs() > SLOW_UPGRADE_MS && halfOpen.hungUp < halfOpen.opened) {
      problems.push(`of ${halfOpen.opened} upgrades that never end the server hung up only ${halfOpen.hungUp}`);
    }
  }

  await attempt('watcher', async () => {
    await Promise.all([
      watcher(),
      halfOpenClient(),
      ...Array.from({ length: MESSAGE_CLIENTS }, messageClient),
      ...Array.from({ length: options.rawFrames === false ? 0 : RAW_CLIENTS }, rawClient),
    ]);
  });
  checkServer();
  await attempt('next client after the run', () => checkNextClient(good));
  const finalResidentBytes = residentBytesOf(server.pid);
  const seconds = Math.round(elapsedMs() / 1000);
  const serverEnd = endOf(await server.stop());
  rmSync(folder, { recursive: true, force: true });
  if (serverEnd !== 'exit 0') problems.push(`the server did not drain: ${serverEnd}`);
  return {
    seed: options.seed,
    seconds,
    messages,
    rawConnections,
    goodClientsServed,
    halfOpen,
    peakResidentBytes,
    finalResidentBytes,
    serverEnd,
    problems,
    lastInputs: problems.length > 0 ? lastInputs : [],
    lastServerLines: problems.length > 0 ? server.lines.slice(-KEPT_LINES) : [],
  };
}

function endOf({ code, signal }: Exit): string {
  return signal ?? `exit ${code}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
