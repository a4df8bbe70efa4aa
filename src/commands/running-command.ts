/** A command of the table as others see it. Knows neither the table nor the client of the command. */
import type { OutputName } from '../process/os-process.js';
import type { Command, CommandEnd } from './command.js';
import type { CommandInput } from './input.js';
import type { OutputSink } from './output/output-sink.js';

/** One command of the table. */
export interface RunningCommand {
  readonly command: Command;
  readonly input: CommandInput | undefined;
  readonly outputs: Readonly<Record<OutputName, OutputSink>>;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  /** As {@link Command.ended}; the command is no longer in the table then. */
  readonly ended: Promise<CommandEnd>;
}
