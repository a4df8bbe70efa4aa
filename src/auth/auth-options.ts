// Owns the options of authentication and admission, and which combinations of them are wrong. Reads no file and no argv.

import { isSha256Hex } from './capability-token.js';
import { problemOfAllowedHost } from './host.js';
import { isLoopbackIp } from './loopback.js';
import { problemOfAllowedOrigin } from './origin.js';

/** How a client proves who it is (`--ws-auth`). */
export type AuthMode = 'none' | 'capability-token' | 'signed-bearer-token';

/** Seconds by which the clocks of issuer and server may differ if `--ws-max-clock-skew-seconds` is not given. */
export const DEFAULT_CLOCK_SKEW_SECONDS = 30;

/** The flags of authentication and admission. Undefined: the flag was not given. */
export interface AuthOptions {
  /** `--ws-auth`. Undefined differs from `none`, which must be written explicitly. */
  readonly mode?: AuthMode | undefined;
  /** `--ws-token-file`, absolute path. */
  readonly tokenFile?: string | undefined;
  /** `--ws-token-sha256`, 64 hexadecimal digits. */
  readonly tokenSha256?: string | undefined;
  /** `--ws-shared-secret-file`, absolute path. */
  readonly sharedSecretFile?: string | undefined;
  /** `--ws-jwks-file`, absolute path. */
  readonly jwksFile?: string | undefined;
  /** `--ws-issuer`. */
  readonly issuer?: string | undefined;
  /** `--ws-audience`. */
  readonly audience?: string | undefined;
  /** `--ws-max-clock-skew-seconds`. Default 30. */
  readonly maxClockSkewSeconds?: number | undefined;
  /** `--allow-origin`, repeatable. Default: none. */
  readonly allowOrigins?: readonly string[] | undefined;
  /** `--allow-host`, repeatable. Default: none. */
  readonly allowHosts?: readonly string[] | undefined;
  /** `--tls-cert`, path of a PEM file. */
  readonly tlsCertFile?: string | undefined;
  /** `--tls-key`, path of a PEM file. */
  readonly tlsKeyFile?: string | undefined;
}

/** Where the server listens. `host` is an IP address without brackets. */
export type AuthListener =
  | { readonly kind: 'stdio' }
  | { readonly kind: 'unix' }
  | { readonly kind: 'ws'; readonly host: string; readonly port: number };

/** A reason not to start: the sentence for stderr, and the exit code (1 refused, 2 wrong use of flags). */
export interface StartProblem {
  readonly message: string;
  readonly exitCode: 1 | 2;
}

/** Finds every reason not to start with these options. Empty: the server may start. Files are checked later, when they are opened. */
export function validateAuthOptions(options: AuthOptions, listener: AuthListener): StartProblem[] {
  const usage = [...modeProblems(options), ...valueProblems(options), ...tlsProblems(options, listener)];
  const problems: StartProblem[] = usage.map((message) => ({ message, exitCode: 2 }));
  if (options.mode === undefined && isExposed(listener)) {
    problems.push({
      message:
        `refusing to start non-loopback websocket listener ${addressOf(listener)} without auth; configure ` +
        '`--ws-auth capability-token` or `--ws-auth signed-bearer-token` ' +
        '(or say `--ws-auth none` where something else keeps strangers out)',
      exitCode: 1,
    });
  }
  return problems;
}

/** Warnings that are logged at every start with such options. */
export function authStartWarnings(options: AuthOptions, listener: AuthListener): string[] {
  if (!isExposed(listener)) return [];
  const address = addressOf(listener);
  if (options.mode === 'none') {
    return [
      `websocket listener ${address} has no authentication (--ws-auth none): everybody who can reach it can run commands on this machine`,
    ];
  }
  if (options.mode !== undefined && options.tlsCertFile === undefined) {
    return [
      `websocket listener ${address} takes bearer tokens without TLS: everybody who can read the traffic can take over; ` +
        'set --tls-cert and --tls-key, or end TLS at a load balancer in front and let nothing else reach this port',
    ];
  }
  return [];
}

/** Whether the listener can be reached from other machines. */
function isExposed(listener: AuthListener): listener is Extract<AuthListener, { kind: 'ws' }> {
  return listener.kind === 'ws' && !isLoopbackIp(listener.host);
}

function addressOf(listener: Extract<AuthListener, { kind: 'ws' }>): string {
  return listener.host.includes(':') ? `[${listener.host}]:${listener.port}` : `${listener.host}:${listener.port}`;
}

function modeProblems(options: AuthOptions): string[] {
  const { mode, tokenFile, tokenSha256, sharedSecretFile, jwksFile } = options;
  const hasTokenFlag = tokenFile !== undefined || tokenSha256 !== undefined;
  const hasJwtFlag = [sharedSecretFile, jwksFile, options.issuer, options.audience, options.maxClockSkewSeconds].some(
    (value) => value !== undefined,
  );
  switch (mode) {
    case undefined:
    case 'none':
      return hasTokenFlag || hasJwtFlag
        ? ['websocket auth flags require `--ws-auth capability-token` or `--ws-auth signed-bearer-token`']
        : [];
    case 'capability-token':
      return [
        ...(hasJwtFlag
          ? [
              '`--ws-shared-secret-file`, `--ws-jwks-file`, `--ws-issuer`, `--ws-audience`, and ' +
                '`--ws-max-clock-skew-seconds` require `--ws-auth signed-bearer-token`',
            ]
          : []),
        ...exactlyOne('capability-token', ['--ws-token-file', tokenFile], ['--ws-token-sha256', tokenSha256]),
      ];
    case 'signed-bearer-token':
      return [
        ...(hasTokenFlag
          ? [
              '`--ws-token-file` and `--ws-token-sha256` require `--ws-auth capability-token`, not `signed-bearer-token`',
            ]
          : []),
        ...exactlyOne(
          'signed-bearer-token',
          ['--ws-shared-secret-file', sharedSecretFile],
          ['--ws-jwks-file', jwksFile],
        ),
      ];
  }
}

type FlagValue = readonly [flag: string, value: string | undefined];

function exactlyOne(mode: AuthMode, [first, firstValue]: FlagValue, [second, secondValue]: FlagValue): string[] {
  if (firstValue === undefined && secondValue === undefined) {
    return [`\`${first}\` or \`${second}\` is required when \`--ws-auth ${mode}\` is set`];
  }
  if (firstValue !== undefined && secondValue !== undefined) {
    return [`\`${first}\` and \`${second}\` are mutually exclusive`];
  }
  return [];
}

function valueProblems(options: AuthOptions): string[] {
  const { tokenSha256, maxClockSkewSeconds: skew } = options;
  const problems: string[] = [];
  if (tokenSha256 !== undefined && !isSha256Hex(tokenSha256)) {
    problems.push('--ws-token-sha256 must be a 64-character hex SHA-256 digest');
  }
  if (skew !== undefined && !(Number.isSafeInteger(skew) && skew >= 0)) {
    problems.push('--ws-max-clock-skew-seconds must be a whole number of seconds, 0 or more');
  }
  for (const problem of [
    ...(options.allowOrigins ?? []).map(problemOfAllowedOrigin),
    ...(options.allowHosts ?? []).map(problemOfAllowedHost),
  ]) {
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

function tlsProblems(options: AuthOptions, listener: AuthListener): string[] {
  const { tlsCertFile, tlsKeyFile } = options;
  if (tlsCertFile === undefined && tlsKeyFile === undefined) return [];
  if (tlsCertFile === undefined) return ['`--tls-key` requires `--tls-cert`'];
  if (tlsKeyFile === undefined) return ['`--tls-cert` requires `--tls-key`'];
  return listener.kind === 'ws' ? [] : ['`--tls-cert` and `--tls-key` require a `ws://IP:PORT` listener'];
}
