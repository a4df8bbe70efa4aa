// Sends a request for a file by HTTP, and reads its whole answer.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { TestServer } from './server.js';

export interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

export interface Got {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** `reason` of a refusal. */
  readonly reason: string | undefined;
}

/** Sends one request and reads its whole answer. */
export async function send(
  to: TestServer,
  method: string,
  path: string,
  { headers = {}, body }: Sent = {},
): Promise<Got> {
  const { host, port } = to;
  const asking = request({ host, port, method, path: `/files${path}`, headers, agent: false });
  asking.end(body);
  // A body that is not wanted may meet a closed socket once the answer is read.
  asking.once('response', () => asking.on('error', () => {}));
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const content = Buffer.concat(chunks);
  const isJson = response.headers['content-type']?.startsWith('application/json') === true;
  const reason =
    isJson && content.length > 0 ? (JSON.parse(content.toString()) as { reason: string }).reason : undefined;
  return { status: response.statusCode, headers: response.headers, body: content, reason };
}
