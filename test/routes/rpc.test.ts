// Checks the route of the upgrade, with stand-ins for the plugins that decide which upgrades are admitted. Knows no method of the protocol.
import { once } from 'node:events';
import Fastify from 'fastify';
import fp from 'fastify-plugin';
import t from 'tap';
import { WebSocket } from 'ws';
import { lifecyclePlugin } from '../../plugins/lifecycle.js';
import { sessionsPlugin } from '../../plugins/sessions.js';
import { websocketPlugin } from '../../plugins/websocket.js';
import { rpcRoute } from '../../routes/rpc.js';
import { ANONYMOUS, type Principal } from '../../src/auth/principal.js';
import { readConfig } from '../../src/config/config.js';

t.test('route opens no session when the hook that checks the credential has not run', async (t) => {
  const opened: Principal[] = [];
  const app = Fastify();
  const config = readConfig(['--listen', 'ws://127.0.0.1:0'], {});
  let principal: Principal | null = ANONYMOUS;
  await app.register(lifecyclePlugin);
  await app.register(sessionsPlugin);
  await app.register(
    fp(
      async (instance) => {
        instance.decorateRequest('principal', null);
        instance.addHook('preValidation', async (request) => {
          request.principal = principal;
        });
      },
      { name: 'auth' },
    ),
  );
  await app.register(
    fp(async (instance) => void instance.decorate('overload', { shortage: () => undefined } as never), {
      name: 'overload',
    }),
  );
  await app.register(
    fp(async (instance) => void instance.decorate('detachables', { knowsAffinity: () => false } as never), {
      name: 'commands',
    }),
  );
  await app.register(
    fp(async (instance) => void instance.decorate('execServer', { awaits: () => false, awaitsAnyone: false }), {
      name: 'exec-server',
    }),
  );
  app.decorate('rpc', {
    areLimitsKnown: true,
    open: (_transport: unknown, who: Principal) => opened.push(who),
  } as never);
  await app.register(websocketPlugin, { config });
  await app.register(rpcRoute);
  const url = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('http', 'ws');
  t.teardown(() => app.close());

  const good = new WebSocket(url);
  await once(good, 'open');
  t.same(opened, [ANONYMOUS]);
  good.terminate();

  principal = null;
  await t.rejects(once(new WebSocket(url), 'open'), { message: /500/ }, 'refused before the upgrade');
  t.equal(opened.length, 1);
});
