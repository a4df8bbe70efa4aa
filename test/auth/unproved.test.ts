// Shows that routes stay closed when no authentication has run. Knows no credential.

import type { AddressInfo } from 'node:net';
import websocket from '@fastify/websocket';
import Fastify, { type FastifyInstance } from 'fastify';
import t, { type Test } from 'tap';
import { metricsRoute } from '../../routes/metrics.js';
import { rpcRoute } from '../../routes/rpc.js';
import { createMetrics } from '../../src/telemetry/metric-store.js';
import { PrometheusRegistry } from '../../src/telemetry/prometheus.js';
import { ask } from '../support/ask.js';

/** An app that listens, in which nothing sets a principal. */
async function unproved(
  t: Test,
  addRoutes: (app: FastifyInstance) => PromiseLike<unknown>,
): Promise<{ host: string; port: number }> {
  const app = Fastify();
  await app.register(websocket);
  app.decorateRequest('principal', null);
  await addRoutes(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  return { host: '127.0.0.1', port: (app.server.address() as AddressInfo).port };
}

t.test('upgrade is refused when no authentication has run', async (t) => {
  let opened = 0;
  const address = await unproved(t, async (app) => {
    app.decorate('rpc', { open: () => (opened += 1) } as never);
    await app.register(rpcRoute);
  });
  t.equal((await ask(address, { upgrade: true })).status, 500);
  t.equal((await ask(address, {})).status, 404, 'nothing is served');
  t.equal(opened, 0, 'no session was opened');
});

t.test('protected metrics are refused when no authentication has run, and open ones are not', async (t) => {
  for (const [isProtected, status] of [
    [true, 500],
    [false, 200],
  ] as const) {
    const exposition = new PrometheusRegistry(createMetrics('1'));
    const address = await unproved(t, (app) => app.register(metricsRoute, { exposition, protected: isProtected }));
    t.equal((await ask(address, { path: '/metrics' })).status, status);
  }
});
