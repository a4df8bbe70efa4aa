/**
 * The soak: clients connect, run commands and terminals, resize, cut the connection and leave, again and again, beside a replica that is drained and
 * started anew. Reports what the server holds at rest after a first part and at the end. Knows neither duration nor bound; a plan decides when it ends.
 */
import { memoryMapsOf, residentBytesOf, threadsOf } from '../support/process-table.js';
import { createRandom, type Random } from '../support/seed.js';
import { type Exit, ServerProcess } from '../support/server-process.js';
import { until } from '../support/until.js';
import { type WireClient, WireEndedError } from '../support/wire-client.js';
import { inParallel } from './in-parallel.js';

const CLIENTS = 6;
const COMMANDS_PER_CLIENT = 8;
/** The replica is drained once in this many rounds. */
const DRAIN_EVERY = 5;
const UNBOUNDED = { streamStdoutStderr: true, disableTimeout: true, disableOutputCap: true };

/** How long the soak goes on. Both functions are called after each round. */
export interface SoakPlan {
  /** Whether the first part is over, after which nothing may grow. */
  isWarm(round: number): boolean;
  isOver(round: number): boolean;
}

/** What a server holds when no client is connected and no command runs. */
export interface AtRest {
  readonly descriptors: number;
  readonly children: number;
  readonly threads: number;
  readonly timers: number;
  readonly listeners: number;
  /** Entries of all Maps and Sets. */
  readonly entries: number;
  /** Memory maps of the process. */
  readonly maps: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
}

/** What was done, and what the server held. */
export interface SoakReport {
  readonly rounds: number;
  readonly connections: number;
  readonly commands: number;
  readonly terminals: number;
  readonly resizes: number;
  readonly cuts: number;
  readonly drains: number;
  readonly warm: AtRest;
  readonly end: AtRest;
}

type Counts = { -readonly [Name in Exclude<keyof SoakReport, 'rounds' | 'warm' | 'end'>]: number };

/** Runs the soak against servers of its own. @throws {Error} when an answer is wrong or a server does not end with 0 */
export async function soak(plan: SoakPlan): Promise<SoakReport> {
  const random = createRandom();
  const counts: Counts = { connections: 0, commands: 0, terminals: 0, resizes: 0, cuts: 0, drains: 0 };
  const server = await ServerProcess.start({ probe: true, env: { TEST_PROBE_ENTRIES: '1' } });
  let replica = await ServerProcess.start();
  try {
    let warm: AtRest | undefined;
    let round = 0;
    for (; warm === undefined || !plan.isOver(round); round += 1) {
      await inParallel(CLIENTS, CLIENTS, () => visit(server, random.fork(), counts));
      if (round % DRAIN_EVERY === 0) {
        await drain(replica, counts);
        replica = await ServerProcess.start();
      }
      if (warm === undefined && plan.isWarm(round)) warm = await atRest(server);
    }
    const end = await atRest(server);
    for (const each of [server, replica]) await endedWell(each, await each.stop());
    return { rounds: round, ...counts, warm, end };
  } finally {
    await server.crash();
    await replica.crash();
  }
}

/** One client, from its connection to its end. */
async function visit(server: ServerProcess, random: Random, counts: Counts): Promise<void> {
  const client = await server.wire();
  client.forgetsMessages = true;
  await client.initialize({ experimentalApi: true });
  counts.connections += 1;
  for (let command = 0; command < COMMANDS_PER_CLIENT; command += 1) {
    const processId = `p${command}`;
    if (random.chance(0.4)) await terminal(client, processId, random, counts);
    else await piped(client, processId, random, counts);
  }
  if (random.chance(0.5)) {
    await client.close();
    return;
  }
  counts.cuts += 1;
  const isRunning = heard(client, 'cut', 'ready');
  const lost = client.exec(['sh', '-c', 'sleep 600 & echo ready; exec cat /dev/zero'], {
    processId: 'cut',
    ...UNBOUNDED,
  });
  await isRunning;
  client.terminate();
  await lost.then(
    () => {
      throw new Error('a command that never ends was answered');
    },
    (error) => {
      if (!(error instanceof WireEndedError)) throw error;
    },
  );
}

/** A command on pipes: buffered, or streamed with input. */
async function piped(client: WireClient, processId: string, random: Random, counts: Counts): Promise<void> {
  counts.commands += 1;
  if (random.chance(0.5)) {
    const { result } = await client.exec(['sh', '-c', `head -c ${random.int(0, 300_000)} /dev/zero; exit 3`]);
    if (result?.exitCode !== 3) throw new Error(`a buffered command ended with ${JSON.stringify(result)}`);
    return;
  }
  const echoed = heard(client, processId, 'hello');
  const ended = client.exec(['cat'], { processId, streamStdin: true, ...UNBOUNDED });
  const deltaBase64 = Buffer.from('hello').toString('base64');
  await client.request('command/exec/write', { processId, deltaBase64 });
  await echoed;
  const isKilled = random.chance(0.3);
  if (isKilled) await client.request('command/exec/terminate', { processId });
  else await client.request('command/exec/write', { processId, closeStdin: true });
  const { result } = await ended;
  if (result?.exitCode !== (isKilled ? 137 : 0)) throw new Error(`cat ended with ${JSON.stringify(result)}`);
}

/** A terminal that is resized while it runs. */
async function terminal(client: WireClient, processId: string, random: Random, counts: Counts): Promise<void> {
  counts.terminals += 1;
  const isReady = heard(client, processId, 'ready');
  const ended = client.exec(['sh', '-c', 'echo ready; read line; exit 5'], { processId, tty: true, ...UNBOUNDED });
  await isReady;
  for (let resize = random.int(1, 4); resize > 0; resize -= 1) {
    counts.resizes += 1;
    const size = { rows: random.int(1, 60), cols: random.int(1, 200) };
    await client.request('command/exec/resize', { processId, size });
  }
  await client.request('command/exec/write', { processId, deltaBase64: Buffer.from('end\r').toString('base64') });
  const { result } = await ended;
  if (result?.exitCode !== 5) throw new Error(`a terminal ended with ${JSON.stringify(result)}`);
}

/** Resolves when a command has printed a word. Must be called before the command is started. */
function heard(client: WireClient, processId: string, word: string): Promise<void> {
  return new Promise((resolve) => {
    let text = '';
    client.onOutput(processId, (bytes) => {
      if (text.includes(word)) return;
      text += bytes.toString('latin1');
      if (text.includes(word)) resolve();
    });
  });
}

/** Drains a replica while a command runs, and lets the command finish. */
async function drain(replica: ServerProcess, counts: Counts): Promise<void> {
  const client = await (await replica.wire()).initialize();
  const ended = client.exec(['cat'], { processId: 'cat', streamStdin: true, ...UNBOUNDED });
  // The answer shows that the command runs.
  await client.request('command/exec/write', { processId: 'cat', deltaBase64: 'eA==' });
  replica.signal('SIGTERM');
  await client.notified('server/draining');
  await client.request('command/exec/write', { processId: 'cat', closeStdin: true });
  const { result } = await ended;
  if (result?.exitCode !== 0) throw new Error(`a command of a draining replica ended with ${JSON.stringify(result)}`);
  await endedWell(replica, await replica.exited);
  counts.drains += 1;
}

async function endedWell(server: ServerProcess, { code, signal }: Exit): Promise<void> {
  if (code !== 0) throw new Error(`a server ended with ${signal ?? code}:\n${server.stderr}`);
  await server.untilNothingIsLeft();
}

/** Reads the figures until two readings in a row agree, because commands that have just ended leave timers that run out. */
async function atRest(server: ServerProcess): Promise<AtRest> {
  let last = '';
  let seen: AtRest | undefined;
  await until('the server is at rest', async () => {
    const { timers, listeners, entries = 0, heapBytes } = await server.figures();
    const { pid } = server;
    const counted = {
      descriptors: server.descriptors().length,
      children: server.children().length,
      threads: threadsOf(pid),
      timers,
      listeners,
      entries,
    };
    const text = JSON.stringify(counted);
    const isSame = text === last;
    last = text;
    seen = { ...counted, maps: memoryMapsOf(pid), heapBytes, residentBytes: residentBytesOf(pid) };
    return isSame;
  });
  if (seen === undefined) throw new Error('nothing was seen');
  return seen;
}
