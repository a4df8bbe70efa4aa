/** Runs many commands over many connections and counts what the server still holds afterwards. Knows no bound. */
import { residentBytesOf, threadsOf, zombiesOf } from '../support/process-table.js';
import type { ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import { inParallel } from './in-parallel.js';

const WIDTH = 8;
/** Differences between the states after two rounds of load. The first round fills caches and loads what is loaded late. */
export interface LeakFigures {
  readonly commands: number;
  readonly connections: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly zombies: number;
  readonly memoryBytes: number;
}

/** Runs the same load twice and compares the states after each. */
export async function leaks(server: ServerProcess, commands: number, connections: number): Promise<LeakFigures> {
  await load(server, commands, connections);
  const before = {
    descriptors: server.descriptors().length,
    threads: threadsOf(server.pid),
    memory: residentBytesOf(server.pid),
  };
  await load(server, commands, connections);
  await until('descriptors are back', () => server.descriptors().length <= before.descriptors + 3).catch(() => {});
  return {
    commands,
    connections,
    descriptors: server.descriptors().length - before.descriptors,
    threads: threadsOf(server.pid) - before.threads,
    zombies: zombiesOf(server.pid),
    memoryBytes: residentBytesOf(server.pid) - before.memory,
  };
}

async function load(server: ServerProcess, commands: number, connections: number): Promise<void> {
  const perConnection = Math.ceil(commands / connections);
  await inParallel(connections, WIDTH, async (index) => {
    const client = await (await server.wire()).initialize();
    for (let run = 0; run < perConnection; run += 1) {
      const tty = (index + run) % 2 === 0;
      const processId = `run-${run}`;
      const streams = { processId, tty, streamStdin: true, streamStdoutStderr: true, timeoutMs: 10_000 };
      const ended = client.exec(['cat'], streams);
      const deltaBase64 = Buffer.from('hello\n').toString('base64');
      await client.request('command/exec/write', { processId, deltaBase64 });
      if (run % 4 === 3) await client.request('command/exec/terminate', { processId });
      else await client.request('command/exec/write', { processId, closeStdin: true });
      await ended;
    }
    await client.close();
  });
}
