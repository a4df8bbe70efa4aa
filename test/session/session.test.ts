// Shows the session of one connection, the registry of all, the handshake, and the phases of the service. Knows no command.
import t from 'tap';
import { ANONYMOUS } from '../../src/auth/principal.js';
import { methods } from '../../src/protocol/methods.js';
import type { Call } from '../../src/rpc/connection.js';
import { Lifecycle, type Phase } from '../../src/server/lifecycle.js';
import { createInitializeHandler, homeDirectory } from '../../src/session/handshake.js';
import { Session } from '../../src/session/session.js';
import { SessionRegistry } from '../../src/session/session-registry.js';
import { standingTime } from '../support/standing-time.js';
import { openConnection, openSession } from '../support/test-connection.js';

const handler = createInitializeHandler({ version: '9.9.9', serverId: 'server', limits: () => ({ maxFrameBytes: 5 }) });

function fresh(): { session: Session; transport: ReturnType<typeof openConnection>['transport'] } {
  const { connection, transport } = openConnection();
  return { session: new Session(connection, ANONYMOUS), transport };
}

function initialize(session: Session, params: unknown, jsonrpc = true): ReturnType<typeof handler> {
  const call: Call = {
    request: { kind: 'request', id: 1, method: 'initialize', params, trace: undefined, jsonrpc },
    observation: undefined,
  };
  return handler(methods.initialize.params.parse(params), session, call);
}

t.test('handshake decides what the session may use and names the server when the params are good', (t) => {
  const { session } = fresh();
  t.same([session.initialized, session.experimentalApi, session.wants('n')], [false, false, false]);
  const result = initialize(session, {
    clientInfo: { name: 'my client', title: null, version: '1.2' },
    capabilities: {
      experimentalApi: true,
      optOutNotificationMethods: ['server/draining', 'unknown/method'],
      heartbeatMs: null,
    },
  });
  t.match(result, {
    platformFamily: 'unix',
    platformOs: /^(linux|macos)$/,
    serverInfo: { name: 'execwire', version: '9.9.9' },
    connectionId: session.id,
    limits: { maxFrameBytes: 5 },
  });
  t.ok(result.userAgent.includes('my client'), 'the user agent names the client');
  t.ok(result.codexHome.startsWith('/'), 'absolute');
  t.same([session.initialized, session.experimentalApi], [true, true]);
  t.same([session.wants('server/draining'), session.wants('server/heartbeat')], [false, true]);
  t.same([...(session.agreement?.optOut ?? [])], ['server/draining'], 'unknown names are not kept');
  t.end();
});

t.test('handshake agrees on no capability when capabilities are null or absent', (t) => {
  for (const capabilities of [null, undefined, {}, { experimentalApi: null, optOutNotificationMethods: null }]) {
    const { session } = fresh();
    initialize(session, { clientInfo: { name: '', version: '' }, capabilities });
    t.same([session.initialized, session.experimentalApi, session.wants('a')], [true, false, true]);
  }
  t.end();
});

t.test('handshake refuses a client name that is not a header value and accepts a later valid one', (t) => {
  const { session } = fresh();
  for (const name of ['a\nb', 'a\r', '\0', '\x7f', 'a\u0100', '🙂', '\ud800']) {
    t.throws(() => initialize(session, { clientInfo: { name, version: '1' } }), {
      code: -32600,
      message: `Invalid clientInfo.name: '${name}'. Must be a valid HTTP header value.`,
    });
    t.notOk(session.initialized);
  }
  for (const name of ['', ' a b\t', 'é', '!"#~']) initialize(fresh().session, { clientInfo: { name, version: '1' } });
  initialize(session, { clientInfo: { name: 'good', version: '1' } });
  t.ok(session.initialized);
  t.end();
});

t.test('handshake names the root when the user has no home, and a relative home by its absolute path', (t) => {
  t.equal(
    homeDirectory(() => {
      throw new Error('uv_os_homedir returned ENOENT');
    }),
    '/',
  );
  t.equal(
    homeDirectory(() => '/home/a'),
    '/home/a',
  );
  t.ok(homeDirectory(() => 'here').startsWith('/'));
  t.end();
});

t.test('handshake leaves the session as it was when it fails', (t) => {
  const { session, transport } = fresh();
  const limits = new Proxy<Record<string, number>>(
    {},
    {
      ownKeys() {
        throw new Error('no limits');
      },
    },
  );
  const failing = createInitializeHandler({ version: '1', serverId: 'server', limits: () => ({ ...limits }) });
  const params = methods.initialize.params.parse({ clientInfo: { name: 'a', version: '1' } });
  const request = { kind: 'request', id: 1, method: 'initialize', params, trace: undefined, jsonrpc: true } as const;
  t.throws(() => failing(params, session, { request, observation: undefined }), /no limits/);
  t.same([session.initialized, session.connection.mirrorsVersion], [false, false]);
  session.notify('n', {});
  t.same(transport.texts, []);
  initialize(session, { clientInfo: { name: 'a', version: '1' } });
  t.ok(session.initialized, 'a later good initialize is accepted');
  t.end();
});

t.test('handshake keeps only the beginning of long names and versions of clients', (t) => {
  const { session } = fresh();
  const result = initialize(session, { clientInfo: { name: 'n'.repeat(500_000), version: 'v'.repeat(500_000) } });
  t.ok(result.userAgent.includes('n'.repeat(500_000)), 'the reply has the whole name');
  t.same([session.agreement?.clientName, session.agreement?.clientVersion], ['n'.repeat(256), 'v'.repeat(256)]);
  t.end();
});

t.test('handshake makes notifications have jsonrpc exactly when initialize had it', (t) => {
  for (const jsonrpc of [true, false]) {
    const { session, transport } = fresh();
    initialize(session, { clientInfo: { name: 'a', version: '1' } }, jsonrpc);
    session.notify('n', { x: 1 });
    t.same(transport.messages, [{ ...(jsonrpc ? { jsonrpc: '2.0' } : {}), method: 'n', params: { x: 1 } }]);
  }
  t.end();
});

t.test('session registry broadcasts to initialized sessions that want it and to no other', (t) => {
  const registry = new SessionRegistry();
  const wants = openSession();
  const opted = openSession({ optOut: ['server/draining'] });
  const uninitialized = fresh();
  for (const { session } of [wants, opted, uninitialized]) registry.add(session);
  registry.broadcast('server/draining', { deadlineMs: 5 });
  registry.broadcast('server/other', {});
  t.match(wants.transport.messages, [
    { method: 'server/draining', params: { deadlineMs: 5 } },
    { method: 'server/other' },
  ]);
  t.match(opted.transport.messages, [{ method: 'server/other' }]);
  t.same(uninitialized.transport.texts, []);
  t.equal(registry.get(wants.session.id), wants.session);
  registry.remove(wants.session);
  t.equal(registry.size, 2);
  t.equal(registry.get(wants.session.id), undefined);
  registry.broadcast('server/other', {});
  t.equal(wants.transport.messages.length, 2);
  t.end();
});

t.test('session calls back when initialize is late, and not once it has come or the connection has ended', (t) => {
  const time = standingTime(t);
  const [late, punctual, gone] = [fresh().session, fresh(), fresh().session];
  const isLate: string[] = [];
  late.expectInitialize(30_000, () => isLate.push('late'));
  punctual.session.expectInitialize(30_000, () => isLate.push('punctual'));
  gone.expectInitialize(30_000, () => isLate.push('gone'));
  initialize(punctual.session, { clientInfo: { name: 'a', version: '1' }, capabilities: { heartbeatMs: 250 } });
  gone.close();
  time.pass(250);
  t.same(punctual.transport.messages, [{ jsonrpc: '2.0', method: 'server/heartbeat', params: {} }]);
  punctual.session.close();
  time.pass(29_749);
  t.same(isLate, [], 'not before its time');
  time.pass(1000);
  t.same(isLate, ['late']);
  t.equal(time.pending, 0, 'the heartbeat stops with the connection');
  t.end();
});

t.test('first heartbeat comes after 100 ms, so that a client knows early that heartbeats come', (t) => {
  const time = standingTime(t);
  const { session, transport } = fresh();
  initialize(session, { clientInfo: { name: 'a', version: '1' }, capabilities: { heartbeatMs: 15_000 } });
  const beats = () => transport.messages.length;
  time.pass(100);
  t.equal(beats(), 1);
  time.pass(14_999);
  t.equal(beats(), 1);
  time.pass(1);
  t.equal(beats(), 2);
  session.close();
  t.equal(time.pending, 0);
  t.end();
});

t.test('session does not count a standstill of the server against a client', (t) => {
  const time = standingTime(t);
  const { session } = fresh();
  let late = 0;
  session.expectInitialize(30_000, () => late++);
  time.pass(29_000);
  time.standStill(60_000);
  t.equal(late, 0, 'a minute of standstill does not count as waiting');
  time.standStill(60_000);
  t.equal(late, 0);
  time.pass(3500);
  t.equal(late, 1, 'the rest of the time still counts');
  t.end();
});

// Phases.

t.test('lifecycle moves only forward and calls each listener of a phase once', (t) => {
  const lifecycle = new Lifecycle();
  const told: string[] = [];
  for (const phase of ['running', 'leaving', 'draining', 'closed'] as const) {
    lifecycle.on(phase, () => told.push(phase));
  }
  t.equal(lifecycle.phase, 'starting');
  t.ok(lifecycle.advance('running'));
  t.notOk(lifecycle.advance('running'));
  t.same(told, ['running']);
  t.ok(lifecycle.advance('draining'), 'a phase may be passed over');
  t.same(told, ['running', 'leaving', 'draining'], 'its listeners are called');
  for (const phase of ['starting', 'running', 'leaving'] satisfies Phase[]) t.notOk(lifecycle.advance(phase));
  t.same([lifecycle.phase, lifecycle.reached('leaving'), lifecycle.reached('closed')], ['draining', true, false]);
  lifecycle.on('running', () => told.push('at once'));
  t.equal(told.at(-1), 'at once');
  lifecycle.advance('closed');
  t.equal(told.filter((phase) => phase === 'draining').length, 1);
  t.end();
});

t.test('lifecycle survives a callback that moves it on', (t) => {
  const lifecycle = new Lifecycle();
  const told: string[] = [];
  lifecycle.on('leaving', () => {
    told.push('leaving');
    lifecycle.advance('draining');
  });
  lifecycle.on('leaving', () => told.push('leaving too'));
  lifecycle.on('draining', () => told.push('draining'));
  lifecycle.advance('leaving');
  t.same(told.sort(), ['draining', 'leaving', 'leaving too'], 'each once');
  t.equal(lifecycle.phase, 'draining');
  t.end();
});
