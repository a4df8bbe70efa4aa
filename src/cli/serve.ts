/** `execwire serve`: from flags to a running service and to its exit code. */
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../app.js';
import { type Config, ConfigError, readConfig } from '../config.js';
import { createLog } from '../log.js';
import { StdioTransport } from '../rpc/stdio-transport.js';
import { banner, ListenError, listen } from './listener.js';
import { handleSignals } from './signals.js';

/** The flags or the environment are wrong. */
const EXIT_USAGE = 2;
/** The service could not start. */
const EXIT_FAILURE = 1;

/** Serves until it is told to end. @returns the exit code */
export async function serve(argv: readonly string[]): Promise<number> {
  let config: Config;
  try {
    config = readConfig(argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return refuse(error.message, EXIT_USAGE);
  }
  const log = createLog(config.logLevel);
  const signals = handleSignals();
  const app = await buildApp(config, log);
  await app.ready();
  signals.attach({ drain: () => app.drain(), killAll: () => app.exec.killAll() });

  try {
    await (config.address.kind === 'stdio' ? serveStdio(app, config) : serveListener(app, config));
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    await app.close();
    return refuse(error.message, EXIT_FAILURE);
  }
  app.exec.killAll();
  await app.close();
  log.flush();
  return 0;
}

/** Serves the one connection of standard input and output until it ends. */
async function serveStdio(app: FastifyInstance, config: Config): Promise<void> {
  const session = app.rpc.attach(new StdioTransport(process.stdin, process.stdout, config.maxFrameBytes), app.log);
  await new Promise<void>((resolve) => app.rpc.onSessionClosed((closed) => closed === session && resolve()));
}

/** Serves a listener until the drain has ended. */
async function serveListener(app: FastifyInstance, config: Config): Promise<void> {
  if (config.address.kind === 'stdio') return;
  const url = await listen(app.server, config.address, false);
  process.stderr.write(banner(url));
  app.lifecycle.advance('running');
  await new Promise<void>((resolve) => app.lifecycle.on('leaving', resolve));
  await app.drain();
}

function refuse(message: string, code: number): number {
  process.stderr.write(`${message}\n`);
  return code;
}
