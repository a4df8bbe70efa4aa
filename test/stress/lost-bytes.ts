/** Runs thousands of short commands and a few large ones, and counts the bytes that do not arrive. Knows no kills. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inParallel, type StressClient, type StressServer } from './stress-server.js';

const MAX_SHORT_BYTES = 200 * 1024;
const WIDTH = 8;
/** Every third run's client stops reading for up to so long around the end of the command. */
const MAX_PAUSE_MS = 30;

/** What came of a series of runs. */
export interface LossFigures {
  readonly runs: number;
  readonly sentBytes: number;
  readonly lostBytes: number;
  /** Runs whose output differs from what was written, in length or content. */
  readonly wrongRuns: number;
}

/** Text without line ends, which a terminal passes on as it is. */
function plainText(bytes: number): Buffer {
  return Buffer.from(randomBytes(bytes).toString('base64url').slice(0, bytes));
}

function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-stress-'));
  return run(folder).finally(() => rmSync(folder, { recursive: true, force: true }));
}

/** Short runs of mixed sizes, 8 at a time on 8 connections, with random pauses of the client. */
export function shortRuns(server: StressServer, runs: number, tty: boolean): Promise<LossFigures> {
  return inFolder(async (folder) => {
    const text = plainText(MAX_SHORT_BYTES);
    const file = join(folder, 'text');
    writeFileSync(file, text);
    const clients = await Promise.all(Array.from({ length: WIDTH }, () => server.connect()));
    let sentBytes = 0;
    let lostBytes = 0;
    let wrongRuns = 0;
    await inParallel(runs, WIDTH, async (index) => {
      const stress = clients[index % WIDTH];
      if (stress === undefined) return;
      // From one byte to the whole text, as many small ones as large ones.
      const size = Math.max(1, Math.round(MAX_SHORT_BYTES ** Math.random()));
      const pieces: Uint8Array[] = [];
      const command = stress.client.start({
        command: ['head', '-c', String(size), file],
        tty,
        disableOutputCap: true,
        processId: `run-${index}`,
      });
      command.onOutput(({ bytes }) => pieces.push(bytes));
      if (index % 3 === 0) pauseBriefly(stress);
      await command.result;
      const output = Buffer.concat(pieces);
      sentBytes += size;
      lostBytes += Math.max(0, size - output.length);
      if (!output.equals(text.subarray(0, size))) wrongRuns += 1;
    });
    for (const { client } of clients) await client.close();
    return { runs, sentBytes, lostBytes, wrongRuns };
  });
}

function pauseBriefly({ socket }: StressClient): void {
  setTimeout(() => {
    socket.pause();
    setTimeout(() => socket.resume(), Math.random() * MAX_PAUSE_MS);
  }, Math.random() * 5);
}

/** One large output, compared by SHA-256. @returns megabytes per second, for the curious */
export function largeStream(
  server: StressServer,
  bytes: number,
  tty: boolean,
): Promise<{ equal: boolean; receivedBytes: number }> {
  return inFolder(async (folder) => {
    const file = join(folder, 'large');
    const block = randomBytes(1024 * 1024);
    const expected = createHash('sha256');
    writeFileSync(file, '');
    for (let written = 0; written < bytes; written += block.length) {
      block.writeUInt32LE(written / block.length);
      writeFileSync(file, block, { flag: 'a' });
      expected.update(block);
    }
    const { client } = await server.connect();
    const actual = createHash('sha256');
    let receivedBytes = 0;
    const command = client.start({
      command: tty ? ['sh', '-c', `stty raw -echo; cat ${file}`] : ['cat', file],
      tty,
      disableOutputCap: true,
      disableTimeout: true,
    });
    command.onOutput((output) => {
      actual.update(output.bytes);
      receivedBytes += output.bytes.length;
    });
    await command.result;
    await client.close();
    return { equal: actual.digest('hex') === expected.digest('hex'), receivedBytes };
  });
}

/** What a reader that stops in the middle of a stream costs. */
export interface SlowReaderFigures {
  readonly growthBytes: number;
  readonly receivedBytes: number;
  /** Median of another connection's `true` while the reader stands still, as a multiple of its median before. */
  readonly neighbourFactor: number;
}

/** A reader stops in a stream while another connection goes on working. */
export async function slowReader(server: StressServer, bytes: number, stopMs: number): Promise<SlowReaderFigures> {
  const slow = await server.connect();
  const neighbour = await server.connect();
  const before = await medianOfTrue(neighbour, 50);
  const startBytes = server.residentBytes();
  let receivedBytes = 0;
  let peakBytes = startBytes;
  const command = slow.client.start({
    command: ['head', '-c', String(bytes), '/dev/zero'],
    disableOutputCap: true,
    disableTimeout: true,
  });
  const stopped = new Promise<void>((resolve) => {
    command.onOutput((output) => {
      const first = receivedBytes === 0;
      receivedBytes += output.bytes.length;
      if (!first) return;
      slow.socket.pause();
      resolve();
    });
  });
  await stopped;
  const until = performance.now() + stopMs;
  const medians: number[] = [];
  while (performance.now() < until) {
    medians.push(await medianOfTrue(neighbour, 10));
    peakBytes = Math.max(peakBytes, server.residentBytes());
  }
  slow.socket.resume();
  await command.result;
  await slow.client.close();
  await neighbour.client.close();
  return { growthBytes: peakBytes - startBytes, receivedBytes, neighbourFactor: median(medians) / before };
}

async function medianOfTrue({ client }: StressClient, runs: number): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const start = performance.now();
    await client.exec({ command: ['/bin/true'] });
    times.push(performance.now() - start);
  }
  return median(times);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
