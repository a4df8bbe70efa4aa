/** Where the output of an ordinary command goes: to its one view, or into the reply. Knows no process. */
import { Capture } from '../../commands/output/capture.js';
import type { CaptureBudget } from '../../commands/output/capture-budget.js';
import { OutputLog } from '../../commands/output/log.js';
import type { OutputSink } from '../../commands/output/output-sink.js';
import { Viewer } from '../../commands/output/viewer.js';
import type { OutputName } from '../../process/os-process.js';
import type { Session } from '../../session/session.js';
import { EXEC_DELTAS, SPAWN_DELTAS } from './delta-encoder.js';
import type { ExecRequest } from './exec-request.js';
import type { NamedStream } from './session-commands.js';
import { StreamPort } from './stream-port.js';

const OUTPUTS: readonly OutputName[] = ['stdout', 'stderr'];

export interface OrdinaryOutputsOptions {
  readonly session: Session;
  readonly captures: CaptureBudget;
  /** Most bytes of one stream that are kept for a reply. */
  readonly maxBufferedBytes: number;
}

/** Sinks for a command, with the views of its streamed outputs. */
export function outputsOf(
  { dialect, processId, streamOutput, outputCapBytes: capBytes, windowBytes }: ExecRequest,
  { session, captures, maxBufferedBytes }: OrdinaryOutputsOptions,
): { outputs: Record<OutputName, OutputSink>; streams: NamedStream[] } {
  if (!streamOutput || processId === undefined) {
    const capture = (): Capture => new Capture(Math.min(capBytes, maxBufferedBytes), captures);
    return { outputs: { stdout: capture(), stderr: capture() }, streams: [] };
  }
  const saysOffset = windowBytes !== Number.POSITIVE_INFINITY;
  const streams = OUTPUTS.map((name) => {
    const names = dialect === 'process/spawn' ? SPAWN_DELTAS : EXEC_DELTAS;
    const port = new StreamPort({ session, processId, stream: name, names, saysOffset, followsTaken: false });
    const viewer = new Viewer({ port, from: 0, isLossless: true, windowBytes });
    const log = new OutputLog({ capBytes });
    log.add(viewer);
    return { name, log, viewer };
  });
  const logs = Object.fromEntries(streams.map(({ name, log }) => [name, log])) as Record<OutputName, OutputLog>;
  return { outputs: logs, streams };
}

/** Resolves when the views have got everything; at once without a window. */
export async function allSent(streams: readonly NamedStream[]): Promise<void> {
  for (const { log, viewer } of streams) {
    while (log.hasEnded && !log.hasSentAll(viewer)) {
      await new Promise<void>((resolve) => {
        viewer.onProgress = resolve;
      });
    }
  }
}
