/** `execwire serve`: from flags to a running service and to its exit code. */
import type { FastifyInstance } from 'fastify';
import { authStartWarnings, validateAuthOptions } from '../auth/auth-options.js';
import { ANONYMOUS } from '../auth/principal.js';
import { type Config, ConfigError, readConfig } from '../config/config.js';
import type { SocketAddress } from '../config/listen-address.js';
import { createLog, type ServerLog } from '../log.js';
import { keepDescriptorLimit } from '../process/open-descriptors.js';
import { startThreadPool } from '../process/thread-pool.js';
import { StdioTransport } from '../rpc/stdio-transport.js';
import { buildApp } from '../server/app.js';
import { authListenerOf, authOptionsOf } from '../server/auth-settings.js';
import { banner, ListenError, listen } from '../server/listener.js';
import { buildMetricsApp } from '../server/metrics-app.js';
import { flagAdvice } from './flag-advice.js';
import { loadTelemetry, TELEMETRY_TIMEOUT_MS } from './load-telemetry.js';
import { START_PATIENCE_MS, safeLine, say, writeToStderr } from './say.js';
import { handleSignals } from './signals.js';

/** The flags or the environment are wrong. */
export const EXIT_USAGE = 2;
/** The service could not start. */
const EXIT_FAILURE = 1;
/** How long the last connections have to go when everything is said. */
const CLOSE_TIMEOUT_MS = 3000;

/** Serves until it is told to end. @returns the exit code */
export async function serve(argv: readonly string[]): Promise<number> {
  const signals = handleSignals();
  // FIRST: with the process at its limit of threads it could not start any more.
  await startThreadPool();
  await keepDescriptorLimit();
  let config: Config;
  try {
    config = readConfig(argv, undefined, { adviceOn: (flag, known) => flagAdvice('serve', flag, known) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return refuse(error.message, EXIT_USAGE);
  }
  const problems = validateAuthOptions(authOptionsOf(config), authListenerOf(config));
  if (problems.length > 0) {
    const code = problems.some(({ exitCode }) => exitCode === EXIT_USAGE) ? EXIT_USAGE : EXIT_FAILURE;
    return refuse(problems.map(({ message }) => message).join('\n'), code);
  }
  const log = createLog({ level: config.logLevel });
  process.on('SIGUSR1', () => log.toggleDebug());
  const sdk = await loadTelemetry(config, log.logger);
  let app: FastifyInstance;
  let metricsApp: FastifyInstance | undefined;
  try {
    app = await buildApp(config, log.logger, { sdk, droppedLogLines: () => log.droppedLines });
    await app.ready();
  } catch (error) {
    return refuse(`cannot start: ${error instanceof Error ? error.message : String(error)}`, EXIT_FAILURE);
  }
  signals.endInOrder({
    drain: () => app.drain(),
    killCommands: () => app.killCommands(),
    sayDraining: () => sayDraining(app.commands.running, config.drainDelayMs + config.drainTimeoutMs),
    logUnforeseen: (error) => app.log.fatal({ err: error }, 'unforeseen error: the server drains and ends'),
  });

  try {
    metricsApp = await serveMetrics(app, config);
    const isListenerNamed = argv.some((word) => /^--listen(=|$)/.test(word));
    if (config.address.kind === 'stdio' && !isListenerNamed) sayThatItReadsTheTerminal();
    if (config.address.kind === 'stdio') {
      const receivedBytes = await serveStdio(app, config, log);
      if (receivedBytes === 0 && !isListenerNamed) sayThatInputHasEnded();
    } else {
      await serveListener(app, config, config.address, log);
    }
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    await app.close();
    return refuse(error.message, EXIT_FAILURE);
  }
  // With a limit, because a socket that never closes must not keep a server that has drained.
  await Promise.race([app.close(), new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS))]);
  // AFTER the last connection has gone, because a drain should be visible in the metrics to its end.
  await metricsApp?.close();
  await sdk?.shutdown(TELEMETRY_TIMEOUT_MS);
  return signals.exitCode;
}

/** Serves the metrics on a listener of their own, where one is asked for. @throws {ListenError} */
async function serveMetrics(app: FastifyInstance, { metricsAddress }: Config): Promise<FastifyInstance | undefined> {
  if (metricsAddress === undefined) return undefined;
  const metricsApp = await buildMetricsApp(app.exposition, app.log);
  await metricsApp.ready();
  const url = await listen(metricsApp.server, metricsAddress, false);
  app.log.info({ metrics: `${url.replace(/^ws/, 'http')}/metrics` }, 'metrics');
  return metricsApp;
}

/** Tells whoever started the server by hand why nobody can connect to it. A program that starts it has a pipe there. */
function sayThatItReadsTheTerminal(): void {
  if (process.stdin.isTTY !== true) return;
  say(
    'no --listen, so JSON-RPC is read from this terminal, and nobody can connect; for a server: execwire serve --listen ws://127.0.0.1:4500',
  );
}

/** Tells why a server ends at once that was to be a service and was started without an address: `docker run` connects its input to nothing. */
function sayThatInputHasEnded(): void {
  if (process.stdin.isTTY === true || !process.stdin.readableEnded) return;
  say(
    'no --listen, and standard input has ended without a request, so there is nothing to serve; for a server: execwire serve --listen ws://127.0.0.1:4500',
  );
}

/** Serves the one connection of standard input and output until it ends. @returns how many bytes came */
async function serveStdio(app: FastifyInstance, config: Config, log: ServerLog): Promise<number> {
  await log.release();
  app.lifecycle.advance('running');
  const transport = new StdioTransport(process.stdin, process.stdout, config.maxFrameBytes);
  await app.rpc.findLimits();
  const session = app.rpc.open(transport, ANONYMOUS);
  await new Promise<void>((resolve) => app.rpc.onSessionClosed((closed) => closed === session && resolve()));
  return transport.receivedBytes;
}

/** Serves a listener until the drain has ended. */
async function serveListener(
  app: FastifyInstance,
  config: Config,
  address: SocketAddress,
  log: ServerLog,
): Promise<void> {
  const url = await listen(app.server, address, config.tlsCert !== undefined);
  // BEFORE any line of the log: a parent reads the address from the first lines.
  writeToStderr(banner(url), START_PATIENCE_MS);
  await log.release();
  app.lifecycle.advance('running');
  for (const warning of authStartWarnings(authOptionsOf(config), authListenerOf(config)))
    app.log.warn({ warning }, 'auth');
  await new Promise<void>((resolve) => app.lifecycle.on('leaving', resolve));
  await app.drain();
}

/** Tells whoever pressed ctrl-c why the server does not end at once. In a pipe there are only the lines of the log. */
function sayDraining(commands: number, limitMs: number): void {
  if (process.stderr.isTTY !== true || commands === 0) return;
  const running = commands === 1 ? 'one command runs and has' : `${commands} commands run and have`;
  // The terminal has shown ^C on this line.
  writeToStderr('\n');
  say(`draining: ${running} up to ${limitMs / 1000} s; a second ctrl-c ends everything at once`);
}

/** @param message one line for each problem */
function refuse(message: string, code: number): number {
  const lines = message.split('\n').map((line) => `execwire: ${safeLine(line)}\n`);
  writeToStderr(lines.join(''), START_PATIENCE_MS);
  return code;
}
