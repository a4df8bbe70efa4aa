// A model that is a script: a local server with as much of the Responses API, over server-sent events, as the agent needs. Each request for the next
// step of a turn takes one step of the script. As an HTTP proxy it refuses everything, so that nothing leaves the machine. Knows no agent.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A call of a tool: a function with arguments, or a tool that takes a text. */
export interface ToolCall {
  readonly name: string;
  readonly arguments?: object;
  readonly input?: string;
  /** Its number in the step, for the id. Default: its place among the calls of the answer. */
  readonly number?: number;
}

/** What the model answers. */
export interface Step {
  /** Whether the same step makes the next answer, too: it waits for something that a tool is to say. */
  readonly again?: boolean;
  /** Whether the step has nothing to ask any more, so that the next one makes this answer. */
  readonly isOver?: boolean;
  readonly calls?: readonly ToolCall[];
  readonly text?: string;
}

/** What a step knows. */
export interface StepContext {
  /** What all tools have answered so far, by the ids of their calls: `resp_STEP_CALL` from 1 and from 0, and `resp_STEP.ROUND_CALL` in later rounds. */
  readonly outputs: ReadonlyMap<string, string>;
  /** How often the step was asked before. */
  readonly round: number;
}

/** Makes the next answer. */
export type ScriptStep = (context: StepContext) => Step | Promise<Step>;

interface ModelRequest {
  readonly input: readonly { readonly type: string; readonly call_id?: string; readonly output?: unknown }[];
}

export class ScriptedModel {
  /** What all tools answered, as the last request had it. */
  outputs: ReadonlyMap<string, string> = new Map();
  /** What was asked of the proxy, and refused. */
  readonly refused: string[] = [];
  /** Steps that threw. */
  readonly failures: unknown[] = [];
  stepsTaken = 0;
  #round = 0;
  readonly #steps: readonly ScriptStep[];
  readonly #server: Server;

  private constructor(steps: readonly ScriptStep[]) {
    this.#steps = steps;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('connect', (request, socket) => {
      this.refused.push(`CONNECT ${request.url}`);
      socket.on('error', () => {});
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    });
  }

  static async start(steps: readonly ScriptStep[]): Promise<ScriptedModel> {
    const model = new ScriptedModel(steps);
    model.#server.listen(0, '127.0.0.1');
    await once(model.#server, 'listening');
    return model;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    if (request.method !== 'POST' || request.url?.endsWith('/responses') !== true) {
      this.refused.push(`${request.method} ${request.url}`);
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{"message":"not served"}}');
      return;
    }
    this.outputs = outputsOf(JSON.parse(body) as ModelRequest);
    const { id, answer } = await this.#next();
    stream(response, id, answer);
  }

  async #next(): Promise<{ readonly id: string; readonly answer: Step }> {
    const round = this.#round;
    const id = `resp_${this.stepsTaken + 1}${round === 0 ? '' : `.${round}`}`;
    let answer: Step;
    try {
      const step = this.#steps[this.stepsTaken];
      answer = (await step?.({ outputs: this.outputs, round })) ?? { text: 'end of the script' };
    } catch (error) {
      this.failures.push(error);
      answer = { text: `the script failed: ${error}` };
    }
    this.#round = answer.again === true ? round + 1 : 0;
    if (answer.again !== true) this.stepsTaken += 1;
    return answer.isOver === true ? this.#next() : { id, answer };
  }
}

function outputsOf({ input }: ModelRequest): Map<string, string> {
  const outputs = new Map<string, string>();
  for (const { type, call_id: id, output } of input) {
    if (!type.endsWith('_call_output') || id === undefined) continue;
    outputs.set(id, typeof output === 'string' ? output : JSON.stringify(output));
  }
  return outputs;
}

function stream(response: ServerResponse, id: string, { calls = [], text: said }: Step): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (event: { readonly type: string; readonly [member: string]: unknown }): void => {
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  };
  send({ type: 'response.created', response: { id } });
  const items: object[] = calls.map((call, index) => itemOf(call, `${id}_${call.number ?? index}`));
  if (said !== undefined) {
    const content = [{ type: 'output_text', text: said }];
    items.push({ type: 'message', role: 'assistant', id: `msg_${id}`, content });
  }
  for (const [index, item] of items.entries()) send({ type: 'response.output_item.done', output_index: index, item });
  send({ type: 'response.completed', response: { id, usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 } } });
  response.end();
}

function itemOf({ name, arguments: args, input }: ToolCall, callId: string): object {
  return input === undefined
    ? { type: 'function_call', id: `fc_${callId}`, call_id: callId, name, arguments: JSON.stringify(args) }
    : { type: 'custom_tool_call', id: `ctc_${callId}`, call_id: callId, name, input, status: 'completed' };
}
