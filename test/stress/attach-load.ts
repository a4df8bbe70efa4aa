/**
 * Measures what output without a reader costs: the memory of many detached commands that write, and a writer's speed beside an observer that has stopped
 * reading. Knows no bound.
 */
import { measureStoppedObserver } from '../../bench/stopped-observer.mjs';
import { residentBytesOf } from '../support/process-table.js';
import { ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import { newKey, View } from '../support/view.js';
import { inParallel } from './in-parallel.js';

const MIB = 1024 * 1024;
const EXPERIMENTAL = { experimentalApi: true };
/** Starts under way at the same time. */
const WIDTH = 16;

export interface ChattyFigures {
  readonly commands: number;
  readonly budgetBytes: number;
  /** Most bytes that the server held, by its own count. */
  readonly heldBytes: number;
  /** Largest growth of the server's resident memory. */
  readonly grownBytes: number;
  readonly outputBytes: number;
}

/** Starts commands that never stop writing, detaches, and watches until they have written four times as much as may be kept. */
export async function chattyCommands(commands: number, budgetBytes: number): Promise<ChattyFigures> {
  const bounds = ['--max-processes', '--max-processes-per-connection'].flatMap((flag) => [flag, String(commands + 16)]);
  const server = await ServerProcess.start({ flags: [...bounds, '--replay-budget', String(budgetBytes)] });
  try {
    const client = await (await server.wire()).initialize(EXPERIMENTAL);
    client.forgetsMessages = true;
    await client.exec(['true']);
    const before = residentBytesOf(server.pid);
    await inParallel(commands, WIDTH, async () => {
      const view = await View.start(
        client,
        { command: ['yes'], detachable: { key: newKey() } },
        { onBytes: () => {} },
      ).begun();
      await view.ask('detach');
    });
    let heldBytes = 0;
    let grownBytes = 0;
    let outputBytes = 0;
    await until('the commands have written enough', async () => {
      const { body } = await server.get('/metrics');
      const metric = (name: string): number => Number(new RegExp(`^execwire_${name} (\\S+)$`, 'm').exec(body)?.[1]);
      heldBytes = Math.max(heldBytes, metric('replay_bytes'));
      grownBytes = Math.max(grownBytes, residentBytesOf(server.pid) - before);
      outputBytes = metric('output_bytes_total');
      return outputBytes > 4 * budgetBytes;
    });
    await client.close();
    return { commands, budgetBytes, heldBytes, grownBytes, outputBytes };
  } finally {
    await server.stop();
  }
}

export interface ObserverFigures {
  readonly rounds: number;
  /** Speed of the writer beside an observer that has stopped reading, as a part of its speed alone. */
  readonly median: number;
  /** Ends of the interval that holds the true median in 95 of 100 cases. */
  readonly low: number;
  readonly high: number;
}

/** Measures a writer alone and beside a stopped observer, in turn. */
export async function stoppedObserver(rounds: number, bytes: number): Promise<ObserverFigures> {
  const server = await ServerProcess.start();
  try {
    const port = Number(new URL(server.url).port);
    return { rounds, ...(await measureStoppedObserver(port, { bytes, rounds })) };
  } finally {
    await server.stop();
  }
}

/** Mebibytes with one decimal place. */
export function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
