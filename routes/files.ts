/** Files by HTTP at `/files/PATH`: the path from `/files` on is the file's absolute path. Knows what the verbs need, and not what they do. */
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { requirePrincipal } from '../plugins/auth.js';
import type { FileAccess } from '../src/files/file-access.js';
import type { Action } from '../src/policy/may-do.js';
import { type FileAnswer, type FileRequest, FileRequests } from '../src/server/file-requests.js';
import { HttpRefusal, refusalOf } from '../src/server/file-transfer.js';
import { RETRY_AFTER_SECONDS } from '../src/server/retry-after.js';
import { watchPace } from '../src/server/transfer-pace.js';
import type { FileRequestObserver } from '../src/telemetry/file-request-observer.js';

/** Requests that are served at a time: each holds a few descriptors and a megabyte. */
const MAX_TRANSFERS = 64;
/** A client that still sends a body which is not wanted has so long to read the answer. */
const LINGER_MS = 5000;
const OTHER_METHODS = ['PATCH', 'OPTIONS', 'TRACE'];
const ALLOWED = 'GET, HEAD, PUT, DELETE, POST';

export interface FilesRouteOptions {
  readonly access: FileAccess;
  /** A body of which next to nothing arrives or is taken for so long is given up. 0: no limit. */
  readonly stallTimeoutMs: number;
}

/** Adds the routes. */
export async function filesRoute(app: FastifyInstance, { access, stallTimeoutMs }: FilesRouteOptions): Promise<void> {
  const files = new FileRequests(access, app.fileTurns);
  const observed = new WeakMap<FastifyRequest, FileRequestObserver>();
  app.addHook('onRequest', async (request, reply) => {
    const observer = app.telemetry.fileRequest(request.method);
    observed.set(request, observer);
    reply.raw.once('close', () => {
      const status = reply.raw.writableFinished ? reply.raw.statusCode : undefined;
      observer.ended({ status, path: pathOf(request), principal: request.principal });
    });
  });
  // The body goes to the file as it comes; nothing reads it before.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply));
  // What the credential and the origin are refused with is text.
  app.addHook('onSend', async (request, reply, payload) => {
    // Tells that this server has files, where a 404 could mean either.
    reply.header('x-execwire-files', '1');
    const text = payload ?? '';
    const isDocument = typeof text !== 'string' || text.startsWith('{');
    if (reply.statusCode < 400 || request.method === 'HEAD' || isDocument) return payload;
    reply.type('application/json').removeHeader('content-length');
    return JSON.stringify({
      reason: REASONS[reply.statusCode] ?? 'refused',
      message: text.trim().replace('websocket bearer', 'bearer'),
    });
  });

  const add = (
    method: string[],
    action: Action,
    serve: (asked: FileRequest, request: FastifyRequest) => Promise<FileAnswer>,
  ): void => {
    app.route({
      method,
      url: '/files/*',
      // HEAD is listed where it is served.
      exposeHeadRoute: false,
      config: { protected: true, action },
      preHandler: async (request, reply) => {
        const refused = await requirePrincipal(request, reply);
        if (refused !== undefined) return refused;
        if (app.lifecycle.reached('draining')) throw new HttpRefusal(503, 'draining', 'the server is draining');
        if (app.files.transfers.count >= MAX_TRANSFERS) throw new HttpRefusal(503, 'noRoom', 'too many transfers');
        return undefined;
      },
      handler: async (request, reply) => {
        const transfer = app.files.transfers.begin();
        // A broken connection ends it, too.
        reply.raw.once('close', () => transfer.closed());
        try {
          const { status, headers, body, sentBytes, trailers } = await serve(requestOf(request), request);
          const observer = observed.get(request);
          if (observer !== undefined && sentBytes !== undefined) observer.sentBytes = sentBytes;
          // Before the end of the answer, which the body's own end brings.
          if (trailers !== undefined) body?.once('end', () => reply.raw.addTrailers(trailers()));
          if (body !== undefined) endWhenUnread(reply.raw, stallTimeoutMs);
          return reply.code(status).headers(headers).send(body);
        } finally {
          transfer.served();
        }
      },
    });
  };

  add(['GET', 'HEAD'], 'files:read', (asked, { method }) => files.read(asked, method === 'GET'));
  add(['PUT'], 'files:write', (asked, request) => {
    const onBytes = (bytes: number): void => {
      const observer = observed.get(request);
      if (observer !== undefined) observer.receivedBytes += bytes;
    };
    return files.write(asked, bodyOf(request.raw, { stallTimeoutMs, onBytes }));
  });
  add(['DELETE'], 'files:write', (asked) => files.remove(asked));
  add(['POST'], 'files:write', (asked) => files.change(asked));
  app.route({
    method: OTHER_METHODS,
    url: '/files/*',
    config: { action: 'anyone' },
    onRequest: async ({ method }, reply) =>
      reply.code(405).header('allow', ALLOWED).send(`${method} is not served here; these are: ${ALLOWED}`),
    handler: async () => {},
  });
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'DELETE', 'POST', ...OTHER_METHODS],
    url: '/files',
    exposeHeadRoute: false,
    config: { action: 'anyone' },
    onRequest: async (_request, reply) =>
      reply.code(404).send('the path of a file is missing: /files/PATH, and /files/ for the root folder'),
    handler: async () => {},
  });
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'denied',
  404: 'notFound',
  405: 'methodNotAllowed',
  500: 'failed',
  503: 'overloaded',
};

/** @throws {HttpRefusal} 400 for a parameter that is given twice */
function requestOf(request: FastifyRequest): FileRequest {
  const { headers, raw } = request;
  const query = request.query as Record<string, unknown>;
  const twice = Object.keys(query).find((name) => typeof query[name] !== 'string');
  if (twice !== undefined) throw new HttpRefusal(400, 'invalid', `the parameter ${twice} is given twice`);
  return { client: raw.socket, path: pathOf(request), headers: onlyTexts(headers), query: onlyTexts(query) };
}

function pathOf({ params }: FastifyRequest): string {
  const { '*': path = '' } = params as { readonly '*'?: string };
  return `/${path}`;
}

/** Names with one value. */
function onlyTexts(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

interface BodyOptions {
  readonly stallTimeoutMs: number;
  readonly onBytes: (bytes: number) => void;
}

/** The body, which breaks off with an error when the client sends next to nothing for a while. */
async function* bodyOf(raw: Readable, { stallTimeoutMs, onBytes }: BodyOptions): AsyncGenerator<Buffer, void, void> {
  let movedBytes = 0;
  let giveUp: ((refusal: HttpRefusal) => void) | undefined;
  const endPace = watchPace({
    stallTimeoutMs,
    movedBytes: () => movedBytes,
    isWaiting: () => giveUp !== undefined,
    giveUp: () => giveUp?.(new HttpRefusal(408, 'stalled', 'the body has stalled, and nothing was changed')),
  });
  // A refusal in the middle must not close the socket: the answer still goes through it.
  const pieces = raw.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        giveUp = reject;
        pieces.next().then(resolve, reject);
      });
      giveUp = undefined;
      if (next.done === true) return;
      movedBytes += next.value.length;
      onBytes(next.value.length);
      yield next.value;
    }
  } finally {
    endPace();
    // Not waited for: after a stall the next piece may never come.
    pieces.return?.().catch(() => {});
  }
}

/** Ends a connection whose client takes next to nothing of its answer for a while. */
function endWhenUnread(response: ServerResponse, stallTimeoutMs: number): void {
  const { socket } = response;
  if (socket === null) return;
  const endPace = watchPace({
    stallTimeoutMs,
    movedBytes: () => socket.bytesWritten - socket.writableLength,
    isWaiting: () => socket.writableLength > 0,
    giveUp: () => socket.destroy(),
  });
  response.once('close', endPace);
}

function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = refusalOf(error) ?? refusalOfFastify(error);
  if (refusal === undefined && !request.raw.destroyed) request.log.error({ err: error }, 'files');
  const { status, reason, message } = refusal ?? FAULT;
  const headers = {
    'content-type': 'application/json',
    ...(status === 503 ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {}),
  };
  const document = JSON.stringify({ reason, message });
  if (request.raw.complete || request.raw.destroyed) return reply.code(status).headers(headers).send(document);
  return answerEarly(request, reply, { status, headers, document });
}

const FAULT = { status: 500, reason: 'failed', message: 'a fault of the server; its log says more' } as const;

/**
 * Answers while the client still sends a body. The end of the answer waits for the end of the body, because it may close the socket, and then what the
 * client has not read yet of the answer would be lost.
 */
function answerEarly(
  { raw: request }: FastifyRequest,
  reply: FastifyReply,
  { status, headers, document }: { status: number; headers: Readonly<Record<string, string>>; document: string },
): FastifyReply {
  reply.hijack();
  const { raw: response } = reply;
  const { socket } = request;
  response.writeHead(status, { ...headers, 'x-execwire-files': '1', 'content-length': Buffer.byteLength(document) });
  response.write(document);
  const timer = setTimeout(() => socket?.destroy(), LINGER_MS);
  const end = (): void => {
    clearTimeout(timer);
    response.end();
  };
  request.once('end', end).once('close', end).resume();
  return reply;
}

/** A request that Fastify itself refuses, such as one with a broken type. */
function refusalOfFastify(error: unknown): HttpRefusal | undefined {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (typeof status !== 'number' || status < 400 || status >= 500) return undefined;
  return new HttpRefusal(status, REASONS[status] ?? 'refused', String(error));
}
