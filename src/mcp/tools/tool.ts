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
import { toolErrorOf } from '../tool-error.js';

/** What tools work on. */
export interface ToolHome {
  readonly commands: AgentCommands;
  /** Gives the box, connected. @throws {ConnectError} */
  readonly connect: () => Promise<Box>;
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

export function addTool<S extends StandardSchemaWithJSON>(
  server: McpServer,
  name: string,
  { run, ...config }: ToolDescription<S>,
): void {
  const callback = async (
    input: StandardSchemaWithJSON.InferOutput<S>,
    context: ServerContext,
  ): Promise<CallToolResult> => {
    try {
      return await run(input, {
        signal: context.mcpReq.signal,
        reporting: (progress, work) => reporting(context, progress, work),
      });
    } catch (error) {
      return { content: [{ type: 'text', text: toolErrorOf(error).message }], isError: true };
    }
  };
  server.registerTool(name, config, callback as ToolCallback<S>);
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
