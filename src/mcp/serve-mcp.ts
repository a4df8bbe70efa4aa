/** Serves one agent over standard input and output until it goes away, and then ends its commands. Knows no server of commands by name. */
import type { Readable, Writable } from 'node:stream';
import type { McpServer } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Box } from '../../client/src/node.js';
import { AgentCommands, KEPT_AWAY_MS } from './agent-commands.js';
import { ConnectionNews } from './connection-news.js';
import { KeptBox } from './kept-box.js';
import { makeMcpServer } from './mcp-server.js';
import { within } from './time-limit.js';

/** Longest message of an agent: a file of some 20 MB to write. A longer one ends the connection. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/** Milliseconds for the connection to close: a server that does not answer must not keep a program whose agent has gone. */
const CLOSE_LIMIT_MS = 2_000;

export interface McpServing {
  readonly version: string;
  /** What the commands run on, for the agent's model. */
  readonly place: string;
  /** Connects to the server of the commands. */
  readonly connect: () => Promise<Box>;
  readonly input: Readable;
  readonly output: Writable;
  /** Ends the serving. */
  readonly stop: AbortSignal;
  /** Takes one line for a person. */
  readonly say: (line: string) => void;
}

/** Resolves when the agent has gone, or the signal aborts, and no command of the agent runs any more, or its server does not answer. */
export async function serveMcp({ version, place, connect, input, output, stop, say }: McpServing): Promise<void> {
  const news = new ConnectionNews();
  const box = new KeptBox(async () => {
    const connected = await connect();
    news.follow(connected);
    return connected;
  });
  const commands = new AgentCommands(() => box.get());
  // Early, so that the first call need not wait. What goes wrong is told by each call.
  box.get().catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
  const servers = new Set<McpServer>();
  const stopTelling = commands.onListChange(
    coalesced(() => {
      for (const server of servers) if (server.isConnected()) server.sendResourceListChanged();
    }),
  );
  const hasGone = gone(input, output, stop);
  const serving = serveStdio(
    () => {
      const server = makeMcpServer({ version, place, commands, connect: () => box.get(), news });
      servers.add(server);
      return server;
    },
    {
      transport: new StdioServerTransport(input, output, { maxBufferSize: MAX_MESSAGE_BYTES }),
      onerror: (error) => say(error.message),
    },
  );
  await hasGone;
  stopTelling();
  // Cancels the calls under way, and with them their commands.
  await serving.close();
  const left = await commands.endAll();
  if (left.length > 0) say(leftText(left.map(({ line }) => line)));
  await within(box.close(), CLOSE_LIMIT_MS);
}

function leftText(lines: readonly string[]): string {
  const some = lines.length === 1 ? `1 command was not ended: ${lines[0]}` : `${lines.length} commands were not ended`;
  return `${some}; the server does not answer, and ends what it keeps after ${KEPT_AWAY_MS / 60_000} minutes without a connection`;
}

/** Resolves when the agent reads or writes no more, or the signal aborts. */
function gone(input: Readable, output: Writable, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => resolve();
    input.once('end', done).once('close', done).once('error', done);
    output.once('close', done).once('error', done);
    stop.addEventListener('abort', done);
    if (stop.aborted || input.readableEnded || input.destroyed) done();
  });
}

/** Calls back once for all calls of one turn of the loop. */
function coalesced(callback: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      callback();
    });
  };
}
