/** `execwire/fastify`: a plugin that serves execwire below a prefix of another Fastify app. Uses only the types of Fastify. */
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { asksForWebSocket, serveAsPlain } from '../server/plain-requests.js';
import { Authorization, type Authorize } from './authorization.js';
import { checkPluginOptions } from './plugin-options.js';
import { headersOf, proxyGet, proxyUpgrade, refuseUpgrade } from './proxied-request.js';
import { ServerChild } from './server-child.js';

/**
 * How to embed execwire.
 *
 * @example
 * import Fastify from 'fastify';
 * import { execwirePlugin, type ExecwirePluginOptions } from 'execwire/fastify';
 * const options: ExecwirePluginOptions = { authorize: (request) => request.headers.cookie === 'session=good' };
 * const app = Fastify();
 * await app.register(execwirePlugin, { prefix: '/box', ...options });
 */
export interface ExecwirePluginOptions {
  /**
   * Whether an upgrade or a plain request is let in: only `true` lets it in, everything else is answered with 401, and an error with 500. Probes are
   * always let in. Default: what `--ws-auth` in `flags` says. One of the two must be given. All clients that it lets in are one principal.
   */
  readonly authorize?: Authorize;
  /**
   * Flags of `execwire serve`, such as `['--drain-timeout', '10s', '--allow-origin', 'https://app.example']`. What your app owns is refused: `--listen`,
   * `--tls-cert`, `--tls-key`, `--allow-host` and `--files`. Variables named `EXECWIRE_…` count, too. Default: none.
   */
  readonly flags?: readonly string[];
}

/** Paths that need no authorization, because they reveal nothing. */
const PROBES = ['/healthz', '/livez', '/readyz', '/ownerz'];
/** pino's levels by their numbers. */
const LEVELS: Readonly<Record<number, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/**
 * Serves execwire below the prefix it is registered with: WebSocket upgrades on the prefix itself, and `/healthz`, `/readyz` and the like below it. The
 * server is a process of its own; it is drained when the app closes, and ends with the process of the app. Works with the Fastify 5 of the app.
 * @throws {TypeError} when an option is unknown or has the wrong type
 * @throws {Error} when neither `authorize` nor `--ws-auth` is given, for a flag that makes no sense here, or when the server does not start; then with its
 * output
 *
 * @example
 * import Fastify from 'fastify';
 * import { execwirePlugin } from 'execwire/fastify';
 * const app = Fastify();
 * await app.register(execwirePlugin, { prefix: '/box', flags: ['--ws-auth', 'none'] });
 * await app.listen({ port: 0 });
 * await app.close();
 */
export async function execwirePlugin(app: FastifyInstance, options: ExecwirePluginOptions): Promise<void> {
  checkPluginOptions({ ...options });
  const { flags = [] } = options;
  const authorization = new Authorization(options.authorize, app.log);
  const { prefix } = app;
  const server = new ServerChild({
    script: join(import.meta.dirname, 'execwire.cjs'),
    preload: join(import.meta.dirname, 'ends-with-parent.cjs'),
    flags,
    onLogLine: (line) => logLine(app, line),
    onCrash: (how) => app.log.error({ how }, 'execwire ended and is started again for the next client'),
  });
  await server.socketPath();
  app.addHook('preClose', () => server.stop());
  // A server that drains has ended in good order, and its client may come back to another one.
  const statusOfUnreachable = (): 502 | 503 => (server.isStopping ? 503 : 502);

  app.get('/*', async (request: FastifyRequest, reply: FastifyReply) => {
    const path = pathBelow(prefix, request.raw.url ?? '/') ?? '/';
    const isProbe = PROBES.includes(path.split('?', 1)[0] ?? '');
    const refused = isProbe ? undefined : await authorization.refusal(request.raw);
    if (refused !== undefined) return reply.code(refused).send();
    let answer: IncomingMessage;
    try {
      answer = await proxyGet(request.raw, path, await server.socketPath());
    } catch (error) {
      const status = statusOfUnreachable();
      // The message names a path of this machine, which is no matter of the client.
      if (status !== 503) app.log.error({ err: error }, 'a request could not be handed to execwire');
      return reply.code(status).headers(headersOf(status)).send();
    }
    return reply
      .code(answer.statusCode ?? 502)
      .headers({ 'content-type': answer.headers['content-type'] ?? 'text/plain' })
      .send(answer);
  });

  const onUpgrade = async (request: IncomingMessage, path: string, socket: Duplex, head: Buffer): Promise<void> => {
    // Until the socket is handed on, an error of it would have no other listener and would end the process.
    socket.on('error', () => {});
    const refuse = (status: number): void => refuseUpgrade(socket, status);
    const refused = await authorization.refusal(request);
    if (refused !== undefined) return refuse(refused);
    try {
      const to = await server.socketPath();
      proxyUpgrade({ request, path, to, socket, head, onUnreachable: () => refuse(statusOfUnreachable()) });
    } catch (error) {
      const status = statusOfUnreachable();
      if (status !== 503) app.log.error({ err: error }, 'an upgrade could not be handed to execwire');
      refuse(status);
    }
  };
  // AFTER all plugins have added their listeners: each upgrade goes to one of them.
  app.addHook('onReady', async () => {
    const others = app.server.listeners('upgrade');
    app.server.removeAllListeners('upgrade');
    app.server.on('upgrade', (request, socket, head) => {
      const path = pathBelow(prefix, request.url ?? '/');
      if (path !== undefined && asksForWebSocket(request)) void onUpgrade(request, path, socket, head);
      else if (others.length === 0) serveAsPlain(app.server, request, socket, head);
      else for (const listener of others) listener.call(app.server, request, socket, head);
    });
  });
}

/** The part of a path after the prefix, with its query; undefined for a path that is not below the prefix. */
function pathBelow(prefix: string, url: string): string | undefined {
  if (!url.startsWith(prefix)) return undefined;
  const rest = url.slice(prefix.length);
  if (rest === '' || rest.startsWith('?')) return `/${rest}`;
  return rest.startsWith('/') ? rest : undefined;
}

/** Writes a line of the server's log to the app's log. */
function logLine(app: FastifyInstance, line: string): void {
  try {
    const { level, msg, time: _time, pid: _pid, hostname: _hostname, ...fields } = JSON.parse(line);
    app.log[LEVELS[level] ?? 'info'](fields, `execwire: ${msg}`);
  } catch {
    app.log.info(`execwire: ${line}`);
  }
}
