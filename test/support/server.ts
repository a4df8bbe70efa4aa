/**
 * A server that lives as long as its test. The end of the test closes every connection to it and ends it, and fails the test when it has left a
 * child, a descriptor, a timer or a listener, does not end, or has logged an error. Knows no method except `command/exec`.
 */
import type { Test } from 'tap';
import { type Box, type ConnectOptions, connect } from '../../client/src/node.js';
import { LineClient } from './line-client.js';
import { type Figures, type ServerOptions, ServerProcess } from './server-process.js';
import { until } from './until.js';
import { WireClient, type WireOptions } from './wire-client.js';

/** How to start a server, and what must hold at its end. */
export interface TestServerOptions extends ServerOptions {
  /**
   * Whether to run a command of each kind first, so that everything that is loaded or started once exists, and to compare descriptors at the end.
   * Default: true if it lets every client in.
   */
  readonly warm?: boolean;
  /** Expected lines of the log with the level `error`. Default: none. */
  readonly expectedErrors?: RegExp;
}

/** What an idle server holds. */
interface Idle {
  readonly children: readonly number[];
  readonly descriptors: number;
  readonly figures: Figures | undefined;
}

/** A running server of one test. */
export class TestServer extends ServerProcess {
  readonly #options: TestServerOptions;
  readonly #open: { close(): Promise<unknown> }[] = [];
  #idle: Idle | undefined;

  constructor(options: TestServerOptions) {
    super(options);
    this.#options = options;
  }

  /** Runs one command of each kind and notes what the idle server holds. */
  async warmUp(): Promise<void> {
    const before = this.descriptors();
    const client = await WireClient.open(this.url).then((opened) => opened.initialize());
    const connection = this.socketsSince(before);
    await client.exec(['true']);
    await client.exec(['true'], { processId: 'terminal', tty: true });
    // The first watch opens a descriptor that stays; a server without `fs/*` refuses it.
    await client.request('fs/watch', { watchId: 'warm', path: '/' });
    await client.close();
    // A server that gets no processor still has its end of the connection, which would hide one that a test leaves.
    await this.untilClosed(connection);
    let descriptors = -1;
    await until('the server is idle', () => {
      const last = descriptors;
      descriptors = this.descriptors().length;
      return last === descriptors;
    });
    const figures = this.#options.probe === true ? await this.#figuresAtRest() : undefined;
    this.#idle = { children: this.children(), descriptors, figures };
  }

  /** The server's ends of connections that have come since its descriptors were listed. */
  socketsSince(before: readonly string[]): string[] {
    return this.descriptors().filter((one) => one.includes(' socket:') && !before.includes(one));
  }

  /** Resolves when the server has closed one of these descriptors, so that it knows of the end of that connection. */
  async untilClosed(descriptors: readonly string[]): Promise<void> {
    await until('the connection is gone', () => {
      const now = this.descriptors();
      return descriptors.length === 0 || descriptors.some((one) => !now.includes(one));
    });
  }

  /** The project's own client. */
  async connect(options: ConnectOptions = {}): Promise<Box> {
    const box = await connect(this.url, { name: 'test', version: '1', ...options });
    this.#open.push(box);
    return box;
  }

  /** The wire client, not initialized. */
  override async wire(options: WireOptions = {}): Promise<WireClient> {
    const client = await super.wire(options);
    this.#open.push({
      close: () => {
        client.terminate();
        return client.ended;
      },
    });
    return client;
  }

  /** The wire client, initialized. */
  async session(capabilities?: object, options: WireOptions = {}): Promise<WireClient> {
    return (await this.wire(options)).initialize(capabilities);
  }

  /** The wire client over standard input and output. */
  stdio(): LineClient {
    return new LineClient(this.child);
  }

  /** What a server still holds although it should be idle. */
  leftBehind(): string[] {
    const idle = this.#idle;
    if (this.exit !== undefined || idle === undefined) return [];
    const children = this.children().filter((pid) => !idle.children.includes(pid));
    const descriptors = this.descriptors();
    return [...children.map((pid) => `child ${pid}`), ...(descriptors.length > idle.descriptors ? descriptors : [])];
  }

  /** Resolves when the server holds no more than when it was idle. @throws {Error} naming what is left */
  async untilIdle(patienceMs?: number): Promise<void> {
    await until('the server is idle', () => this.leftBehind().length === 0, patienceMs).catch(() => {
      throw new Error(`left behind: ${this.leftBehind().join(', ')}`);
    });
  }

  /**
   * Closes every connection of the test and ends the server.
   * @param patienceMs how long the server may take to let go of everything; default: a minute
   * @throws {Error} naming everything that is wrong
   */
  async endClean(patienceMs?: number): Promise<void> {
    await Promise.all(this.#open.map((client) => client.close()));
    const problems: string[] = [];
    if (this.exit === undefined) {
      await this.untilIdle(patienceMs);
      problems.push(...(await this.#figureProblems(patienceMs)));
      const { code, signal } = await this.stop();
      if (code !== 0) problems.push(`it ended with ${signal ?? code} after SIGTERM`);
    }
    await this.untilNothingIsLeft();
    const { expectedErrors } = this.#options;
    problems.push(...this.errors().filter((line) => expectedErrors?.test(line) !== true));
    if (problems.length > 0) throw new Error(`the server ${this.url} did not end clean: ${problems.join('\n')}`);
  }

  /** The server's figures, once two readings agree. Before that, timers of the commands of the start may still run out. */
  async #figuresAtRest(): Promise<Figures> {
    let figures = await this.figures();
    await until('the figures stand still', async () => {
      const { timers, listeners } = figures;
      figures = await this.figures();
      return figures.timers === timers && figures.listeners === listeners;
    });
    return figures;
  }

  async #figureProblems(patienceMs?: number): Promise<string[]> {
    const before = this.#idle?.figures;
    if (before === undefined) return [];
    let problems: string[] = [];
    const isAsBefore = async (): Promise<boolean> => {
      const after = await this.figures();
      problems = (['timers', 'listeners'] as const).flatMap((name) =>
        after[name] > before[name] ? [`${after[name] - before[name]} ${name} are left`] : [],
      );
      return problems.length === 0;
    };
    // Timers of commands that have just ended run out.
    await until('the figures are as before', isAsBefore, patienceMs).catch(() => {});
    return problems;
  }
}

/** Starts a server and does not wait. Without `listen` it speaks on standard input and output. */
export function spawnServer(t: Test, options: TestServerOptions = {}): TestServer {
  const server = new TestServer({ listen: 'stdio://', ...options });
  t.teardown(async () => {
    try {
      await server.endClean();
    } finally {
      await server.crash();
    }
  });
  return server;
}

/** Starts a server and waits until it listens. */
export async function startServer(t: Test, options: TestServerOptions = {}): Promise<TestServer> {
  const server = spawnServer(t, { listen: 'ws://127.0.0.1:0', ...options });
  await server.untilListening();
  const letsEverybodyIn = !server.url.startsWith('wss:') && !(options.flags ?? []).includes('--ws-auth');
  if (options.warm ?? letsEverybodyIn) await server.warmUp();
  return server;
}
