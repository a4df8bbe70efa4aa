/** A server for this process alone: the whole service, without a listener, reached through memory. Knows no client and no command of the command line. */
import type { FastifyInstance } from 'fastify';
import type { Transport, TransportRequest } from '../../client/src/transport.js';
import { ANONYMOUS } from '../auth/principal.js';
import { type Config, readOwnConfig } from '../config/config.js';
import { createLog } from '../log.js';
import { keepDescriptorLimit } from '../process/open-descriptors.js';
import { startThreadPool } from '../process/thread-pool.js';
import { InProcessTransport } from '../rpc/in-process-transport.js';
import { buildApp } from '../server/app.js';
import { loadTelemetry, TELEMETRY_TIMEOUT_MS } from './load-telemetry.js';

/** A running server. */
export interface OwnServer {
  /** The policies of its commands: at least, and unless a request names one. */
  readonly sandbox: { readonly minimum: Config['sandboxMinimum']; readonly byDefault: Config['sandboxDefault'] };
  /** Opens a connection to it, as `openTransport` of the client. */
  readonly openTransport: (request: TransportRequest) => Promise<Transport>;
  /** Kills every command at once; resolves when none is left. */
  readonly killCommands: () => Promise<void>;
  /** Logs an error that nobody foresaw. */
  readonly logUnforeseen: (error: unknown) => void;
  /** Ends it with all its commands. */
  readonly close: () => Promise<void>;
}

/** Starts one. @param flags of `execwire serve`, but `--listen` @throws {ConfigError} @throws {Error} when it cannot start */
export async function startOwnServer(flags: readonly string[]): Promise<OwnServer> {
  // FIRST: with the process at its limit of threads it could not start any more.
  await startThreadPool();
  await keepDescriptorLimit();
  const config = forOneConnection(readOwnConfig(flags));
  const log = createLog({ level: config.logLevel });
  const sdk = await loadTelemetry(config, log.logger);
  const app: FastifyInstance = await buildApp(config, log.logger, { sdk, droppedLogLines: () => log.droppedLines });
  await app.ready();
  await log.release();
  app.lifecycle.advance('running');
  return {
    sandbox: { minimum: config.sandboxMinimum, byDefault: config.sandboxDefault },
    openTransport: async ({ listener }) => {
      await app.rpc.findLimits();
      const transport = new InProcessTransport({
        onText: (text) => listener.onText(text),
        onClose: (code, reason) => listener.onEnd({ code, reason }),
      });
      app.rpc.open(transport, ANONYMOUS);
      return {
        send: (text) => transport.say(text),
        close: (code, reason) => transport.leave(code, reason),
        drop: () => transport.drop(),
      };
    },
    killCommands: () => app.killCommands(),
    logUnforeseen: (error) => app.log.fatal({ err: error }, 'unforeseen error: the server ends'),
    async close() {
      await app.close();
      await sdk?.shutdown(TELEMETRY_TIMEOUT_MS);
    },
  };
}

/** There is one connection, so it may have what is meant for all. */
function forOneConnection(config: Config): Config {
  const { maxProcesses, maxRequests } = config;
  return { ...config, maxProcessesPerConnection: maxProcesses, maxRequestsPerConnection: maxRequests };
}
