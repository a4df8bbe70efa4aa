/** One command over a fake process, with a client that can be slow, and its outcome. */

import { Command, type CommandEnd, type CommandOptions } from '../../src/commands/command.js';
import { Capture } from '../../src/commands/output/capture.js';
import { CaptureBudget } from '../../src/commands/output/capture-budget.js';
import type { OutputSink } from '../../src/commands/output/output-sink.js';
import { type FakeProcess, FakeSystem, settled } from './fake-process.js';

/** A sink for a client that can be slow. */
export class SlowSink implements OutputSink {
  receivedBytes = 0;
  truncated = false;
  capReached = false;
  onResume = (): void => {};
  onCapReached = (): void => {};
  isSlow = false;
  readonly events: string[] = [];
  take(chunk: Buffer): boolean {
    this.receivedBytes += chunk.length;
    this.events.push(chunk.toString());
    return !this.isSlow;
  }
  end(): void {
    this.events.push('end');
  }
  discard(): void {
    this.isSlow = false;
    this.events.push('discard');
  }
}

export interface Setup {
  readonly system: FakeSystem;
  readonly command: Command;
  readonly stdout: SlowSink;
  readonly stderr: Capture;
  readonly events: string[];
  /** The end, once there is one. */
  end: CommandEnd | undefined;
  failure: Error | undefined;
}

/** A command whose start was asked for. */
export function setUp(options: Partial<CommandOptions> & { startsAtOnce?: boolean; tty?: boolean } = {}): Setup {
  const system = new FakeSystem({ startsAtOnce: options.startsAtOnce ?? true });
  const stdout = new SlowSink();
  const stderr = new Capture(1000, new CaptureBudget(1_000_000));
  const command = new Command(system, {
    process: {
      argv: ['program'],
      cwd: '/',
      env: {},
      stdin: options.input !== undefined,
      ...(options.tty === true ? { tty: { rows: 24, cols: 80 } } : {}),
    },
    marker: 'm.1.1',
    timeoutMs: undefined,
    input: undefined,
    outputs: { stdout, stderr },
    ...options,
  });
  const setup: Setup = { system, command, stdout, stderr, events: [], end: undefined, failure: undefined };
  command.onEvent = (event) => setup.events.push(event);
  command.ended.then(
    (end) => {
      setup.end = end;
    },
    (error: Error) => {
      setup.failure = error;
    },
  );
  command.start();
  return setup;
}

/** A command whose process has started. */
export async function started(options: Parameters<typeof setUp>[0] = {}): Promise<Setup & { process: FakeProcess }> {
  const setup = setUp(options);
  await settled();
  return Object.assign(setup, { process: setup.system.process });
}
