/** Traces from a client's span to the environment of a command's child, through the built server and a real OTLP/HTTP receiver. Long because a trace has many parts. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { context, propagation, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import type { Box, TraceSource } from '../../client/src/node.js';
import { activeTrace } from '../../client/src/trace.js';
import { attributes, events } from '../../src/telemetry/trace-vocabulary.js';
import { ExecServerClient } from '../support/exec-server-client.js';
import { spawnServer, startServer, type TestServer } from '../support/server.js';
import { type OtlpReceiver, type ReceivedSpan, startReceiver } from './otlp-receiver.js';

const SERVER_SPAN = 2;
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const PARENT_TRACE = '0af7651916cd43dd8448eb211c80319c';
const OTHER_PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const OTHER_TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const REPORT = ['sh', '-c', 'printf %s "$TRACEPARENT $TRACESTATE"'];

interface Traced {
  readonly receiver: OtlpReceiver;
  readonly server: TestServer;
  open(traceContext?: TraceSource): Promise<Box>;
  /** Drains the server and resolves to all spans it sent. */
  spans(): Promise<ReceivedSpan[]>;
}

async function startTraced(t: Test, options: { env?: Record<string, string>; flags?: string[] } = {}): Promise<Traced> {
  const receiver = await startReceiver(t);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, TRACEPARENT: '', TRACESTATE: '', ...options.env };
  const server = await startServer(t, { env, warm: false, flags: options.flags ?? [] });
  return {
    receiver,
    server,
    open: (traceContext) =>
      server.connect({
        name: 'tracer',
        version: '7',
        ...(traceContext === undefined ? {} : { traceContext }),
      }),
    async spans() {
      server.signal('SIGTERM');
      t.equal((await server.exited).code, 0);
      return receiver.spans;
    },
  };
}

function only(spans: readonly ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.filter((span) => span.name === name);
  const [span] = found;
  if (span === undefined || found.length > 1) throw new Error(`${found.length} spans are named ${name}`);
  return span;
}

t.test('trace runs from a client span over WebSocket to the child of a command when both export', async (t) => {
  const { receiver, open, spans } = await startTraced(t);
  const exporter = new OTLPTraceExporter({ url: `${receiver.endpoint}/v1/traces` });
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  provider.register();
  t.teardown(() => provider.shutdown());
  const client = await open();
  const { stdout } = await trace.getTracer('test').startActiveSpan('client work', async (span) => {
    const reply = await client.exec(REPORT);
    span.end();
    return reply;
  });
  await client.close();
  await provider.forceFlush();
  const all = await spans();
  const [work, request, command] = [only(all, 'client work'), only(all, 'command/exec'), only(all, 'command')];
  t.equal(request.parentSpanId, work.spanId);
  t.equal(command.parentSpanId, request.spanId);
  t.equal(stdout, `00-${work.traceId}-${command.spanId}-01 `);
  t.same(new Set([work, request, command].map(({ traceId }) => traceId)).size, 1);
  t.equal(request.kind, SERVER_SPAN);
  t.equal(request.service, 'execwire');
  t.match(request.attributes, {
    'rpc.system.name': 'jsonrpc',
    'rpc.method': 'command/exec',
    'jsonrpc.protocol.version': '2.0',
    'jsonrpc.request.id': '2',
    'execwire.transport': 'websocket',
    'execwire.client.name': 'tracer',
    'execwire.client.version': '7',
  });
  t.match(command.attributes, {
    'process.pid': Number,
    'process.exit.code': 0,
    'execwire.command.kind': 'streamed',
    'execwire.command.cause': 'exit',
    'execwire.command.output_bytes': stdout.length,
    'execwire.command.stdin_bytes': 0,
  });
  t.same(command.events, ['started', 'exited']);
  t.match(only(all, 'initialize').attributes, { 'execwire.client.name': 'tracer', 'execwire.client.version': '7' });
  const connection = only(all, 'connection');
  t.not(connection.traceId, request.traceId, 'the connection is not the parent of the request');
  t.ok(
    connection.links.some(({ spanId }) => spanId === request.spanId),
    'the connection is linked to the request',
  );
  t.equal(connection.attributes['execwire.connection.id'], request.attributes['execwire.connection.id']);
  t.same(only(all, 'drain').events, ['draining']);
  const own = all.filter(({ scope }) => scope === 'execwire');
  for (const span of own) {
    for (const name of Object.keys(span.attributes)) t.ok(name in attributes, `${name} is in the vocabulary`);
    for (const name of span.events) t.ok(name in events, `${name} is in the vocabulary`);
  }
});

t.test('trace runs from a request over stdio to the child of a command', async (t) => {
  const receiver = await startReceiver(t);
  const server = spawnServer(t, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, TRACEPARENT: '' } });
  const client = await server.stdio().initialize();
  const carrier = { traceparent: PARENT, tracestate: 'vendor=value' };
  client.send({ id: 'two', method: 'command/exec', params: { command: REPORT }, trace: carrier });
  const { result } = await client.replyTo('two');
  client.stdin.end();
  await server.exited;
  const request = only(receiver.spans, 'command/exec');
  const command = only(receiver.spans, 'command');
  t.equal(request.traceId, PARENT_TRACE);
  t.equal(request.parentSpanId, 'b7ad6b7169203331');
  t.match(request.attributes, { 'execwire.transport': 'stdio', 'jsonrpc.request.id': 'two' });
  t.notOk('jsonrpc.protocol.version' in request.attributes);
  t.equal(command.parentSpanId, request.spanId);
  t.equal(result.stdout, `00-${PARENT_TRACE}-${command.spanId}-01 vendor=value`);
});

t.test(
  'request has as parent its own trace, else the one of the server, and none when its own is invalid',
  async (t) => {
    const traced = await startTraced(t, { env: { TRACEPARENT: OTHER_PARENT } });
    let carrier: { traceparent: string } | undefined;
    const client = await traced.open(() => carrier);
    for (const traceparent of [PARENT, undefined, 'garbage', PARENT.replace('00-', 'ff-')]) {
      carrier = traceparent === undefined ? undefined : { traceparent };
      await client.exec(['true']);
    }
    const all = await traced.spans();
    const requests = all.filter(({ name }) => name === 'command/exec');
    t.same(
      requests.map(({ traceId }) => [PARENT_TRACE, OTHER_TRACE].indexOf(traceId)),
      [0, 1, -1, -1],
    );
    t.same(requests[2]?.parentSpanId || undefined, undefined);
    t.not(requests[2]?.traceId, requests[3]?.traceId);
    t.equal(only(all, 'connection').traceId, OTHER_TRACE);
    const warnings = traced.server.lines.filter((line) => line.includes('not a valid trace context'));
    t.equal(warnings.length, 2);
    t.match(JSON.parse(warnings[0] ?? ''), {
      level: 40,
      connectionId: String,
      requestId: Number,
      method: 'command/exec',
    });
    t.notOk(warnings.join().includes('garbage'));
  },
);

t.test('request has the context of the upgrade as parent when neither it nor the server has one', async (t) => {
  const traced = await startTraced(t);
  const socket = new WebSocket(traced.server.url, { headers: { traceparent: PARENT } });
  await once(socket, 'open');
  socket.send(JSON.stringify({ id: 1, method: 'initialize', params: { clientInfo: { name: 'a', version: '1' } } }));
  await once(socket, 'message');
  socket.close();
  const all = await traced.spans();
  t.equal(only(all, 'initialize').parentSpanId, 'b7ad6b7169203331');
  t.equal(only(all, 'connection').parentSpanId, 'b7ad6b7169203331');
});

t.test('span of a failed request says code and reason, and that of a command its events and cause', async (t) => {
  const traced = await startTraced(t);
  const client = await traced.open();
  await t.rejects(client.request('command/exec/terminate', { processId: 'nobody' }));
  await t.rejects(client.request('no/such/method'));
  await t.rejects(client.exec(['/secret-program/that/is/not/there']));
  const stopped = client.terminal(['sh', '-c', 'echo ready; sleep 60'], { detachable: false });
  await stopped.waitFor('ready');
  await stopped.resize({ rows: 30, cols: 90 });
  await stopped.kill('SIGKILL');
  await stopped.result;
  await client.exec(['sleep', '60'], { timeout: 20, reject: false });
  await client.request('command/exec', { command: ['echo', 'more than three'], outputBytesCap: 3 });
  const left = client.exec(['sh', '-c', 'echo ready; sleep 60'], { reject: false });
  await left.waitFor('ready');
  await client.close();
  const all = await traced.spans();
  const refused = all.find(({ name, failed }) => name === 'command/exec/terminate' && failed);
  t.match(refused?.attributes, {
    'error.type': '-32600',
    'rpc.response.status_code': '-32600',
    'execwire.error.reason': 'processNotFound',
  });
  t.match(only(all, '_OTHER').attributes, { 'rpc.method': '_OTHER', 'rpc.method_original': 'no/such/method' });
  const commands = all
    .filter(({ name }) => name === 'command')
    .map((span) => [span.attributes['execwire.command.cause'], span]);
  const byCause = Object.fromEntries(commands) as Record<string, ReceivedSpan>;
  t.match(byCause.not_started, { failed: true, attributes: { 'error.type': 'ENOENT' }, events: [] });
  t.match(byCause.terminate, { attributes: { 'execwire.command.kind': 'tty', 'execwire.command.signal': 'SIGKILL' } });
  t.same(byCause.terminate?.events, ['started', 'resize', 'terminate', 'exited']);
  t.same(byCause.timeout?.events, ['started', 'timeout', 'exited']);
  t.equal(byCause.timeout?.attributes['process.exit.code'], 124);
  t.ok(byCause.exit?.events.includes('capReached'));
  t.match(byCause.disconnect?.attributes, {
    'execwire.command.kind': 'streamed',
    'execwire.command.signal': 'SIGKILL',
  });
  const everything = traced.receiver.bodies.join();
  t.notOk(everything.includes('secret-program'), 'no argument is sent');
  t.notOk(everything.includes('process.command_args'));
});

t.test(
  'requests for files and processes of both protocols have spans, and their commands are children, when traces are on',
  async (t) => {
    const traced = await startTraced(t);
    const folder = t.testdir({ f: 'content' });
    const carrier = { traceparent: PARENT };
    const wire = await traced.server.session({ experimentalApi: true });
    const send = (id: string, method: string, params: object): Promise<unknown> => {
      wire.send({ id, method, params, trace: carrier });
      return wire.replyTo(id);
    };
    await send('read', 'fs/readFile', { path: `${folder}/f` });
    await send('missing', 'fs/getMetadata', { path: `${folder}/none` });
    await send('spawn', 'process/spawn', { processHandle: 'h', command: ['true'], cwd: folder });
    await wire.notified('process/exited');
    await wire.close();
    const agent = await ExecServerClient.open(traced.server);
    const metadata = { threadId: 'thread', toolCallId: 'call' };
    const started = {
      processId: 'p',
      argv: ['sh', '-c', 'exit 3'],
      cwd: `file://${folder}`,
      env: { PATH: '/bin:/usr/bin' },
      tty: false,
    };
    agent.peer.send({ id: 'start', method: 'process/start', params: { ...started, metadata }, trace: carrier });
    await agent.peer.notified('process/closed');
    await agent.request('fs/readFile', { path: `file://${folder}/none` });
    await agent.request('process/read', { processId: 'nobody' });
    await agent.cut();
    const all = await traced.spans();
    t.match(only(all, 'fs/getMetadata'), {
      traceId: PARENT_TRACE,
      kind: SERVER_SPAN,
      failed: true,
      attributes: {
        'rpc.method': 'fs/getMetadata',
        'rpc.response.status_code': '-32603',
        'execwire.error.reason': 'fileFailed',
      },
    });
    const [read, missing] = all.filter(({ name }) => name === 'fs/readFile');
    t.match(read, { traceId: PARENT_TRACE, failed: false, attributes: { 'execwire.client.name': 'wire' } });
    t.match(missing, {
      failed: true,
      attributes: { 'rpc.response.status_code': '-32004', 'execwire.error.reason': 'fileNotFound' },
    });
    t.match(only(all, 'process/read').attributes, { 'execwire.error.reason': 'unknownProcess' });
    const [spawn, start] = [only(all, 'process/spawn'), only(all, 'process/start')];
    const commandOf = (request: ReceivedSpan): ReceivedSpan | undefined =>
      all.find(({ name, parentSpanId }) => name === 'command' && parentSpanId === request.spanId);
    for (const span of [spawn, start]) t.equal(span.traceId, PARENT_TRACE, span.name);
    t.match(commandOf(spawn)?.attributes, {
      'process.exit.code': 0,
      'execwire.command.cause': 'exit',
      'execwire.command.kind': 'buffered',
    });
    t.match(commandOf(start)?.attributes, {
      'process.exit.code': 3,
      'execwire.command.kind': 'streamed',
      'gen_ai.tool.call.id': 'call',
      'gen_ai.conversation.id': 'thread',
    });
    t.same(commandOf(start)?.events, ['started', 'exited']);
    t.notOk(traced.receiver.bodies.join().includes(folder), 'no path is sent');
  },
);

t.test('arguments are in a trace when --trace-argv asks for them', async (t) => {
  const traced = await startTraced(t, { flags: ['--trace-argv'] });
  const client = await traced.open();
  await client.exec(['echo', 'argument']);
  const command = only(await traced.spans(), 'command');
  t.same(command.attributes['process.command_args'], ['echo', 'argument']);
});

t.test('span is not sent, and the command learns that, when its parent is not sampled', async (t) => {
  const traced = await startTraced(t);
  const unsampled = { traceparent: PARENT.replace(/01$/, '00') };
  const client = await traced.open(() => unsampled);
  const { stdout } = await client.exec(REPORT);
  t.match(stdout, new RegExp(`^00-${PARENT_TRACE}-[0-9a-f]{16}-00 $`));
  const all = await traced.spans();
  t.notOk(all.some(({ traceId }) => traceId === PARENT_TRACE));
});

t.test('plain HTTP requests make spans of node:http and of Fastify in the built server', async (t) => {
  const traced = await startTraced(t);
  t.equal((await traced.server.get('/healthz?token=very-secret')).status, 200);
  const all = await traced.spans();
  const ofHttp = all.find(({ scope }) => scope === '@opentelemetry/instrumentation-http');
  const ofFastify = all.find(({ scope }) => scope === '@opentelemetry/instrumentation-fastify');
  t.match(ofHttp, { kind: SERVER_SPAN, attributes: { 'http.response.status_code': 200, 'http.route': '/healthz' } });
  t.equal(ofFastify?.traceId, ofHttp?.traceId);
  t.notOk(traced.receiver.bodies.join().includes('very-secret'));
});

t.test('metrics of a scrape go to the OTLP receiver, too', async (t) => {
  const traced = await startTraced(t);
  const client = await traced.open();
  await client.exec(['echo', 'hello']);
  await client.close();
  await traced.spans();
  const byName = new Map(traced.receiver.metrics.map((metric) => [metric.name, metric]));
  t.match(byName.get('execwire_requests_total')?.sum, { isMonotonic: true });
  t.match(byName.get('execwire_output_bytes_total')?.sum?.dataPoints, [{ asDouble: 6 }]);
  t.ok(byName.get('execwire_phase')?.gauge);
  t.ok(byName.has('nodejs_version_info'), 'defaults of Node');
  const [durations] = byName.get('execwire_request_duration_seconds')?.histogram?.dataPoints ?? [];
  t.equal(durations?.bucketCounts.length, (durations?.explicitBounds.length ?? 0) + 1);
});

t.test('server serves, and ends in order, when no receiver listens at its endpoint', async (t) => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };
  const server = await startServer(t, { env });
  const client = await server.connect();
  t.match(await client.exec(['true']), { exitCode: 0 });
  t.same(await server.stop(), { code: 0, signal: null });
});

t.test('server ends in order when its receiver takes spans and never answers', async (t) => {
  const receiver = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.teardown(() => receiver.close());
  // Longer than the test waits, so that only the server's own bound on the end of its telemetry can end it in time.
  const patience = { OTEL_EXPORTER_OTLP_TIMEOUT: '600000', OTEL_BSP_EXPORT_TIMEOUT: '600000' };
  const { port } = receiver.address() as AddressInfo;
  const server = await startServer(t, {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, ...patience },
  });
  const client = await server.connect();
  t.match(await client.exec(['true']), { exitCode: 0 });
  const connected = once(receiver, 'connection');
  const ended = server.stop();
  await connected;
  t.same(await ended, { code: 0, signal: null });
});

t.test('request passes its trace on to its command when no telemetry is asked for', async (t) => {
  const server = await startServer(t, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: '', TRACEPARENT: '' } });
  const carrier = { traceparent: PARENT, tracestate: 'vendor=value' };
  const client = await server.connect({ traceContext: () => carrier });
  t.match(await client.exec(REPORT), { stdout: `${PARENT} vendor=value` });
});

t.test('client sends no trace when the program has no OpenTelemetry', (t) => {
  context.disable();
  propagation.disable();
  trace.disable();
  t.equal(activeTrace(), undefined);
  t.end();
});
