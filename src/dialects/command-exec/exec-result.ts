/** Writes the result of a command. */
import type { CommandEnd } from '../../commands/command.js';
import type { CaptureBudget } from '../../commands/output/capture-budget.js';
import type { OutputSink } from '../../commands/output/output-sink.js';
import type { OutputName } from '../../process/os-process.js';
import type { MethodResult } from '../../protocol/methods.js';
import { type TextResult, withCapturedText } from './captured-text.js';
import type { ExecRequest } from './exec-request.js';

export interface ExecResultOptions {
  readonly end: CommandEnd;
  readonly request: Pick<ExecRequest, 'sandbox'>;
  readonly outputs: Readonly<Record<OutputName, OutputSink>>;
  /** Whether the experimental fields are wanted. */
  readonly experimental: boolean;
  readonly budget: CaptureBudget;
}

/** The reply of a command, and a function to call when it has left the process. */
export function execResult(options: ExecResultOptions): Promise<TextResult> {
  const { end, outputs, budget } = options;
  return withCapturedText({ exitCode: end.exitCode }, { outputs, budget, more: () => beyond(options) });
}

function beyond({ end, request, outputs, experimental }: ExecResultOptions): Readonly<Record<string, unknown>> {
  const raised = raisedSandbox(request);
  if (!experimental) return raised;
  const { signal, timedOut, durationMs } = end;
  const truncated = { stdout: outputs.stdout.truncated, stderr: outputs.stderr.truncated };
  return { ...raised, signal, timedOut, truncated, durationMs };
}

/** Tells a client that asked for a weaker sandbox. */
export function raisedSandbox({
  sandbox,
}: Pick<ExecRequest, 'sandbox'>): Pick<MethodResult<'command/exec'>, 'sandbox'> {
  const { choice, isRaised } = sandbox;
  return isRaised ? { sandbox: { type: choice.type, networkAccess: choice.network } } : {};
}
