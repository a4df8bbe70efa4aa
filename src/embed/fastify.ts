/** `execwire/fastify`: a plugin that serves execwire below a prefix of another Fastify app. Uses only the types of Fastify. */
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { asksForWebSocket, serveAsPlain } from '../server/plain-requests.js';
import { proxyGet, proxyUpgrade, refuseUpgrade } from './proxied-request.js';
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
   * Whether an upgrade or a plain request is let in; false is answered with 401. Probes are always let in. Default: what `--ws-auth` in `flags` says.
   * One of the two must be given. All clients that it lets in are one principal.
   */
  readonly authorize?: (request: IncomingMessage) => boolean | Promise<boolean>;
  /**
   * Flags of `execwire serve`, such as `['--drain-timeout', '10s', '--allow-origin', 'https://app.example']`, but not `--listen`, which the plugin sets.
   * Variables named `EXECWIRE_…` count, too. Default: none.
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
 * @throws {Error} when neither `authorize` nor `--ws-auth` is given, or when the server does not start; then with its output
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
  const { authorize, flags = [] } = options;
  const hasAuth = flags.some((flag) => /^--ws-auth(=|$)/.test(flag));
  if (authorize === undefined && !hasAuth) {
    throw new Error(
      'execwire runs commands for everybody it lets in: give the plugin `authorize`, or `--ws-auth` in `flags` ' +
        '(`--ws-auth none` where something else keeps strangers out)',
    );
  }
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

  app.get('/*', async (request: FastifyRequest, reply: FastifyReply) => {
    const path = pathBelow(prefix, request.raw.url ?? '/') ?? '/';
    const isProbe = PROBES.includes(path.split('?', 1)[0] ?? '');
    if (!isProbe && authorize !== undefined && !(await authorize(request.raw))) return reply.code(401).send();
    const answer = await proxyGet(request.raw, path, await server.socketPath());
    return reply
      .code(answer.statusCode ?? 502)
      .headers({ 'content-type': answer.headers['content-type'] ?? 'text/plain' })
      .send(answer);
  });

  const onUpgrade = async (request: IncomingMessage, path: string, socket: Duplex, head: Buffer): Promise<void> => {
    // Until the socket is handed on, an error of it would have no other listener and would end the process.
    socket.on('error', () => {});
    try {
      if (authorize !== undefined && !(await authorize(request))) refuseUpgrade(socket, '401 Unauthorized');
      else proxyUpgrade(request, path, await server.socketPath(), socket, head);
    } catch (error) {
      app.log.error({ err: error }, 'an upgrade could not be handed to execwire');
      refuseUpgrade(socket, '502 Bad Gateway');
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
