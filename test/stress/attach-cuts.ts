/**
 * Breaks the connections of readers again and again under load, and kills clients. Counts bytes that are lost or doubled, and commands that run twice.
 * Knows no bound.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BoundaryProxy, type Limits } from '../support/boundary-proxy.js';
import { createRandom, type Random } from '../support/seed.js';
import type { ServerProcess } from '../support/server-process.js';
import { newKey, View } from '../support/view.js';
import { WireClient } from '../support/wire-client.js';
import { inParallel } from './in-parallel.js';
import { TALKER_END, talkerBytes, talkerCommand } from './talker.js';

const CLIENT = fileURLToPath(new URL('../fixtures/client-to-kill.mjs', import.meta.url));
const EXPERIMENTAL = { experimentalApi: true };
/** Commands whose connections break at the same time. */
const WIDTH = 8;
const CUTS_PER_COMMAND = 50;
/** Bytes that a command is told to write at each return. */
const LINE_BYTES = 30_000;
const WINDOW_BYTES = 32 * 1024;
/** Clients that run at the same time. */
const CLIENTS = 4;
/** Longest time that a client lives after its first output. */
const LATEST_KILL_MS = 40;

export interface CutFigures {
  readonly cuts: number;
  readonly bytes: number;
  readonly lost: number;
  readonly doubled: number;
  /** Commands whose SHA-256 or input is another than it should be. */
  readonly wrong: number;
  readonly ranTwice: number;
}

/** One command and its only reader, which comes back after each cut. */
class CutCommand {
  lost = 0;
  doubled = 0;
  bytes = 0;
  cuts = 0;
  readonly #proxy: BoundaryProxy;
  readonly #file: string;
  readonly #random: Random;
  readonly #key = newKey();
  readonly #hash = createHash('sha256');
  #next = 0;
  #input = '';
  #accepted = 0;
  #wasAttached = false;

  constructor(proxy: BoundaryProxy, folder: string, random: Random) {
    this.#proxy = proxy;
    this.#file = join(folder, this.#key);
    this.#random = random;
  }

  /** Breaks this many connections, and reads to the end. @returns what went wrong */
  async run(cuts: number): Promise<{ wrong: boolean; ranTwice: boolean }> {
    while (this.cuts < cuts) {
      this.#input += `out ${LINE_BYTES}\n`;
      await this.#visit({ down: this.#random.int(200, 60_000), up: this.#limitUp() });
      this.cuts += 1;
    }
    const exitCode = await this.#visit({ down: Number.POSITIVE_INFINITY, up: Number.POSITIVE_INFINITY });
    const expected = talkerBytes(0, cuts * LINE_BYTES);
    const isSame = this.#hash.digest('hex') === createHash('sha256').update(expected).digest('hex');
    if (this.#next < expected.length) this.lost += expected.length - this.#next;
    const took = readFileSync(this.#file, 'utf8');
    const ranTwice = took.split('started\n').length !== 2;
    return { wrong: !isSame || exitCode !== TALKER_END || took !== `started\n${this.#input}`, ranTwice };
  }

  /** Some connections break before the start, or its input, has arrived completely. */
  #limitUp(): number {
    return this.#random.chance(0.3) ? this.#random.int(1, 2000) : Number.POSITIVE_INFINITY;
  }

  async #visit(limits: Limits): Promise<number | undefined> {
    this.#proxy.limitsOf = () => limits;
    const isLast = limits.down === Number.POSITIVE_INFINITY;
    const client = await WireClient.open(this.#proxy.url).catch(() => undefined);
    if (client === undefined) return undefined;
    client.forgetsMessages = true;
    try {
      await client.initialize(EXPERIMENTAL);
      const view = this.#view(client);
      await Promise.race([view.begun(), client.ended]);
      if (client.end !== undefined) return undefined;
      this.#wasAttached = true;
      view.onEvent = () => view.acknowledge(this.#next);
      // Acknowledges output that came before the listener was set.
      view.acknowledge(this.#next);
      const offset = Math.max(0, this.#accepted - this.#random.int(0, 20));
      const written = view.write(this.#input.slice(offset), { offset, ...(isLast ? { closeStdin: true } : {}) });
      written.then(
        ({ result }) => {
          this.#accepted = Math.max(this.#accepted, result?.accepted ?? 0);
        },
        () => {},
      );
      // If the byte at which the connection should break never comes, the connection is broken when all output has come.
      const reply = await Promise.race([isLast ? view.reply : this.#atRest(view), client.ended]);
      this.lost += view.gaps.reduce((sum, { from, to }) => sum + to - from, 0);
      return reply !== undefined && 'result' in reply ? reply.result?.exitCode : undefined;
    } catch {
      return undefined;
    } finally {
      client.terminate();
    }
  }

  #view(client: WireClient): View {
    const onBytes = (bytes: Buffer, offset: number): void => {
      if (offset > this.#next) this.lost += offset - this.#next;
      if (offset < this.#next) this.doubled += this.#next - offset;
      this.#next = offset + bytes.length;
      this.bytes += bytes.length;
      this.#hash.update(bytes);
    };
    const window = { bytes: WINDOW_BYTES };
    if (this.#wasAttached) {
      return View.attach(client, this.#key, { from: { stdout: this.#next }, takeover: true, window }, { onBytes });
    }
    const detachable = { key: this.#key, replayBytes: 2 * WINDOW_BYTES, whenFull: 'pause' };
    return View.start(client, { command: talkerCommand(this.#file), detachable, window }, { onBytes });
  }

  async #atRest(view: View): Promise<undefined> {
    const due = this.#input.split('\n').length - 1;
    await view.until('all output has come', () => this.#next >= due * LINE_BYTES);
    return undefined;
  }
}

/** Breaks this many connections. @param socket path of the server's socket @param folder for files and further sockets */
export async function cutConnections(socket: string, folder: string, cuts: number): Promise<CutFigures> {
  const sum = { cuts: 0, bytes: 0, lost: 0, doubled: 0, wrong: 0, ranTwice: 0 };
  const random = createRandom();
  await inParallel(Math.ceil(cuts / CUTS_PER_COMMAND), WIDTH, async (index) => {
    // Each command has a proxy of its own, so that no other command changes its limits.
    const proxy = await BoundaryProxy.start(socket, join(folder, `proxy-${index}`));
    const command = new CutCommand(proxy, folder, random.fork());
    const { wrong, ranTwice } = await command.run(Math.min(CUTS_PER_COMMAND, cuts - index * CUTS_PER_COMMAND));
    await proxy.close();
    sum.cuts += command.cuts;
    sum.bytes += command.bytes;
    sum.lost += command.lost;
    sum.doubled += command.doubled;
    if (wrong) sum.wrong += 1;
    if (ranTwice) sum.ranTwice += 1;
  });
  return sum;
}

export interface KilledFigures {
  readonly killed: number;
  /** Clients whose command had been started when they were killed. */
  readonly started: number;
  readonly ranTwice: number;
  readonly notRun: number;
}

/** Kills client processes at any moment of a start, and sends each start again with its key. */
export async function killClients(server: ServerProcess, folder: string, clients: number): Promise<KilledFigures> {
  const figures = { killed: 0, started: 0, ranTwice: 0, notRun: 0 };
  const random = createRandom();
  const again = await (await server.wire()).initialize(EXPERIMENTAL);
  again.forgetsMessages = true;
  await inParallel(clients, CLIENTS, async () => {
    const key = newKey();
    const file = join(folder, key);
    const command = ['sh', '-c', `echo ran >> ${file}`];
    const child = spawn(process.execPath, [CLIENT, server.url, key, JSON.stringify(command)], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const ended = once(child, 'exit');
    // The client prints when it is connected; from then on its start is under way.
    await Promise.race([once(child.stdout, 'data'), ended]);
    await new Promise((resolve) => setTimeout(resolve, random.fraction() * LATEST_KILL_MS));
    if (child.kill('SIGKILL')) figures.killed += 1;
    await ended;
    if (existsSync(file)) figures.started += 1;
    const view = View.start(again, { command, detachable: { key } });
    const { result } = await view.reply;
    const runs = existsSync(file) ? readFileSync(file, 'utf8').length / 'ran\n'.length : 0;
    if (runs > 1) figures.ranTwice += 1;
    if (runs < 1 || result?.exitCode !== 0) figures.notRun += 1;
    await again.request('command/exec/forget', { key });
  });
  await again.close();
  return figures;
}
