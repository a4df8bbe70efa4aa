// `npm run test:stress -- files`: 4 GB up to a server and down from it, and what memory the server takes meanwhile.
//
//     npm run test:stress -- files            in the temporary folder, which needs 5 GB
//     FILES_BYTES=100000000 npm run test:stress -- files
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from '../support/server-process.js';

const BYTES = Number(process.env.FILES_BYTES ?? 4 * 1024 ** 3);
const CHUNK = Buffer.alloc(1024 * 1024, 'execwire files ');
/** The server stays under this, whatever passes through it. */
const MAX_RESIDENT_BYTES = 150 * 1024 ** 2;

const folder = mkdtempSync(join(tmpdir(), 'execwire-stress-files-'));
const server = new ServerProcess({ flags: ['--files'] });
await server.untilListening();
let peak = 0;

/** The most that the process had resident, as the kernel counts it. */
function look(): void {
  const [, kib = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8')) ?? [];
  peak = Math.max(peak, Number(kib) * 1024);
}

function open(method: string): ReturnType<typeof request> {
  const { host, port } = server;
  return request({ host, port, method, path: `/files${folder}/big`, agent: false });
}

async function upload(): Promise<string> {
  const hash = createHash('sha256');
  const asking = open('PUT');
  for (let sent = 0; sent < BYTES; sent += CHUNK.length) {
    const piece = CHUNK.subarray(0, Math.min(CHUNK.length, BYTES - sent));
    hash.update(piece);
    if (!asking.write(piece)) await once(asking, 'drain');
  }
  asking.end();
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  response.resume();
  if (response.statusCode !== 201) throw new Error(`the upload ended with ${response.statusCode}`);
  return hash.digest('hex');
}

async function download(): Promise<string> {
  const hash = createHash('sha256');
  const asking = open('GET');
  asking.end();
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  for await (const chunk of response) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAtMs = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedAtMs) / 1000;
  look();
  console.log(
    `${what}: ${(BYTES / 1e6 / seconds).toFixed(0)} MB/s; the server's peak is ${(peak / 1024 ** 2).toFixed(0)} MiB`,
  );
  return result;
}

try {
  const up = await timed(`${(BYTES / 1024 ** 3).toFixed(2)} GiB up`, upload);
  if (statSync(`${folder}/big`).size !== BYTES) throw new Error('the file has another size');
  const down = await timed(`${(BYTES / 1024 ** 3).toFixed(2)} GiB down`, download);
  if (up !== down) throw new Error('what came down is not what went up');
  if (peak > MAX_RESIDENT_BYTES) throw new Error(`the server had ${peak} bytes, more than ${MAX_RESIDENT_BYTES}`);
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
