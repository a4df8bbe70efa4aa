/**
 * Who is let in: origin and host of every request, the credential of an upgrade. Knows no session; what it finds out is the request's
 * `principal`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { AuthListener, AuthOptions } from '../src/auth/auth-options.js';
import { type Authenticator, createAuthenticator } from '../src/auth/authenticator.js';
import { isHostAllowed } from '../src/auth/host.js';
import { isLoopbackIp } from '../src/auth/loopback.js';
import { isOriginAllowed } from '../src/auth/origin.js';
import type { Principal } from '../src/auth/principal.js';
import type { Config } from '../src/config/config.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null until the credential has been checked, and where none is. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** Whether a plain request to the route needs the credential that an upgrade needs. */
    readonly protected?: boolean;
    /** Whether the route answers whatever `Host` says: balancers probe without one, and a probe tells a stranger nothing. */
    readonly anyHost?: boolean;
  }
}

/** The flags of authentication and admission, as the auth layer names them. */
export function authOptionsOf(config: Config): AuthOptions {
  return {
    mode: config.wsAuth,
    tokenFile: config.wsTokenFile,
    tokenSha256: config.wsTokenSha256,
    sharedSecretFile: config.wsSharedSecretFile,
    jwksFile: config.wsJwksFile,
    issuer: config.wsIssuer,
    audience: config.wsAudience,
    maxClockSkewSeconds: config.wsMaxClockSkewSeconds,
    allowOrigins: config.allowOrigin,
    allowHosts: config.allowHost,
    tlsCertFile: config.tlsCert,
    tlsKeyFile: config.tlsKey,
  };
}

/** The listener, as the auth layer names it. */
export function authListenerOf({ address }: Config): AuthListener {
  return address.kind === 'ws' ? { kind: 'ws', host: address.host, port: address.port } : { kind: address.kind };
}

export const authPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const { address } = config;
    const onWarning = (warning: string): void => app.log.warn({ warning }, 'auth');
    const authenticator = await createAuthenticator(authOptionsOf(config), authListenerOf(config), onWarning);
    const checksHost = address.kind === 'ws' && isLoopbackIp(address.host);
    app.decorateRequest('principal', null);

    app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
      // Any value of the header counts, and BEFORE the credential: a page must not learn whether a token is good.
      if (!isOriginAllowed(request.headers.origin, config.allowOrigin)) {
        return reply.code(403).send('origin not allowed; see --allow-origin\n');
      }
      const anyHost = request.routeOptions.config.anyHost === true && request.headers.upgrade === undefined;
      if (checksHost && !anyHost && !isHostAllowed(request.headers.host, config.allowHost)) {
        return reply.code(403).send('host not allowed; see --allow-host\n');
      }
      return undefined;
    });

    app.addHook('preValidation', async (request: FastifyRequest, reply: FastifyReply) => {
      if (request.ws || request.routeOptions.config.protected === true) return admit(authenticator, request, reply);
      return undefined;
    });
  },
  { name: 'auth' },
);

async function admit(authenticator: Authenticator, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const result = await authenticator.authenticate(request.headers);
  if (!result.ok) return reply.code(result.status).header('www-authenticate', 'Bearer').send(result.message);
  request.principal = result.principal;
  return undefined;
}
