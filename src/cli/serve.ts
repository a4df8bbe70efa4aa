/** `execwire serve`: from flags to a running service and to its exit code. */
import type { FastifyInstance } from 'fastify';
import { authListenerOf, authOptionsOf } from '../../plugins/auth.js';
import { buildApp } from '../app.js';
import { authStartWarnings, validateAuthOptions } from '../auth/auth-options.js';
import { ANONYMOUS } from '../auth/principal.js';
import { type Config, ConfigError, readConfig } from '../config.js';
import type { ListenAddress } from '../listen-address.js';
import { createLog } from '../log.js';
import { StdioTransport } from '../rpc/stdio-transport.js';
import { banner, ListenError, listen } from './listener.js';
import { handleSignals } from './signals.js';

/** The flags or the environment are wrong. */
const EXIT_USAGE = 2;
/** The service could not start. */
const EXIT_FAILURE = 1;
/** How long the last connections have to go when everything is said. */
const CLOSE_TIMEOUT_MS = 3000;

/** Serves until it is told to end. @returns the exit code */
export async function serve(argv: readonly string[]): Promise<number> {
  const signals = handleSignals();
  let config: Config;
  try {
    config = readConfig(argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return refuse(error.message, EXIT_USAGE);
  }
  const problems = validateAuthOptions(authOptionsOf(config), authListenerOf(config));
  if (problems.length > 0) {
    const code = problems.some(({ exitCode }) => exitCode === EXIT_USAGE) ? EXIT_USAGE : EXIT_FAILURE;
    return refuse(problems.map(({ message }) => message).join('\n'), code);
  }
  const log = createLog(config.logLevel);
  let app: FastifyInstance;
  try {
    app = await buildApp(config, log);
    await app.ready();
  } catch (error) {
    return refuse(`execwire cannot start: ${error instanceof Error ? error.message : String(error)}`, EXIT_FAILURE);
  }
  signals.attach({ drain: () => app.drain(), killCommands: () => app.killCommands() });

  try {
    await (config.address.kind === 'stdio' ? serveStdio(app, config) : serveListener(app, config, config.address));
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    await app.close();
    return refuse(error.message, EXIT_FAILURE);
  }
  // A socket that nobody knows of must not keep a server that has drained.
  await Promise.race([app.close(), new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS))]);
  log.flush();
  return 0;
}

/** Serves the one connection of standard input and output until it ends. */
async function serveStdio(app: FastifyInstance, config: Config): Promise<void> {
  app.lifecycle.advance('running');
  const transport = new StdioTransport(process.stdin, process.stdout, config.maxFrameBytes);
  const session = app.rpc.attach(transport, ANONYMOUS);
  await new Promise<void>((resolve) => app.rpc.onSessionClosed((closed) => closed === session && resolve()));
}

/** Serves a listener until the drain has ended. */
async function serveListener(
  app: FastifyInstance,
  config: Config,
  address: Exclude<ListenAddress, { kind: 'stdio' }>,
): Promise<void> {
  const url = await listen(app.server, address, config.tlsCert !== undefined);
  // BEFORE any line of the log: a parent reads the address from the first lines.
  process.stderr.write(banner(url));
  app.lifecycle.advance('running');
  for (const warning of authStartWarnings(authOptionsOf(config), authListenerOf(config)))
    app.log.warn({ warning }, 'auth');
  await new Promise<void>((resolve) => app.lifecycle.on('leaving', resolve));
  await app.drain();
}

function refuse(message: string, code: number): number {
  process.stderr.write(`${message}\n`);
  return code;
}
