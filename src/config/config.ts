/**
 * Every flag and its environment variable, validated into one frozen Config. Only this file and the environment of children read `process.env`.
 * `--help` and `docs/configuration.md` are made from this table.
 */
import type * as z from 'zod';
import { type FlagReading, flagOf, readFlags, variableOf } from './flags.js';
import {
  type ListenAddress,
  ListenUrlError,
  parseListenUrl,
  parseMetricsUrl,
  type SocketAddress,
} from './listen-address.js';
import {
  bytes,
  choice,
  count,
  duration,
  flag,
  list,
  type Option,
  optionalChoice,
  optionalCount,
  optionalText,
  text,
} from './option-kinds.js';
import { readTelemetrySettings, type TelemetrySettings } from './telemetry-settings.js';

/** Upper limit of all counts. */
const MANY = 1_000_000;

/** All options by their name in {@link Config}; the flag is that name in kebab-case without a final `Ms`. */
export const options = {
  listen: text(
    'URL',
    'stdio://',
    'Where to serve: `stdio://`, `ws://IP:PORT` (port 0: the kernel chooses) or `unix:///path`.',
  ),

  wsAuth: optionalChoice(
    ['none', 'capability-token', 'signed-bearer-token'],
    'How clients prove who they are. Required on a non-loopback address; there `none` must be given explicitly.',
  ),
  wsTokenFile: optionalText(
    'PATH',
    'Absolute path of the file with the token of `capability-token`. Read again when it changes.',
  ),
  wsTokenSha256: optionalText('HEX', 'SHA-256 of the token of `capability-token`, instead of the file.'),
  wsSharedSecretFile: optionalText(
    'PATH',
    'Absolute path of the file with the HS256 secret of `signed-bearer-token`, at least 32 bytes.',
  ),
  wsJwksFile: optionalText(
    'PATH',
    'Absolute path of the JSON Web Key Set of `signed-bearer-token` (RS256, ES256, EdDSA). Read again when it changes.',
  ),
  wsIssuer: optionalText('TEXT', 'Required `iss` of a signed token. Default: any.'),
  wsAudience: optionalText('TEXT', 'Required `aud` of a signed token. Default: any.'),
  wsMaxClockSkewSeconds: optionalCount(0, 3600, "Seconds by which an issuer's clock may differ. Default 30."),
  allowOrigin: list(
    'ORIGIN',
    'Origin whose pages may connect, exactly as a browser sends it. Repeatable. Default: none; every request with an `Origin` header is refused, except from the pages of `--ui`.',
  ),
  allowHost: list(
    'HOST',
    'Further `Host` header accepted on a loopback address, for a proxy on the same machine. Repeatable.',
  ),
  tlsCert: optionalText(
    'PATH',
    'PEM file with the certificate chain: serves `wss` and `https`. Read again when it changes.',
  ),
  tlsKey: optionalText('PATH', 'PEM file with the private key of `--tls-cert`.'),

  defaultCwd: optionalText('PATH', "Working directory of commands whose request names none. Default: the server's."),
  envAllow: list(
    'PATTERN',
    "Inherited variables that commands get, `*` stands for any text. Repeatable. Default: all but the server's own.",
  ),
  envDeny: list('PATTERN', 'Inherited variables that commands do not get. Repeatable. Default: none.'),
  runAs: optionalText(
    'USER',
    "User name or number that commands run as, with the groups that this user has when the server starts. The user's rights also decide on a command's directory and program. Needs root. Default: the server's user.",
  ),
  oomScoreAdj: count(
    0,
    1000,
    '500',
    "Added to the commands' OOM score, so that the kernel ends them before the server. 0: leave it.",
  ),

  sandboxDefault: choice(
    ['dangerFullAccess', 'workspaceWrite', 'readOnly'],
    'dangerFullAccess',
    'Sandbox policy of a command whose request names none.',
  ),
  sandboxMinimum: choice(
    ['none', 'workspaceWrite', 'readOnly'],
    'none',
    'Sandbox policy that every command gets at least. A reply says so if its request asked for less.',
  ),
  sandboxRoots: list(
    'PATH',
    "Path that commands under `--sandbox-default` or `--sandbox-minimum` may write, beside the server's folder. Under a minimum a request can name no other. Repeatable.",
  ),
  sandboxNetwork: flag('Commands under `--sandbox-default` or `--sandbox-minimum` keep their network.'),

  filesRoot: optionalText(
    'DIR',
    'Folder that `fs/*` and `--files` never leave, by no link and no rename. Needs Linux 5.6 and /proc. Default: every file that the server may use.',
  ),
  noFiles: flag('Switches `fs/*` off. They follow the right to run commands, and are off with `--run-as`.'),
  ui: flag(
    'Serves a terminal for browsers at `/terminal`. Its pages may connect to this server, with the credential of an upgrade.',
  ),
  files: flag('Serves files by HTTP at `/files/PATH`, with the credential of an upgrade. Not with `--run-as`.'),

  drainDelayMs: duration(
    '0s',
    'At a first signal: how long only `/readyz` changes, so that balancers notice. 5s behind a balancer.',
  ),
  drainTimeoutMs: duration('30s', 'How long running commands may go on after that; then they are ended.'),
  killGraceMs: duration('5s', "Between SIGTERM and SIGKILL at the drain's deadline."),
  initializeTimeoutMs: duration(
    '30s',
    'A connection that has not sent `initialize` by then is closed with 1008. 0: no limit.',
  ),
  pingIntervalMs: duration(
    '25s',
    'Time between two WebSocket pings. A peer that is silent for two of them and takes no output is dropped. 0: no pings.',
  ),
  stallTimeoutMs: duration(
    '5m',
    'A connection whose pending output makes no progress for so long is closed with 1008. 0: no limit.',
  ),

  maxConnections: count(1, MANY, '10000', 'Open connections; further upgrades get 503.'),
  maxRequestsPerConnection: count(1, MANY, '1024', 'Requests in flight on one connection; further ones get -32001.'),
  maxRequests: count(1, MANY, '16384', 'Requests in flight on all connections; further ones get -32001.'),
  maxProcessesPerConnection: count(1, MANY, '256', 'Running commands of one connection; further ones get -32001.'),
  maxProcesses: count(1, MANY, '1024', 'Running commands of all connections; further ones get -32001.'),
  maxFrameBytes: bytes(
    1024,
    '16m',
    'Longest message; a longer one closes the connection with 1009 (stdio: the line is skipped).',
  ),
  maxStdinBytes: bytes(
    65_536,
    '16m',
    'Bytes written to one command that wait for it; further writes wait, up to as many again.',
  ),
  maxBufferedBytes: bytes(1024, '256m', 'Bytes of one stream kept for a reply, also with `disableOutputCap`.'),
  maxBufferedTotalBytes: bytes(
    65_536,
    '512m',
    'Bytes kept for replies by all commands together; beyond it output is dropped (`truncated`) and no command starts that buffers its output.',
  ),
  maxFileReadBytes: bytes(
    1024,
    '32m',
    'Largest file that `fs/readFile` gives whole; larger ones go in blocks or by `--files`.',
  ),
  maxDetachedMs: duration('1h', 'Longest `ttlMs` of a detachable command. 0: as long as the client likes.'),
  maxReplayBytes: bytes(0, '64m', 'Most output of one stream that a detachable command may have kept.'),
  replayBudget: bytes(
    0,
    '256m',
    'Output kept for detachable commands, all together; beyond it the oldest bytes of the largest go first.',
  ),
  noScreens: flag(
    'Does not follow the screens of detachable terminals. A `screen` then shows only the output that is still kept, and says so.',
  ),
  sessionKeepMs: duration(
    '80s',
    'How long a session of the exec-server protocol is kept without a connection, with its commands, and a process of one after its end.',
  ),
  maxOwedReplyBytes: bytes(65_536, '64m', 'Bytes of replies a client may leave unread before it is closed with 1008.'),
  maxEventLoopDelayMs: duration('500ms', '`/readyz` is 503 while the event loop lags by more. 0: no limit.'),

  logLevel: choice(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'info',
    'Least level that is logged. SIGUSR1 toggles debug.',
  ),
  metricsListen: optionalText(
    'URL',
    'Serves `/metrics` on an address of its own, `http://IP:PORT` or `unix:///path`, without a credential, and no longer on the main one.',
  ),
  traceArgv: flag('Puts the arguments of commands into traces.'),
  compression: flag('Offers permessage-deflate. Costs CPU and memory for every connection.'),
} as const satisfies Record<string, Option<unknown>>;

type Values = { readonly [N in keyof typeof options]: z.output<(typeof options)[N]['schema']> };

/** All settings of one server. */
export interface Config extends Readonly<Values> {
  /** `listen`, read. */
  readonly address: ListenAddress;
  /** `metricsListen`, read; undefined without one. */
  readonly metricsAddress: SocketAddress | undefined;
  /** What `OTEL_*` and `TRACEPARENT` ask for. */
  readonly telemetry: TelemetrySettings;
}

/** All mistakes in the flags and variables, in one message. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/**
 * Reads flags and, for missing flags, their variables.
 * @param argv the arguments after the name of the command
 * @throws {ConfigError} naming every bad value
 */
export function readConfig(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  reading: FlagReading = {},
): Config {
  const { texts, problems: wrongFlags } = readFlags(argv, options, reading);
  const problems = [...wrongFlags];
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries<Option<unknown>>(options)) {
    const flagTexts = texts.get(name);
    const source = flagTexts === undefined ? variableOf(name) : flagOf(name);
    const parsed = option.schema.safeParse(flagTexts ?? variableTexts(env[variableOf(name)], option));
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${source}: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`);
  }
  let address: ListenAddress = { kind: 'stdio' };
  let metricsAddress: SocketAddress | undefined;
  try {
    address = parseListenUrl(String(values.listen));
    if (typeof values.metricsListen === 'string') metricsAddress = parseMetricsUrl(values.metricsListen);
  } catch (error) {
    if (!(error instanceof ListenUrlError)) throw error;
    problems.push(error.message);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const telemetry = readTelemetrySettings(env);
  return frozen({ ...(values as Values), address, metricsAddress, telemetry });
}

/**
 * Reads the settings of a server that no other program can reach: without a listener, and with warnings alone in the log unless more is asked for.
 * @throws {ConfigError} naming every bad value
 */
export function readOwnConfig(argv: readonly string[]): Config {
  return readConfig([...argv, '--listen', 'stdio://'], { [variableOf('logLevel')]: 'warn', ...process.env });
}

/** The bounds as `initialize` reports them. */
export function limitsOf(config: Config): Record<string, number> {
  const bounds = Object.entries(config).filter(([name, value]) => name.startsWith('max') && typeof value === 'number');
  return Object.fromEntries(bounds.map(([name, value]) => [name.replace(/Ms$/, ''), value as number]));
}

/** Freezes an object with everything in it, so that no setting changes while the server runs. */
function frozen<T extends object>(settings: T): T {
  for (const value of Object.values(settings)) if (typeof value === 'object' && value !== null) frozen(value);
  return Object.freeze(settings);
}

function variableTexts(value: string | undefined, option: Option<unknown>): string[] | undefined {
  if (value === undefined || value === '') return undefined;
  return option.repeatable ? value.split(',').map((item) => item.trim()) : [value];
}
