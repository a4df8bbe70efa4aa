/**
 * Measures how much a client that floods the server and ten full streams slow another client: `command/exec true` and the echo of a keystroke, on the
 * quiet server and beside the load. Prints the factors. Knows no bound.
 */
import { Worker } from 'node:worker_threads';
import { ServerProcess } from '../support/server-process.js';
import type { WireClient } from '../support/wire-client.js';

const SAMPLES = 300;
const STREAMS = 10;
/** Requests the flooding client keeps in flight. */
const FLOOD_DEPTH = 500;

interface Latencies {
  readonly exec: number[];
  readonly echo: number[];
}

/** The program of the load. It runs in a thread of its own, so that it does not slow the client that measures. */
const LOAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { WebSocket } = require('ws');
  function open(onOpen, onMessage) {
    const ws = new WebSocket(workerData.url, { maxPayload: 0 });
    ws.on('open', () => {
      const capabilities = { experimentalApi: true };
      ws.send(JSON.stringify({ id: 0, method: 'initialize', params: { clientInfo: { name: 'load', version: '1' }, capabilities } }));
      onOpen(ws);
    });
    ws.on('message', (data) => onMessage(ws, data));
  }
  let started = 0;
  const ready = () => { started += 1; if (started === workerData.streams + 1) parentPort.postMessage('loaded'); };
  for (let index = 0; index < workerData.streams; index += 1) {
    let isFirst = true;
    open((ws) => {
      const params = { command: ['cat', '/dev/zero'], processId: 'p', streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true };
      ws.send(JSON.stringify({ id: 1, method: 'command/exec', params }));
    }, (ws, data) => { if (isFirst && data.length > 1000) { isFirst = false; ready(); } });
  }
  let replies = 0;
  const ask = (ws) => ws.send('{"id":1,"method":"command/exec/list"}');
  open((ws) => { for (let index = 0; index < workerData.depth; index += 1) ask(ws); },
    (ws) => { replies += 1; if (replies === workerData.depth) ready(); ask(ws); });
`;

async function startLoad({ url }: ServerProcess): Promise<Worker> {
  const worker = new Worker(LOAD, { eval: true, workerData: { url, streams: STREAMS, depth: FLOOD_DEPTH } });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  return worker;
}

async function measure(client: WireClient): Promise<Latencies> {
  const latencies: Latencies = { exec: [], echo: [] };
  const processId = 'terminal';
  const ended = client.exec(['cat'], { processId, tty: true, disableTimeout: true, disableOutputCap: true });
  let onOutput = (): void => {};
  client.onOutput(processId, () => onOutput());
  for (let index = 0; index < SAMPLES; index += 1) {
    const execStartMs = performance.now();
    await client.exec(['true']);
    latencies.exec.push(performance.now() - execStartMs);
    const echoed = new Promise<void>((resolve) => {
      onOutput = resolve;
    });
    const echoStartMs = performance.now();
    void client.request('command/exec/write', { processId, deltaBase64: 'aw==' });
    await echoed;
    latencies.echo.push(performance.now() - echoStartMs);
  }
  await client.request('command/exec/terminate', { processId });
  await ended;
  return latencies;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

const server = await ServerProcess.start();
const client = await (await server.wire()).initialize();
client.forgetsMessages = true;
await measure(client);
const quiet = await measure(client);
const worker = await startLoad(server);
const loaded = await measure(client);
await worker.terminate();
await client.close();
await server.stop();

for (const name of ['exec', 'echo'] as const) {
  for (const [label, part] of [
    ['p50', 0.5],
    ['p99', 0.99],
  ] as const) {
    const [before, beside] = [quantile(quiet[name], part), quantile(loaded[name], part)];
    const factor = (beside / before).toFixed(1);
    console.log(
      `${name} ${label}: ${before.toFixed(2)} ms quiet, ${beside.toFixed(2)} ms beside the load: factor ${factor}`,
    );
  }
}
