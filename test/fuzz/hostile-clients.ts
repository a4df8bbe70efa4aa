// The connections that carry hostile input: one function for each kind of client, for one connection. Checks only what a server must do on the same
// connection. Knows no message.

import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Random } from '../support/seed.js';
import { type Address, holdsVictimSecret } from './good-client.js';
import { type Dialect, HELLOS, type NextMessage } from './message-generator.js';
import { halfOpenUpgrade, type RawScenario } from './raw-frames.js';

/** Messages between two pings. The pong shows that the server has read them, so that few messages wait in this process. */
const MESSAGES_PER_PING = 50;

/** Milliseconds without a pong after which a hostile client leaves, because the server may hold it back on purpose. */
const PATIENCE_MS = 2_000;

/** Milliseconds within which a server must end a connection that broke the rules. Far more than it needs, because the machine is shared. */
const MUST_CLOSE_MS = 30_000;

/** First byte of a Close frame. */
const CLOSE_FRAME = 0x88;

/** Milliseconds for which a connection that broke no rule is watched. */
const LINGER_MS = 50;

/** What one connection is to do. */
export interface HostileVisit {
  /** Most messages to send. */
  readonly count: number;
  /** Whether this client should not have been let in at all. */
  readonly mustBeRefused: boolean;
  /** Called with every message just before it is sent. */
  readonly onInput: (message: string) => void;
}

/** Credentials of clients without a valid one. */
const BAD_CREDENTIALS: readonly [Record<string, string>, ...Record<string, string>[]] = [
  {},
  { Authorization: 'Bearer wrong' },
  { Authorization: 'Bearer ' },
  { Authorization: `Bearer ${'x'.repeat(8000)}` },
  { Authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.' },
  { Authorization: 'Basic YTpi' },
  { 'Sec-WebSocket-Protocol': 'execwire.v1, execwire.bearer.d3Jvbmc' },
  { Cookie: 'token=x', 'X-Forwarded-For': '127.0.0.1' },
];

/**
 * One connection that sends up to `count` messages, then leaves politely or not.
 * @returns How many were sent, and what this client got that it should not have.
 */
export function sendMessages(
  address: Address,
  next: NextMessage,
  random: Random,
  { count, mustBeRefused, onInput }: HostileVisit,
): Promise<{ sent: number; leaked: string | undefined }> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://${address.host}:${address.port}`, {
      perMessageDeflate: random.chance(0.3),
      headers: random.pick(BAD_CREDENTIALS),
    });
    const dialect = random.pick<Dialect>(['app-server', 'exec-server']);
    let leaked: string | undefined;
    let sent = 0;
    let patience: NodeJS.Timeout | undefined;

    function sendSome(): void {
      clearTimeout(patience);
      if (sent >= count) {
        if (random.chance(0.5)) socket.close();
        else socket.terminate();
        patience = setTimeout(() => socket.terminate(), PATIENCE_MS);
        return;
      }
      for (let index = 0; index < MESSAGES_PER_PING; index += 1) {
        const message = next(dialect);
        onInput(message);
        socket.send(message);
        sent += 1;
      }
      socket.ping();
      patience = setTimeout(() => socket.terminate(), PATIENCE_MS);
    }

    socket.on('message', (data) => {
      if (holdsVictimSecret(String(data)))
        leaked = `a hostile client read what the victim wrote: ${String(data).slice(0, 200)}`;
    });
    socket.on('open', () => {
      if (mustBeRefused) leaked = 'a client without a credential was let in';
      if (random.chance(0.9)) for (const hello of HELLOS[dialect]) socket.send(hello);
      sendSome();
    });
    socket.on('pong', sendSome);
    // The server may refuse or reset connections.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(patience);
      resolve({ sent, leaked });
    });
  });
}

/** One connection of raw bytes. @throws {Error} when the server should have ended the connection and did not */
export function playScenario(address: Address, scenario: RawScenario): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.host, port: address.port });
    const waitMs = scenario.mustClose ? MUST_CLOSE_MS : LINGER_MS;
    const chunks = [...scenario.chunks];
    let timer: NodeJS.Timeout | undefined;
    let late = false;

    function writeNext(): void {
      const chunk = chunks.shift();
      if (chunk !== undefined) {
        socket.write(chunk, writeNext);
        return;
      }
      timer = setTimeout(() => {
        late = true;
        socket.destroy();
      }, waitMs);
    }

    socket.on('connect', writeNext);
    socket.on('data', (data) => {
      // A Close frame counts as the end, because a server may then wait for the answer. All its other output in these scenarios is ASCII.
      if (scenario.mustClose && data.includes(CLOSE_FRAME)) socket.destroy();
    });
    // A reset is an end too.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      if (late && scenario.mustClose) reject(new Error(`the server kept a connection open after: ${scenario.name}`));
      else resolve();
    });
    // The rest of a long scenario is of no use once the server has hung up.
    socket.on('end', () => socket.destroy());
  });
}

/**
 * Opens upgrades that never end, and leaves them open.
 * @returns Those that connected; destroying them is up to the caller.
 */
export async function openHalfUpgrades(address: Address, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const openOne = () =>
    new Promise<void>((resolve) => {
      const socket = connect({ host: address.host, port: address.port });
      socket.on('connect', () => {
        socket.write(halfOpenUpgrade());
        sockets.push(socket);
        resolve();
      });
      socket.on('error', () => resolve());
      socket.resume();
    });
  // In groups: more at once than the listen queue holds would wait for the kernel to try again.
  const GROUP = 100;
  for (let opened = 0; opened < count; opened += GROUP) {
    await Promise.all(Array.from({ length: Math.min(GROUP, count - opened) }, openOne));
  }
  return sockets;
}
