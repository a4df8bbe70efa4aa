/**
 * What telemetry costs: CPU time of the server for one request without traces and with every request traced and sent to an OTLP
 * receiver, and the memory of both. Needs Linux and a build: `node bench/telemetry-cost.mjs [requests] [server]`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const REQUESTS = Number(process.argv[2] ?? 60_000);
const SERVER = process.argv[3] ?? 'dist/execwire.cjs';
/** Requests on their way at once. */
const WINDOW = 200;
/** Clock ticks of /proc are hundredths of a second on every Linux. */
const US_PER_TICK = 10_000;
/** Turns of each kind; the middle one counts. */
const ROUNDS = 3;
/** Longer than the batches of spans wait. */
const SETTLE_MS = 1500;

const RECEIVER = `require('http').createServer((q, r) => { q.resume(); q.on('end', () => r.end('{}')); })
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function cpuUs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}

function residentMb(pid) {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
}

async function firstLine(stream, pattern) {
  for await (const line of createInterface({ input: stream })) {
    const match = pattern.exec(line);
    if (match !== null) return match[1];
  }
  throw new Error('ended before it was ready');
}

async function run(env) {
  const beganAtMs = performance.now();
  const server = spawn(process.execPath, [SERVER, 'serve', '--listen', 'ws://127.0.0.1:0'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const url = await firstLine(server.stderr, /listening on: (\S+)/);
  const startMs = performance.now() - beganAtMs;
  server.stderr.resume();
  await sleep(SETTLE_MS);
  const idleMb = residentMb(server.pid);
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const clientInfo = { name: 'cost', version: '1' };
  const params = { clientInfo, capabilities: { experimentalApi: true } };
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
  await once(socket, 'message');

  async function ask(count) {
    let sent = 0;
    let answered = 0;
    await new Promise((resolve) => {
      const next = () =>
        socket.send(JSON.stringify({ jsonrpc: '2.0', id: sent++, method: 'command/exec/list', params: {} }));
      const onMessage = () => {
        answered += 1;
        if (sent < count) next();
        if (answered < count) return;
        socket.off('message', onMessage);
        resolve();
      };
      socket.on('message', onMessage);
      for (let at = 0; at < WINDOW; at += 1) next();
    });
    await sleep(SETTLE_MS);
  }

  await ask(REQUESTS / 4);
  const beforeUs = cpuUs(server.pid);
  await ask(REQUESTS);
  const usPerRequest = (cpuUs(server.pid) - beforeUs) / REQUESTS;
  const metrics = await (await fetch(`${url.replace('ws', 'http')}/metrics`)).text();
  const dropped = [...metrics.matchAll(/^execwire_spans_dropped_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
  socket.close();
  server.kill('SIGTERM');
  await once(server, 'exit');
  return { startMs, idleMb, usPerRequest, dropped };
}

function middle(results, key) {
  return results.map((result) => result[key]).sort((a, b) => a - b)[Math.floor(results.length / 2)];
}

const receiver = spawn(process.execPath, ['-e', RECEIVER], { stdio: ['ignore', 'pipe', 'inherit'] });
const port = await firstLine(receiver.stdout, /(\d+)/);
const traced = {
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${port}/v1/traces`,
  OTEL_BSP_SCHEDULE_DELAY: '500',
  OTEL_BSP_MAX_QUEUE_SIZE: '100000',
};
const kinds = { 'without traces': {}, 'all requests traced': traced };
const results = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [kind, env] of Object.entries(kinds)) results[kind].push(await run(env));
}
receiver.kill();
for (const [kind, of] of Object.entries(results)) {
  const [start, idle, cost, dropped] = ['startMs', 'idleMb', 'usPerRequest', 'dropped'].map((key) => middle(of, key));
  console.log(
    `${kind}: start ${Math.round(start)} ms, idle ${idle} MB, ${cost.toFixed(1)} µs CPU a request, ${dropped} spans dropped`,
  );
}
const [off, on] = Object.values(results).map((of) => middle(of, 'usPerRequest'));
console.log(`traces cost ${(on - off).toFixed(1)} µs CPU a request (limit: 15)`);
