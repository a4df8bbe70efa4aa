/**
 * An agent for tests: the built `execwire mcp`, driven by the client of the MCP SDK over standard input and output. Fails a test whose server leaves a
 * process behind. Knows no tool, except which ones wait.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Client, type ClientOptions, type RequestOptions } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { Test } from 'tap';
import { processesWith } from '../support/process-table.js';
import { SERVER } from '../support/server-process.js';
import { until } from '../support/until.js';

/** Milliseconds that a call may take on a very busy machine. The SDK's own limit is 60 s. */
const CALL_MS = 240_000;
/** Seconds for which commands and waits may go on when a test names no time of its own. The defaults of the tools are too short for a very busy machine. */
const TOOL_SECONDS = 200;
const WAITING_TOOLS = ['exec', 'read_output'];

/** What a tool said. */
export interface Said {
  /** The first text: how it went. */
  readonly status: string;
  /** The second text: output, or the content of a file. */
  readonly output: string;
  readonly isError: boolean;
}

export interface AgentOptions extends ClientOptions {
  /** Flags of `execwire mcp`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** One agent with its server. */
export class Agent {
  readonly client: Client;
  /** Everything that the server has said on standard error. */
  stderr = '';
  readonly #transport: StdioClientTransport;
  /** In the environment of all that the server starts on this machine. */
  readonly #word: string;

  constructor({ flags = [], env = {}, cwd, ...options }: AgentOptions) {
    Agent.#started += 1;
    this.#word = `test-agent-${process.pid}-${Agent.#started}.`;
    this.client = new Client({ name: 'test', version: '1' }, options);
    this.#transport = new StdioClientTransport({
      command: SERVER,
      args: ['mcp', ...flags],
      env: { PATH: process.env.PATH ?? '', ...env, TEST_AGENT: this.#word },
      stderr: 'pipe',
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#transport.stderr?.on('data', (text) => {
      this.stderr += String(text);
    });
  }

  static #started = 0;

  /** Number of the server's process. */
  get pid(): number {
    return this.#transport.pid ?? 0;
  }

  /** Processes of this machine that belong to it, the server included. */
  get processes(): number[] {
    return processesWith(this.#word);
  }

  async connect(): Promise<void> {
    await this.client.connect(this.#transport, { timeout: CALL_MS });
  }

  /** Calls a tool. */
  async call(name: string, args: Readonly<Record<string, unknown>> = {}, options: RequestOptions = {}): Promise<Said> {
    const patient = WAITING_TOOLS.includes(name) ? { timeout_seconds: TOOL_SECONDS, ...args } : args;
    const result = await this.client.callTool({ name, arguments: patient }, { timeout: CALL_MS, ...options });
    const texts = (result.content as readonly { readonly text?: string }[]).map(({ text = '' }) => text);
    return { status: texts[0] ?? '', output: texts[1] ?? '', isError: result.isError === true };
  }

  /** Starts a command. @returns its id */
  async start(args: Readonly<Record<string, unknown>>): Promise<string> {
    const { status } = await this.call('start', args);
    const [, id] = /^Command (c\d+): /.exec(status) ?? [];
    if (id === undefined) throw new Error(`start said: ${status}`);
    return id;
  }

  /** Ends the input of the server and waits for its end. By itself the SDK kills a server after four seconds, and a very busy machine may need longer. */
  async leave(): Promise<void> {
    const { _process: server } = this.#transport as unknown as { readonly _process?: ChildProcess };
    if (server !== undefined && server.exitCode === null && server.signalCode === null) {
      const exit = once(server, 'exit');
      server.stdin?.end();
      await exit;
    }
    await this.client.close();
  }

  /** Goes away, and waits until nothing is left. */
  async close(): Promise<void> {
    await this.leave();
    await until(`no process of ${this.#word} is left`, () => this.processes.length === 0);
  }
}

/** Starts an agent that goes away with its test. */
export async function startAgent(t: Test, options: AgentOptions = {}): Promise<Agent> {
  const agent = new Agent(options);
  t.teardown(() => agent.close());
  await agent.connect();
  return agent;
}
