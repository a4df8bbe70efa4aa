/**
 * Puts the service together: plugins, then routes, in this order. It never listens: `cli/serve.ts` does, and tests inject requests.
 */
import type { Server } from 'node:http';
import Fastify, { type FastifyBaseLogger, type FastifyHttpOptions, type FastifyInstance, LogController } from 'fastify';
import { authPlugin } from '../../plugins/auth.js';
import { cgroupsPlugin } from '../../plugins/cgroups.js';
import { commandExecPlugin } from '../../plugins/command-exec.js';
import { commandsPlugin } from '../../plugins/commands.js';
import { drainPlugin } from '../../plugins/drain.js';
import { execServerPlugin } from '../../plugins/exec-server.js';
import { filesPlugin } from '../../plugins/files.js';
import { lifecyclePlugin } from '../../plugins/lifecycle.js';
import { memoryPlugin } from '../../plugins/memory.js';
import { metricsPlugin } from '../../plugins/metrics.js';
import { overloadPlugin } from '../../plugins/overload.js';
import { readingsPlugin } from '../../plugins/readings.js';
import { rpcPlugin } from '../../plugins/rpc.js';
import { sandboxPlugin } from '../../plugins/sandbox.js';
import { sessionsPlugin } from '../../plugins/sessions.js';
import { tcpAdmissionPlugin } from '../../plugins/tcp-admission.js';
import { telemetryPlugin } from '../../plugins/telemetry.js';
import { answerBadUrl, websocketPlugin } from '../../plugins/websocket.js';
import { filesRoute } from '../../routes/files.js';
import { healthRoutes } from '../../routes/health.js';
import { metricsRoute } from '../../routes/metrics.js';
import { rpcRoute } from '../../routes/rpc.js';
import { uiRoutes } from '../../routes/ui.js';
import { loadTlsPair, renewTlsPair, type TlsFiles, type TlsServer } from '../auth/tls-files.js';
import type { Config } from '../config/config.js';
import type { Sdk } from '../telemetry/sdk.js';
import { answerBrokenRequest } from './broken-request.js';
import { loadPage } from './page-files.js';
import { StartFolder } from './start-folder.js';

/** Longer than balancers keep idle connections, so that no balancer sends a request into a connection that is just being closed. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** A client that sends its request byte by byte, or sends none, is cut off after this time. */
const REQUEST_TIMEOUT_MS = 10_000;
/** How often Node looks for such clients. */
const CHECK_CONNECTIONS_EVERY_MS = 5000;

/** Telemetry that was started before the app. */
export interface TelemetryParts {
  /** Undefined unless `OTEL_*` asks for it. */
  readonly sdk?: Sdk | undefined;
  /** Lines that the log has lost. */
  readonly droppedLogLines?: () => number;
}

/**
 * Builds the app. The caller listens, and closes it.
 * @throws {CredentialFileError} when a file of the authentication or of TLS cannot be used
 */
export async function buildApp(
  config: Config,
  log: FastifyBaseLogger,
  { sdk, droppedLogLines }: TelemetryParts = {},
): Promise<FastifyInstance> {
  const tls = tlsFilesOf(config);
  const pair = tls === undefined ? undefined : loadTlsPair(tls);
  const slowClients = {
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_CONNECTIONS_EVERY_MS,
  };
  const options: FastifyHttpOptions<Server> = {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // The drain has already refused everything that must be refused, and `/healthz` answers 200 until the very end.
    return503OnClosing: false,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // Files may take as long as they like while something arrives; `routes/files.ts` sees to that.
    requestTimeout: config.files ? 0 : REQUEST_TIMEOUT_MS,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerBadUrl,
    http: slowClients,
  };
  const createServer = sdk?.instrumentFastify(Fastify) ?? Fastify;
  // Fastify has one type of instance for each kind of server. They differ in nothing that is used here.
  const app: FastifyInstance =
    pair === undefined
      ? createServer(options)
      : (createServer({
          ...options,
          https: { ...slowClients, handshakeTimeout: REQUEST_TIMEOUT_MS, ...pair },
        } as object) as FastifyInstance);
  await app.register(lifecyclePlugin);
  await app.register(sessionsPlugin);
  await app.register(metricsPlugin, { spans: sdk?.spans, droppedLogLines });
  await app.register(telemetryPlugin, { config, sdk });
  await app.register(authPlugin, { config });
  await app.register(overloadPlugin, { config });
  await app.register(rpcPlugin, { config });
  await app.register(sandboxPlugin, { config });
  await app.register(cgroupsPlugin);
  await app.register(commandsPlugin, { config });
  await app.register(commandExecPlugin, { config });
  await app.register(filesPlugin, { config });
  await app.register(execServerPlugin, { config });
  await app.register(tcpAdmissionPlugin, { config });
  await app.register(websocketPlugin, { config });
  await app.register(drainPlugin, { config });
  await app.register(readingsPlugin);
  await app.register(memoryPlugin);
  const startFolder = new StartFolder({ path: config.defaultCwd, log: app.log });
  await app.register(healthRoutes, { startFolder });
  if (config.metricsAddress === undefined) {
    await app.register(metricsRoute, { exposition: app.exposition, protected: true });
  }
  if (app.files.overHttp && app.files.access !== undefined) {
    await app.register(filesRoute, { access: app.files.access, stallTimeoutMs: config.stallTimeoutMs });
  }
  if (config.ui) {
    if (config.address.kind === 'stdio') throw new Error('--ui serves HTTP: it needs --listen ws:// or unix://');
    await app.register(uiRoutes, { page: await loadPage() });
  }
  await app.register(rpcRoute);
  if (tls !== undefined && pair !== undefined) {
    const onWarning = (warning: string): void => app.log.warn({ warning }, 'tls');
    const renewal = renewTlsPair(app.server as unknown as TlsServer, tls, pair, onWarning);
    app.addHook('onClose', async () => renewal.stop());
  }
  return app;
}

function tlsFilesOf({ tlsCert, tlsKey }: Config): TlsFiles | undefined {
  return tlsCert === undefined || tlsKey === undefined ? undefined : { certFile: tlsCert, keyFile: tlsKey };
}
