/** Translates the server's settings into those of the auth layer, which does not know the configuration. */
import type { AuthListener, AuthOptions } from '../auth/auth-options.js';
import type { Config } from '../config/config.js';

/** The flags of authentication and admission. */
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

/** The listener. */
export function authListenerOf({ address }: Config): AuthListener {
  return address.kind === 'ws' ? { kind: 'ws', host: address.host, port: address.port } : { kind: address.kind };
}
