// The well-behaved client beside the hostile ones: the server must serve it at all times, and no other client may reach its command. Knows no attack.

import { ask } from '../support/ask.js';
import { WireClient, type WireMessage } from '../support/wire-client.js';
import { VICTIM_PROCESS_ID } from './message-generator.js';

/** Where a server listens, and what lets a good client in. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** Bearer token. Default: none. */
  readonly token?: string | undefined;
}

/** Milliseconds that a good client may wait for one answer while the server is attacked on a shared machine. */
const ANSWER_MS = 30_000;

/** Opens and initializes a connection. */
function openGood({ host, port, token }: Address): Promise<WireClient> {
  const opened = WireClient.open(`ws://${host}:${port}`, { token }).then((client) => {
    client.forgetsMessages = true;
    return client.initialize();
  });
  return within(opened, 'the upgrade and initialize');
}

/** Sends a request and waits for its reply. */
function call(client: WireClient, method: string, params: object): Promise<WireMessage> {
  return within(client.request(method, params), `the reply to ${method}`);
}

/** Asks for health, and lets a new client connect, run a command and leave. @throws {Error} when either is not served */
export async function checkNextClient(address: Address): Promise<void> {
  const { status } = await within(ask(address, { path: '/healthz' }), 'the health probe');
  if (status !== 200) throw new Error(`/healthz answered ${status}`);
  const connection = await openGood(address);
  try {
    const reply = await call(connection, 'command/exec', { command: ['/bin/echo', 'served'] });
    if (reply.result?.stdout !== 'served\n') throw new Error(`the next client got ${JSON.stringify(reply)}`);
  } finally {
    connection.terminate();
  }
}

/** A long-running command whose processId all hostile clients guess. */
export interface Victim {
  /** Throws when the command has ended, or has read anything but what its own client wrote. */
  check(): Promise<void>;
  close(): void;
}

/**
 * Each line to the victim begins with this, and only the victim's own client may read it. Its length is a multiple of three bytes, so that every
 * base64 text that begins with it looks the same.
 */
const VICTIM_SECRET = 'only the victim reads this.';

/** Whether a text that a server sent to another client holds the victim's secret. */
export function holdsVictimSecret(text: string): boolean {
  return text.includes(VICTIM_SECRET) || text.includes(Buffer.from(VICTIM_SECRET).toString('base64'));
}

/** Starts `cat` under the guessed processId. It echoes what its own client writes, and must read nothing else. */
export async function startVictim(address: Address): Promise<Victim> {
  const connection = await openGood(address);
  void connection.request('command/exec', {
    command: ['/bin/cat'],
    processId: VICTIM_PROCESS_ID,
    streamStdin: true,
    streamStdoutStderr: true,
    disableTimeout: true,
    disableOutputCap: true,
  });
  let round = 0;
  return {
    async check() {
      const line = `${VICTIM_SECRET} round ${++round}\n`;
      let echoed = '';
      const complete = new Promise<void>((resolve) => {
        connection.onOutput(VICTIM_PROCESS_ID, (bytes) => {
          echoed += bytes.toString();
          if (echoed.length >= line.length) resolve();
        });
      });
      const deltaBase64 = Buffer.from(line).toString('base64');
      const reply = await call(connection, 'command/exec/write', { processId: VICTIM_PROCESS_ID, deltaBase64 });
      if (reply.error !== undefined) throw new Error(`the victim was reached: ${JSON.stringify(reply)}`);
      await within(complete, "the victim's output");
      if (echoed !== line) throw new Error(`the victim read ${JSON.stringify(echoed.slice(0, 200))}`);
    },
    close: () => connection.terminate(),
  };
}

async function within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${ANSWER_MS} ms`)), ANSWER_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
