/**
 * The stress of commands and terminals, with the figures of docs/reliability.md: runs a plan and reports each figure as soon as it is known. Prints
 * nothing. `npm run test:stress` runs the whole plan, `npm test` a short one.
 */
import { ServerProcess } from '../support/server-process.js';
import { crashes, killTrees } from './kills.js';
import { leaks } from './leaks.js';
import { largeStream, shortRuns, slowReader } from './lost-bytes.js';

const MIB = 1024 * 1024;

/** Sizes of all parts. */
export interface StressPlan {
  readonly shortRuns: number;
  readonly terminalBytes: number;
  readonly pipeBytes: number;
  readonly slowReaderBytes: number;
  readonly slowReaderStopMs: number;
  readonly kills: number;
  readonly crashes: number;
  readonly commands: number;
  readonly connections: number;
}

export const WHOLE: StressPlan = {
  shortRuns: 3000,
  terminalBytes: 64 * MIB,
  pipeBytes: 256 * MIB,
  slowReaderBytes: 64 * MIB,
  slowReaderStopMs: 3000,
  kills: 200,
  crashes: 20,
  commands: 1000,
  connections: 200,
};

export const SHORT: StressPlan = {
  shortRuns: 150,
  terminalBytes: 4 * MIB,
  pipeBytes: 16 * MIB,
  slowReaderBytes: 64 * MIB,
  slowReaderStopMs: 1000,
  kills: 12,
  crashes: 2,
  commands: 80,
  connections: 20,
};

/** One figure with its bound. */
export interface Figure {
  readonly name: string;
  readonly text: string;
  readonly good: boolean;
}

/** Most memory that a stopped reader may cost. */
const SLOW_READER_BYTES = 64 * MIB;
/** Descriptors that the runtime may open and close by itself. */
const DESCRIPTOR_SLACK = 3;

/** Runs a plan. @param onFigure called with every figure as soon as it is known */
export async function stress(plan: StressPlan, onFigure: (figure: Figure) => void): Promise<void> {
  const server = await ServerProcess.start();
  for (const tty of [true, false]) {
    const { runs, sentBytes, lostBytes, wrongRuns } = await shortRuns(server, plan.shortRuns, tty);
    const text = `${runs} runs, ${sentBytes} bytes, ${lostBytes} lost, ${wrongRuns} runs wrong`;
    onFigure({ name: `short runs, ${tty ? 'terminal' : 'pipes'}`, text, good: lostBytes === 0 && wrongRuns === 0 });
  }
  for (const tty of [true, false]) {
    const bytes = tty ? plan.terminalBytes : plan.pipeBytes;
    const { equal, receivedBytes } = await largeStream(server, bytes, tty);
    const text = `${receivedBytes / MIB} of ${bytes / MIB} MiB, SHA-256 ${equal ? 'equal' : 'DIFFERENT'}`;
    onFigure({ name: `large stream, ${tty ? 'raw terminal' : 'pipe'}`, text, good: equal && receivedBytes === bytes });
  }
  const slow = await slowReader(server, plan.slowReaderBytes, plan.slowReaderStopMs);
  onFigure({
    name: `reader stopped for ${plan.slowReaderStopMs} ms`,
    text:
      `server grew by ${(slow.growthBytes / MIB).toFixed(1)} MiB, ${slow.receivedBytes / MIB} MiB arrived, ` +
      `another connection's median × ${slow.neighbourFactor.toFixed(2)}`,
    good: slow.growthBytes < SLOW_READER_BYTES && slow.receivedBytes === plan.slowReaderBytes,
  });
  const killed = await killTrees(server, plan.kills);
  onFigure({
    name: 'trees killed',
    text: `${killed.kills} kills, ${killed.survivors} survivors`,
    good: killed.survivors === 0,
  });
  const leaked = await leaks(server, plan.commands, plan.connections);
  onFigure({
    name: 'left behind',
    text:
      `${leaked.commands} commands, ${leaked.connections} connections: descriptors ${leaked.descriptors}, ` +
      `threads ${leaked.threads}, zombies ${leaked.zombies}, memory ${(leaked.memoryBytes / MIB).toFixed(1)} MiB`,
    good: Math.abs(leaked.descriptors) <= DESCRIPTOR_SLACK && leaked.zombies === 0 && leaked.threads <= 0,
  });
  const { code } = await server.stop();
  if (code !== 0) throw new Error(`the server ended with ${code}: ${server.stderr}`);
  const crashed = await crashes(plan.crashes);
  onFigure({
    name: 'servers killed',
    text: `${crashed.kills} SIGKILLs, ${crashed.survivors} survivors`,
    good: crashed.survivors === 0,
  });
}
