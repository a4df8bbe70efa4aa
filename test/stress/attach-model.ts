/**
 * Compares coming back with a model, with fast-check's commands over the real wire: readers come and go through a proxy that breaks connections at any
 * byte, stop reading, hold back acknowledgements, and one of them writes. In every history the bytes that each reader received and its declared gaps
 * are exactly the command's output, its input took effect once, and it ran once. Long because steps, world and model are read together.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoundaryProxy, type Limits, UNLIMITED } from '../support/boundary-proxy.js';
import { fc } from '../support/property.js';
import { ServerProcess } from '../support/server-process.js';
import { newKey, type Stream, View } from '../support/view.js';
import { WireClient } from '../support/wire-client.js';
import { TALKER_END, talkerBytes, talkerCommand } from './talker.js';

const EXPERIMENTAL = { experimentalApi: true };
const READERS = 4;
/** Bound on all logs together. Too little for all output, so that there are gaps. */
const REPLAY_BUDGET = '1m';

/** One command and its readers. */
interface Setting {
  readonly replayBytes: number;
  readonly whenFull: 'drop' | 'pause';
  /** Readers that may write; all others observe. */
  readonly writers: number;
  /** Window of each reader; undefined for none. */
  readonly windows: readonly (number | undefined)[];
}

/** A reader, which comes back after each break. */
class Reader {
  readonly role: 'writer' | 'observer';
  readonly window: number | undefined;
  client: WireClient | undefined;
  view: View | undefined;
  /** Whether its view began with a start, which asks for all output from the beginning. */
  hasStarted = false;
  /** Positions that it has reached; its next view begins there. */
  position: Record<Stream, number> = { stdout: 0, stderr: 0 };
  gapBytes = 0;
  /** Gaps in views that went on where the one before had ended. */
  lostOnReturn = 0;
  readonly problems: string[] = [];

  constructor(role: 'writer' | 'observer', window: number | undefined) {
    this.role = role;
    this.window = window;
  }

  get isOnline(): boolean {
    return this.client !== undefined && this.client.end === undefined && this.view?.detached === undefined;
  }

  /** Keeps the output of its last view, and leaves the view. */
  leave(): void {
    this.client?.terminate();
    const { view } = this;
    if (view === undefined) return;
    const lost = view.gaps.reduce((sum, { from, to }) => sum + to - from, 0);
    this.gapBytes += lost;
    if (!this.hasStarted) this.lostOnReturn += lost;
    // A view that was cut before it knew its beginning has received nothing.
    this.position = {
      stdout: view.next.stdout ?? this.position.stdout,
      stderr: view.next.stderr ?? this.position.stderr,
    };
    this.problems.push(...view.problems);
    this.view = undefined;
  }

  acknowledge(): void {
    const { view } = this;
    if (view === undefined || !this.isOnline || this.window === undefined) return;
    for (const stream of ['stdout', 'stderr'] as const) view.acknowledge(view.next[stream] ?? 0, stream);
  }
}

/** The real system: one command, its readers, and the lines that were sent to it. */
class World {
  readonly proxy: BoundaryProxy;
  readonly setting: Setting;
  readonly key = newKey();
  readonly file: string;
  readonly readers: readonly Reader[];
  readonly #control: WireClient;
  #input = '';
  /** Position in the input up to which it is known to be accepted. */
  #accepted = 0;
  readonly #said: Record<Stream, number> = { stdout: 0, stderr: 0 };

  constructor(servers: Servers, setting: Setting) {
    this.proxy = servers.proxy;
    this.#control = servers.control;
    this.setting = setting;
    this.file = join(servers.folder, this.key);
    const { writers, windows } = setting;
    this.readers = windows.map((window, index) => new Reader(index < writers ? 'writer' : 'observer', window));
  }

  get #command(): object {
    const { replayBytes, whenFull } = this.setting;
    const detachable = { key: this.key, replayBytes, whenFull };
    return { command: talkerCommand(this.file), detachable };
  }

  /** Starts the command and detaches. */
  async begin(): Promise<void> {
    const view = await View.start(this.#control, this.#command).begun();
    await view.ask('detach');
  }

  /** Attaches a reader, over a connection that breaks at these limits. @param starts whether it sends its start again, in place of an attach */
  async come(reader: Reader, limits: Limits, starts = false): Promise<void> {
    reader.leave();
    this.proxy.limitsOf = () => limits;
    try {
      const client = await WireClient.open(this.proxy.url);
      client.forgetsMessages = true;
      reader.client = client;
      await client.initialize(EXPERIMENTAL);
      const onBytes = (bytes: Buffer, offset: number, stream: Stream): void => {
        if (!bytes.equals(talkerBytes(offset, bytes.length))) {
          reader.problems.push(`wrong bytes at ${offset} of ${stream}`);
        }
      };
      const window = reader.window === undefined ? {} : { window: { bytes: reader.window } };
      const role = reader.role === 'writer' ? { takeover: true } : { role: 'observer' };
      const view = starts
        ? View.start(client, { ...this.#command, ...window }, { onBytes })
        : View.attach(client, this.key, { from: reader.position, ...role, ...window }, { onBytes });
      reader.view = view;
      reader.hasStarted = starts;
      view.reply.then(
        ({ error }) => {
          if (error !== undefined && error.data?.reason !== 'detached') reader.problems.push(error.message);
        },
        () => {},
      );
      view.onEvent = () => {
        if (view.attached !== undefined) this.#accepted = Math.max(this.#accepted, view.attached.stdinAccepted);
      };
      if (reader.role === 'writer') {
        await Promise.race([view.begun(), client.ended]);
        this.#feed(view);
      }
    } catch (error) {
      // Connections that break while they are opened are part of the test.
      if (limits === UNLIMITED) throw error;
    }
  }

  /** Tells the command to write. @param again bytes of input that are sent a second time */
  say(stream: Stream, bytes: number, again: number): void {
    this.#input += `${stream === 'stdout' ? 'out' : 'err'} ${bytes}\n`;
    this.#said[stream] += bytes;
    const writer = this.readers.find((reader) => reader.role === 'writer' && reader.isOnline && reader.view?.attached);
    if (writer?.view !== undefined) this.#feed(writer.view, again);
  }

  /** Sends the input that is not known to be accepted. The end of the history shows whether an answer was missing. */
  #feed(view: View, again = 0): void {
    const offset = Math.max(0, this.#accepted - again);
    if (offset === this.#input.length) return;
    const written = view.write(this.#input.slice(offset), { offset });
    written.then(
      ({ result, error }) => {
        if (result !== undefined) this.#accepted = Math.max(this.#accepted, result.accepted);
        // Another writer may have taken over meanwhile.
        else if (error?.data?.reason !== 'processNotFound')
          view.problems.push(`a write was refused: ${error?.message}`);
      },
      () => {},
    );
  }

  /** Resolves when the server has served all requests so far. */
  async settled(): Promise<void> {
    await this.#control.request('command/exec/list');
  }

  /** Lets all readers read to the end. @returns what is wrong */
  async finish(): Promise<string[]> {
    const problems: string[] = [];
    // All readers leave, and then come back with the writers last, because the command may wait for the last writer.
    for (const reader of this.readers) {
      reader.client?.ws.resume();
      reader.leave();
    }
    const views: Promise<void>[] = [];
    for (const reader of [...this.readers].reverse()) {
      await this.come(reader, UNLIMITED);
      const { view, client } = reader;
      if (view === undefined || client === undefined) throw new Error('a reader did not come');
      const before = view.onEvent;
      view.onEvent = () => {
        before();
        reader.acknowledge();
      };
      reader.acknowledge();
      if (reader !== this.readers[0]) views.push(view.reply.then(() => {}));
    }
    const last = this.readers[0];
    if (last?.view === undefined) throw new Error('no writer');
    const rest = this.#input.slice(this.#accepted);
    const closed = await last.view.write(rest, { offset: this.#accepted, closeStdin: true });
    if (closed.error !== undefined) problems.push(`the end of input was refused: ${closed.error.message}`);
    const { result, error } = await last.view.reply;
    if (result?.exitCode !== TALKER_END) problems.push(`it ended with ${JSON.stringify(result ?? error)}`);
    await Promise.all(views);
    for (const [index, reader] of this.readers.entries()) {
      // A writer that another one replaced has not received everything.
      const isWhole = reader.role === 'observer' || reader === last;
      reader.leave();
      problems.push(...reader.problems.map((problem) => `reader ${index}: ${problem}`));
      const { stdout, stderr } = reader.position;
      if (isWhole && (stdout !== this.#said.stdout || stderr !== this.#said.stderr)) {
        problems.push(
          `reader ${index} stopped at ${stdout} and ${stderr} of ${this.#said.stdout} and ${this.#said.stderr}`,
        );
      }
    }
    const [writer] = this.readers;
    const { whenFull, writers } = this.setting;
    if (whenFull === 'pause' && writers === 1 && writer?.window !== undefined && writer.lostOnReturn > 0) {
      problems.push(`the writer, which acknowledges, lost ${writer.lostOnReturn} bytes`);
    }
    const expected = `started\n${this.#input}`;
    const took = readFileSync(this.file, 'utf8');
    if (took !== expected) problems.push(`its input was\n${took}and should have been\n${expected}`);
    await this.#control.request('command/exec/forget', { key: this.key });
    return problems;
  }
}

/** Empty, because every step is allowed at any time. */
type Model = Record<string, never>;

abstract class Step implements fc.AsyncCommand<Model, World> {
  check(): boolean {
    return true;
  }
  abstract run(model: Model, world: World): Promise<void>;
}

class Come extends Step {
  readonly #which: number;
  readonly #limits: Limits;
  readonly #starts: boolean;
  constructor(which: number, limits: Limits, starts: boolean) {
    super();
    this.#which = which;
    this.#limits = limits;
    this.#starts = starts;
  }
  override async run(_model: Model, world: World): Promise<void> {
    const reader = world.readers[this.#which];
    if (reader !== undefined) await world.come(reader, this.#limits, this.#starts && reader.role === 'writer');
  }
  override toString(): string {
    return `come(${this.#which}, up ${this.#limits.up}, down ${this.#limits.down}${this.#starts ? ', starts' : ''})`;
  }
}

class Say extends Step {
  readonly #stream: Stream;
  readonly #bytes: number;
  readonly #again: number;
  constructor(stream: Stream, bytes: number, again: number) {
    super();
    this.#stream = stream;
    this.#bytes = bytes;
    this.#again = again;
  }
  override async run(_model: Model, world: World): Promise<void> {
    world.say(this.#stream, this.#bytes, this.#again);
  }
  override toString(): string {
    return `say(${this.#stream}, ${this.#bytes}, again ${this.#again})`;
  }
}

type Deed = 'stop' | 'readOn' | 'acknowledge' | 'cut' | 'settle';

class Do extends Step {
  readonly #deed: Deed;
  readonly #which: number;
  constructor(deed: Deed, which: number) {
    super();
    this.#deed = deed;
    this.#which = which;
  }
  override async run(_model: Model, world: World): Promise<void> {
    const reader = world.readers[this.#which];
    if (this.#deed === 'settle') await world.settled();
    else if (this.#deed === 'acknowledge') reader?.acknowledge();
    else if (this.#deed === 'cut') reader?.client?.terminate();
    else if (reader?.isOnline === true && this.#deed === 'stop') reader.client?.ws.pause();
    else if (reader?.isOnline === true) reader.client?.ws.resume();
  }
  override toString(): string {
    return `${this.#deed}(${this.#which})`;
  }
}

const which = fc.nat(READERS - 1);
/** Small numbers break the upgrade and the first messages, larger ones output. */
const limit = fc.oneof(
  fc.integer({ min: 1, max: 3000 }),
  fc.integer({ min: 1, max: 200_000 }),
  fc.constant(Number.POSITIVE_INFINITY),
);
const limits = fc.record({ up: limit, down: limit });
const stream = fc.constantFrom<Stream>('stdout', 'stdout', 'stderr');
const amount = fc.oneof(fc.nat(100), fc.nat(20_000), fc.nat(400_000));
const steps = fc.commands(
  [
    fc.tuple(which, limits, fc.boolean()).map((given) => new Come(...given)),
    fc.tuple(which, limits, fc.constant(false)).map((given) => new Come(...given)),
    fc.tuple(stream, amount, fc.nat(40)).map((given) => new Say(...given)),
    fc.tuple(stream, amount, fc.nat(40)).map((given) => new Say(...given)),
    fc
      .tuple(fc.constantFrom<Deed>('stop', 'readOn', 'acknowledge', 'acknowledge', 'cut', 'settle'), which)
      .map((given) => new Do(...given)),
  ],
  { maxCommands: 40, size: 'max' },
);
/** Smaller windows would make each run long, because every acknowledgement is a round trip. */
const window = fc.integer({ min: 2000, max: 60_000 });
const setting: fc.Arbitrary<Setting> = fc
  .record({
    replayBytes: fc.constantFrom(4096, 30_000, 200_000),
    whenFull: fc.constantFrom<Setting['whenFull']>('drop', 'pause'),
    writers: fc.constantFrom(1, 2),
    windows: fc.array(fc.option(window, { nil: undefined, freq: 2 }), {
      minLength: READERS,
      maxLength: READERS,
    }),
  })
  // A writer that acknowledges loses nothing while its window is no larger than what is kept.
  .map((made) => ({ ...made, windows: made.windows.map((size) => size && Math.min(size, made.replayBytes)) }));

interface Servers {
  readonly folder: string;
  readonly proxy: BoundaryProxy;
  readonly control: WireClient;
}

/** What the histories covered. */
export interface ModelFigures {
  readonly runs: number;
  readonly cuts: number;
  readonly gapBytes: number;
  readonly outputBytes: number;
}

export interface ModelOptions {
  readonly runs: number;
  /** No further run begins after this many milliseconds, once a connection has been cut. */
  readonly forMs: number;
}

/** Runs the model. @throws {Error} with the shortest history that fails */
export async function runAttachModel({ runs, forMs }: ModelOptions): Promise<ModelFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'execwire-model-'));
  const socket = join(folder, 'server');
  const flags = ['--replay-budget', REPLAY_BUDGET];
  const server = await ServerProcess.start({ listen: `unix://${socket}`, flags });
  const proxy = await BoundaryProxy.start(socket, join(folder, 'proxy'));
  const control = await (await server.wire()).initialize(EXPERIMENTAL);
  control.forgetsMessages = true;
  const endsAtMs = performance.now() + forMs;
  const figures = { runs: 0, cuts: 0, gapBytes: 0, outputBytes: 0 };
  try {
    const property = fc.asyncProperty(steps, setting, async (commands, chosen) => {
      // fast-check's own limit would not wait for a run that is under way.
      if (performance.now() > endsAtMs && proxy.cuts > 0) return;
      const world = new World({ folder, proxy, control }, chosen);
      await world.begin();
      await fc.asyncModelRun(() => ({ model: {}, real: world }), commands);
      const problems = await world.finish();
      for (const { gapBytes, position } of world.readers) {
        figures.gapBytes += gapBytes;
        figures.outputBytes += position.stdout + position.stderr;
      }
      figures.runs += 1;
      if (problems.length > 0) throw new Error(problems.join('\n'));
    });
    await fc.assert(property, { numRuns: runs, endOnFailure: true });
    return { ...figures, cuts: proxy.cuts };
  } finally {
    control.terminate();
    await proxy.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
