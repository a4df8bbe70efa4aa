/** How a tool is added to a server: errors become results that a model can read, and long calls report their progress. Knows no tool. */
import type {
  CallToolResult,
  McpServer,
  ServerContext,
  StandardSchemaWithJSON,
  ToolAnnotations,
  ToolCallback,
} from '@modelcontextprotocol/server';
import type { Box } from '../../../client/src/node.js';
import type { AgentCommands } from '../agent-commands.js';
import type { ConnectionNews } from '../connection-news.js';
import { toolErrorOf } from '../tool-error.js';
import { type ConnectedWork, whileThere } from '../while-there.js';

/** What tools work on. */
export interface ToolHome {
  readonly commands: AgentCommands;
  /** Gives the box, connected. @throws {ConnectError} */
  readonly connect: () => Promise<Box>;
  readonly news: ConnectionNews;
}

export interface ToolDescription<S extends StandardSchemaWithJSON> {
  readonly title: string;
  readonly description: string;
  readonly inputSchema: S;
  readonly annotations: ToolAnnotations;
  /** @throws {Error} what {@link toolErrorOf} puts into words */
  readonly run: (input: StandardSchemaWithJSON.InferOutput<S>, call: ToolCall) => Promise<CallToolResult>;
}

/** One call of a tool. */
export interface ToolCall {
  /** Aborts when the agent cancels the call or goes away. */
  readonly signal: AbortSignal;
  /** Reports the progress of some work until it is done. */
  readonly reporting: <T>(progress: ProgressSource, work: Promise<T>) => Promise<T>;
  /** Does work that needs the connection. @throws {ToolError} when that is away for too long */
  readonly whileThere: <T>(asked: Pick<ConnectedWork<T>, 'unclear' | 'work' | 'isBegun'>) => Promise<T>;
}

/** What is told while a call lasts. */
export interface ProgressSource {
  /** Seconds after which the call ends by itself. */
  readonly totalSeconds: number;
  /** What has happened so far, in one line. */
  readonly message: () => string;
}

/** Milliseconds between two reports: often enough for a person who looks, and for timeouts that begin anew with each. */
const REPORT_EVERY_MS = 1_000;

/** A server and what its tools work on. */
export interface ToolPlace {
  readonly server: McpServer;
  readonly home: Pick<ToolHome, 'news' | 'connect'>;
}

export function addTool<S extends StandardSchemaWithJSON>(
  { server, home: { news, connect } }: ToolPlace,
  name: string,
  { run, ...config }: ToolDescription<S>,
): void {
  // A request that may be sent again makes the client connect.
  const reconnect = (): void =>
    void connect()
      .then((box) => box.list())
      .catch(() => {});
  const callback = async (
    input: StandardSchemaWithJSON.InferOutput<S>,
    context: ServerContext,
  ): Promise<CallToolResult> => {
    try {
      const result = await run(input, {
        signal: context.mcpReq.signal,
        reporting: (progress, work) => reporting(context, progress, work),
        whileThere: (asked) => whileThere({ ...asked, news, reconnect }),
      });
      return withNews(result, news.take());
    } catch (error) {
      const result: CallToolResult = { content: [{ type: 'text', text: toolErrorOf(error).message }], isError: true };
      return withNews(result, news.take());
    }
  };
  server.registerTool(name, config, callback as ToolCallback<S>);
}

/** Puts news behind the first text, which says how it went. */
function withNews(result: CallToolResult, news: readonly string[]): CallToolResult {
  const [first, ...others] = result.content;
  if (news.length === 0 || first?.type !== 'text') return result;
  return { ...result, content: [{ ...first, text: [first.text, ...news].join(' ') }, ...others] };
}

/** Sends reports to an agent that asked for them. */
async function reporting<T>({ mcpReq }: ServerContext, source: ProgressSource, work: Promise<T>): Promise<T> {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return work;
  const startedAtMs = performance.now();
  const timer = setInterval(() => {
    const progress = Math.round((performance.now() - startedAtMs) / 100) / 10;
    const params = { progressToken, progress, total: source.totalSeconds, message: source.message() };
    // An agent that has gone ends the call by itself.
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {});
  }, REPORT_EVERY_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
