/**
 * Decides who is let in: origin and host of every request, the credential of an upgrade. Knows no session; the result is the request's `principal`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { createAuthenticator } from '../src/auth/authenticator.js';
import { FirstRefusals } from '../src/auth/first-refusals.js';
import type { Principal } from '../src/auth/principal.js';
import { RequestAdmission } from '../src/auth/request-admission.js';
import type { Config } from '../src/config/config.js';
import { type Action, mayDo } from '../src/policy/may-do.js';
import { authListenerOf, authOptionsOf } from '../src/server/auth-settings.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller; null until a credential was checked. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** The right that the route needs; `anyone` for a route that reveals nothing. */
    readonly action?: Action | 'anyone';
    /** Whether a plain request to the route needs a credential, as an upgrade does. */
    readonly protected?: boolean;
    /** Whether the route answers any `Host`. Balancers probe without one, and a probe reveals nothing. */
    readonly anyHost?: boolean;
  }
}

/**
 * Refuses a request that went past the authentication, or whose caller may not do what the route does: a route stays closed unless the caller is proved. For `preHandler`, which runs before an
 * upgrade is answered.
 */
export async function requirePrincipal(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  // Undefined if the authentication was never registered.
  if (request.principal != null) {
    const { action } = request.routeOptions.config;
    if (action === undefined || action === 'anyone') return undefined;
    const decision = mayDo(request.principal, action);
    return decision.allowed ? undefined : reply.code(403).send(`${decision.reason}\n`);
  }
  request.log.error('refused a request that went past the authentication');
  return reply.code(500).header('connection', 'close').send();
}

export const authPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const listener = authListenerOf(config);
    const onWarning = (warning: string): void => app.log.warn({ warning }, 'auth');
    const authenticator = await createAuthenticator(authOptionsOf(config), listener, onWarning);
    const admission = new RequestAdmission({
      listener,
      allowOrigins: config.allowOrigin,
      allowHosts: config.allowHost,
      hasPages: config.ui,
      needsCredential: config.wsAuth !== undefined && config.wsAuth !== 'none',
    });
    if (admission.refusesOwnPages) {
      const warning = 'the pages of --ui cannot connect: without a credential they need --allow-origin';
      app.log.warn({ warning }, 'auth');
    }
    const refusals = new FirstRefusals();
    app.decorateRequest('principal', null);
    app.addHook('onRoute', ({ url, config: route }) => {
      if (route?.action === undefined) throw new Error(`The route ${url} does not name the right that it needs`);
    });

    app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
      const anyHost = request.routeOptions.config.anyHost === true && request.headers.upgrade === undefined;
      const refusal = admission.refusal(request.headers, anyHost);
      if (refusal === undefined) return undefined;
      const { header, text } = refusal;
      // A browser tells its page nothing of the answer, so the log is the only place that can.
      const first = refusals.note(header, request.headers[header]);
      if (first !== undefined) {
        app.log.warn({ [header]: first.value }, `refused: ${header} not allowed; --allow-${header} would let it in`);
      }
      return reply.code(403).send(text);
    });

    app.addHook('preValidation', async (request: FastifyRequest, reply: FastifyReply) => {
      if (!request.ws && request.routeOptions.config.protected !== true) return undefined;
      const result = await authenticator.authenticate(request.headers);
      if (!result.ok) return reply.code(result.status).header('www-authenticate', 'Bearer').send(result.message);
      request.principal = result.principal;
      return undefined;
    });
  },
  { name: 'auth' },
);
