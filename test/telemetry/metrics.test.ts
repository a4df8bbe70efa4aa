/** Shows what `/metrics` counts, which clients may read it, where it is served, and that a Prometheus server understands it. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { instruments } from '../../src/telemetry/instruments.js';
import { ask } from '../support/ask.js';
import { startServer, type TestServer } from '../support/server.js';
import type { WireClient } from '../support/wire-client.js';
import { WireCommand } from '../support/wire-command.js';

type Samples = Map<string, number>;

/** Reads the text format: lines `name{labels} value`, comments before them. @throws {Error} for any other line */
function parse(text: string): Samples {
  const samples: Samples = new Map();
  for (const line of text.split('\n')) {
    if (line === '' || /^# (HELP|TYPE) [a-z_:0-9]+ /i.test(line)) continue;
    const match = /^([a-zA-Z_:][\w:]*(?:\{(?:[a-zA-Z_]\w*="[^"\\\n]*",?)*\})?) (-?[\d.e+-]+|[Nn]a[Nn]|\+Inf)$/.exec(
      line,
    );
    if (match === null) throw new Error(`not in the text format: ${line}`);
    samples.set(match[1] ?? '', Number(match[2]));
  }
  return samples;
}

async function scrape(server: TestServer): Promise<Samples> {
  const { status, body } = await server.get('/metrics');
  if (status !== 200) throw new Error(`/metrics answered ${status}`);
  return parse(body);
}

function open(server: TestServer): Promise<WireClient> {
  return server.session();
}

/** Asks for the metrics. @returns the status */
async function statusOf(server: TestServer, method: string, headers: Record<string, string> = {}): Promise<number> {
  return (await ask(server, { path: '/metrics', method, headers })).status;
}

t.test('metrics count connections, requests and commands', async (t) => {
  const server = await startServer(t, { warm: false });
  const client = await open(server);
  await client.ask('command/exec', { command: ['echo', 'hello'] });
  await client.ask('command/exec', { command: ['false'] });
  await t.rejects(client.ask('command/exec', { command: ['/no/such/program'] }));
  await t.rejects(client.ask('command/exec/terminate', { processId: 'nobody' }));
  await t.rejects(client.ask('no/such/method'));
  const running = new WireCommand(client, { command: ['cat'] });
  // BEFORE the write: its answer and the output may come in one go.
  const echoed = new Promise<void>((resolve) => running.onOutput(() => resolve()));
  await running.write('12345');
  await echoed;
  const during = await scrape(server);
  t.match(Object.fromEntries(during), {
    'execwire_connections{transport="websocket"}': 1,
    'execwire_connections_opened_total{transport="websocket"}': 1,
    execwire_sessions: 1,
    execwire_requests_in_flight: 1,
    execwire_commands_running: 1,
    'execwire_phase{phase="running"}': 1,
    'execwire_requests_total{method="initialize",code="ok"}': 1,
    'execwire_requests_total{method="command/exec",code="ok"}': 2,
    'execwire_requests_total{method="command/exec",code="-32603"}': 1,
    'execwire_requests_total{method="other",code="-32601"}': 1,
    'execwire_refusals_total{reason="processNotFound"}': 1,
    'execwire_refusals_total{reason="spawnFailed"}': 1,
    'execwire_commands_total{kind="buffered",outcome="success"}': 1,
    'execwire_commands_total{kind="buffered",outcome="failure"}': 1,
    'execwire_commands_total{kind="buffered",outcome="not_started"}': 1,
    'execwire_request_duration_seconds_count{method="command/exec"}': 3,
    'execwire_spawn_duration_seconds_count{kind="buffered"}': 2,
    execwire_output_bytes_total: 'hello\n'.length + '12345'.length,
    execwire_stdin_bytes_total: 5,
    nodejs_eventloop_lag_seconds: Number,
  });
  await running.closeStdin();
  await running.result;
  await client.close();
  const after = await scrape(server);
  t.match(Object.fromEntries(after), {
    'execwire_connections{transport="websocket"}': 0,
    'execwire_connections_closed_total{code="1000"}': 1,
    'execwire_commands_total{kind="streamed",outcome="success"}': 1,
    execwire_commands_running: 0,
    execwire_output_bytes_total: 'hello\n'.length + '12345'.length,
    execwire_stdin_bytes_total: 5,
  });
});

t.test('labels stay few when clients send names of their own', async (t) => {
  const server = await startServer(t, { warm: false });
  const client = await open(server);
  for (let name = 0; name < 50; name += 1) await t.rejects(client.ask(`made/up/${name}`));
  const samples = await scrape(server);
  const methods = [...samples.keys()].filter((key) => key.startsWith('execwire_requests_total'));
  t.same(methods.sort(), [
    'execwire_requests_total{method="initialize",code="ok"}',
    'execwire_requests_total{method="other",code="-32601"}',
  ]);
});

t.test('metrics can only be read, and need the credential of an upgrade when the server asks for one', async (t) => {
  const openServer = await startServer(t, { warm: false });
  t.same(
    await Promise.all(['GET', 'HEAD', 'POST', 'PUT'].map((method) => statusOf(openServer, method))),
    [200, 200, 405, 405],
  );
  const sha256 = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b';
  const flags = ['--ws-auth', 'capability-token', '--ws-token-sha256', sha256];
  const server = await startServer(t, { flags });
  t.equal(await statusOf(server, 'GET'), 401);
  t.equal(await statusOf(server, 'GET', { authorization: 'Bearer secret' }), 200);
  t.equal((await server.get('/healthz')).status, 200);
  await t.rejects(open(server));
  const again = await startServer(t, { warm: false });
  await once(new WebSocket(`${again.url}/healthz`), 'error');
  t.equal((await scrape(again)).get('execwire_upgrades_refused_total{status="400"}'), 1);
});

t.test('metrics are served on a listener of their own, and only there, when one is named', async (t) => {
  const server = await startServer(t, { warm: false, flags: ['--metrics-listen', 'http://127.0.0.1:0'] });
  await server.logged('"msg":"metrics"');
  const { metrics } = JSON.parse(server.lines.find((line) => line.includes('"msg":"metrics"')) ?? '{}');
  const port = Number(new URL(metrics).port);
  t.match((await ask({ host: '127.0.0.1', port }, { path: '/metrics' })).body, /^execwire_sessions 0$/m);
  t.equal((await ask({ host: '127.0.0.1', port }, { path: '/healthz' })).status, 404);
  t.equal((await server.get('/metrics')).status, 404);
  server.signal('SIGTERM');
  t.equal((await server.exited).code, 0);
});

t.test('every metric of the table is exposed', async (t) => {
  const server = await startServer(t, { warm: false });
  const { body } = await server.get('/metrics');
  for (const { name, kind } of Object.values(instruments)) t.ok(body.includes(`# TYPE ${name} ${kind}\n`), name);
});

t.test('server loads neither the OpenTelemetry SDK nor prom-client when no telemetry is asked for', async (t) => {
  const report = `process.on('exit', () => require('fs').writeSync(2, Object.keys(require.cache).join('\\n') + '\\nloaded\\n'))`;
  const folder = t.testdir({ 'report.cjs': report });
  const env = { NODE_OPTIONS: `--require=${folder}/report.cjs`, OTEL_EXPORTER_OTLP_ENDPOINT: '' };
  const server = await startServer(t, { env, warm: false });
  const client = await open(server);
  await client.ask('command/exec', { command: ['true'] });
  server.signal('SIGTERM');
  await server.logged('loaded');
  t.ok(server.lines.some((line) => line.includes('koffi') || line.includes('execwire')));
  t.same(
    server.lines.filter((line) =>
      /(telemetry-sdk|opentelemetry-api|prom-client|jose)\.cjs|node_modules.(@opentelemetry|prom-client|jose)/.test(
        line,
      ),
    ),
    [],
  );
});

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;

t.test(
  'Prometheus reads the metrics when it scrapes the server',
  { skip: !hasPrometheus && 'no prometheus on this machine' },
  async (t: Test) => {
    const server = await startServer(t, { warm: false });
    const client = await open(server);
    await client.ask('command/exec', { command: ['true'] });
    const job = { job_name: 'execwire', scrape_interval: '100ms', scrape_timeout: '100ms' };
    const config = { scrape_configs: [{ ...job, static_configs: [{ targets: [`127.0.0.1:${server.port}`] }] }] };
    // JSON is YAML.
    const folder = t.testdir({ 'prometheus.yml': JSON.stringify(config) });
    const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
    const prometheus = spawn('prometheus', [...args, '--web.listen-address=127.0.0.1:0', '--log.level=info'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    t.teardown(async () => {
      const exit = once(prometheus, 'exit');
      prometheus.kill('SIGKILL');
      await exit;
    });
    const port = await new Promise<number>((resolve) => {
      createInterface({ input: prometheus.stderr }).on('line', (line) => {
        const address = /Listening on.*address=127\.0\.0\.1:(\d+)/.exec(line);
        if (address !== null) resolve(Number(address[1]));
      });
    });
    const query = '/api/v1/query?query=execwire_commands_total%7Boutcome%3D%22success%22%2Ckind%3D%22buffered%22%7D';
    let result: Array<{ value: [number, string] }> = [];
    while (result.length === 0) {
      const answer = await ask({ host: '127.0.0.1', port }, { path: query });
      if (answer.status === 200) result = JSON.parse(answer.body).data.result;
    }
    t.equal(result[0]?.value[1], '1');
  },
);
