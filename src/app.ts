/**
 * Puts the service together: plugins, then routes, in this order. It never listens; `cli/serve.ts` does, and tests inject.
 */
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { drainPlugin } from '../plugins/drain.js';
import { execPlugin } from '../plugins/exec.js';
import { lifecyclePlugin } from '../plugins/lifecycle.js';
import { rpcPlugin } from '../plugins/rpc.js';
import { sessionsPlugin } from '../plugins/sessions.js';
import { websocketPlugin } from '../plugins/websocket.js';
import { healthRoutes } from '../routes/health.js';
import { rpcRoute } from '../routes/rpc.js';
import type { Config } from './config.js';

/** Above what balancers use, so that none sends a request into a connection that is just being closed. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** A client that sends its request byte by byte is cut off after this. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Builds the app. The caller listens, and closes it. */
export async function buildApp(config: Config, log: FastifyBaseLogger): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
  });
  await app.register(lifecyclePlugin);
  await app.register(sessionsPlugin);
  await app.register(rpcPlugin, { config });
  await app.register(execPlugin, { config });
  await app.register(websocketPlugin, { config });
  await app.register(drainPlugin, { config });
  await app.register(healthRoutes);
  await app.register(rpcRoute);
  return app;
}
