/** Runs thousands of short commands and a few large ones, and counts the bytes that do not arrive. Knows no kills. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { residentBytesOf } from '../support/process-table.js';
import { createRandom, type Random } from '../support/seed.js';
import type { ServerProcess } from '../support/server-process.js';
import type { WireClient } from '../support/wire-client.js';
import { inParallel } from './in-parallel.js';

const MAX_SHORT_BYTES = 200 * 1024;
const WIDTH = 8;
/** In every third run the client stops reading for up to this many milliseconds around the end of the command. */
const MAX_PAUSE_MS = 30;

/** What came of a series of runs. */
export interface LossFigures {
  readonly runs: number;
  readonly sentBytes: number;
  readonly lostBytes: number;
  /** Runs whose output differs from what was written, in length or content. */
  readonly wrongRuns: number;
}

/** Text without line ends, which a terminal passes on unchanged. */
function plainText(random: Random, bytes: number): Buffer {
  return Buffer.from(random.bytes(bytes).toString('base64url').slice(0, bytes));
}

/** A connection that keeps no messages. */
async function connect(server: ServerProcess): Promise<WireClient> {
  const client = await (await server.wire()).initialize();
  client.forgetsMessages = true;
  return client;
}

function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-stress-'));
  return run(folder).finally(() => rmSync(folder, { recursive: true, force: true }));
}

/** Short runs of mixed sizes, 8 at a time on 8 connections, with random pauses of the client. */
export function shortRuns(server: ServerProcess, runs: number, tty: boolean): Promise<LossFigures> {
  return inFolder(async (folder) => {
    const random = createRandom();
    const text = plainText(random, MAX_SHORT_BYTES);
    const file = join(folder, 'text');
    writeFileSync(file, text);
    const clients = await Promise.all(Array.from({ length: WIDTH }, () => connect(server)));
    let sentBytes = 0;
    let lostBytes = 0;
    let wrongRuns = 0;
    await inParallel(runs, WIDTH, async (index) => {
      const client = clients[index % WIDTH];
      if (client === undefined) return;
      // From one byte to the whole text, with as many small sizes as large ones.
      const size = Math.max(1, Math.round(MAX_SHORT_BYTES ** random.fraction()));
      const pieces: Buffer[] = [];
      const processId = `run-${index}`;
      client.onOutput(processId, (bytes) => pieces.push(bytes));
      const ended = client.exec(['head', '-c', String(size), file], {
        processId,
        tty,
        streamStdoutStderr: true,
        disableOutputCap: true,
        disableTimeout: true,
      });
      if (index % 3 === 0) pauseBriefly(client, random);
      await ended;
      const output = Buffer.concat(pieces);
      sentBytes += size;
      lostBytes += Math.max(0, size - output.length);
      if (!output.equals(text.subarray(0, size))) wrongRuns += 1;
    });
    for (const client of clients) await client.close();
    return { runs, sentBytes, lostBytes, wrongRuns };
  });
}

function pauseBriefly({ ws }: WireClient, random: Random): void {
  setTimeout(
    () => {
      ws.pause();
      setTimeout(() => ws.resume(), random.int(0, MAX_PAUSE_MS));
    },
    random.int(0, 5),
  );
}

/** Streams one large output and compares it by SHA-256. */
export function largeStream(
  server: ServerProcess,
  bytes: number,
  tty: boolean,
): Promise<{ equal: boolean; receivedBytes: number }> {
  return inFolder(async (folder) => {
    const file = join(folder, 'large');
    const block = createRandom().bytes(1024 * 1024);
    const expected = createHash('sha256');
    writeFileSync(file, '');
    for (let written = 0; written < bytes; written += block.length) {
      block.writeUInt32LE(written / block.length);
      writeFileSync(file, block, { flag: 'a' });
      expected.update(block);
    }
    const client = await connect(server);
    const actual = createHash('sha256');
    let receivedBytes = 0;
    client.onOutput('large', (piece) => {
      actual.update(piece);
      receivedBytes += piece.length;
    });
    await client.exec(tty ? ['sh', '-c', `stty raw -echo; cat ${file}`] : ['cat', file], {
      processId: 'large',
      tty,
      streamStdoutStderr: true,
      disableOutputCap: true,
      disableTimeout: true,
    });
    await client.close();
    return { equal: actual.digest('hex') === expected.digest('hex'), receivedBytes };
  });
}

/** The cost of a reader that stops in the middle of a stream. */
export interface SlowReaderFigures {
  readonly growthBytes: number;
  readonly receivedBytes: number;
  /** Median of another connection's `true` while the reader has stopped, as a multiple of its median before. */
  readonly neighbourFactor: number;
}

/** A reader stops in a stream while another connection goes on working. */
export async function slowReader(server: ServerProcess, bytes: number, stopMs: number): Promise<SlowReaderFigures> {
  const slow = await connect(server);
  const neighbour = await connect(server);
  const before = await medianOfTrue(neighbour, 50);
  const startBytes = residentBytesOf(server.pid);
  let receivedBytes = 0;
  let peakBytes = startBytes;
  const stopped = new Promise<void>((resolve) => {
    slow.onOutput('slow', (piece) => {
      const first = receivedBytes === 0;
      receivedBytes += piece.length;
      if (!first) return;
      slow.ws.pause();
      resolve();
    });
  });
  const ended = slow.exec(['head', '-c', String(bytes), '/dev/zero'], {
    processId: 'slow',
    streamStdoutStderr: true,
    disableOutputCap: true,
    disableTimeout: true,
  });
  await stopped;
  const until = performance.now() + stopMs;
  const medians: number[] = [];
  while (performance.now() < until) {
    medians.push(await medianOfTrue(neighbour, 10));
    peakBytes = Math.max(peakBytes, residentBytesOf(server.pid));
  }
  slow.ws.resume();
  await ended;
  await slow.close();
  await neighbour.close();
  return { growthBytes: peakBytes - startBytes, receivedBytes, neighbourFactor: median(medians) / before };
}

async function medianOfTrue(client: WireClient, runs: number): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const start = performance.now();
    await client.exec(['/bin/true']);
    times.push(performance.now() - start);
  }
  return median(times);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
