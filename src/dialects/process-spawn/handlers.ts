/**
 * Serves `process/spawn` and its companions over the commands of {@link CommandExec}: the same commands under other names, answered at their start
 * and not at their end. Knows no process and no transport.
 */
import type { CaptureBudget } from '../../commands/output/capture-budget.js';
import { SpawnError } from '../../process/os-process.js';
import { type RpcError, rpcError } from '../../protocol/errors.js';
import type { MethodParams } from '../../protocol/methods.js';
import type { Call } from '../../rpc/connection.js';
import type { Session } from '../../session/session.js';
import { decodeBase64 } from '../command-exec/base64.js';
import { withCapturedText } from '../command-exec/captured-text.js';
import type { CommandExec, RanCommand } from '../command-exec/command-exec.js';
import { raisedSandbox } from '../command-exec/exec-result.js';
import { asRpcError } from '../command-exec/refusals.js';
import type { SandboxSettings } from '../command-exec/sandbox-request.js';
import type { NamedCommand } from '../command-exec/session-commands.js';
import { refusing } from '../refusing.js';
import { decideSpawnRequest, spawnSize } from './spawn-request.js';

const DONE = {};
const EXITED = 'process/exited';

export interface SpawnHandlersOptions {
  readonly exec: CommandExec;
  readonly captures: CaptureBudget;
  /** The operator's settings of sandboxes. Default: none. */
  readonly sandbox?: SandboxSettings;
  /** A fault of the server after the reply. */
  readonly onError: (error: unknown) => void;
}

/** Makes the handlers over one service. */
export function createSpawnHandlers({ exec, captures, sandbox, onError }: SpawnHandlersOptions) {
  const find = (session: Session, processHandle: string): NamedCommand | RpcError =>
    exec.find(session, processHandle, 'process/spawn') ?? rpcError('processHandleNotFound', { processHandle });

  async function tellEnd({ end, named }: RanCommand, session: Session): Promise<void> {
    const { processId: processHandle } = named;
    const { outputs } = named.running;
    const more = (): Readonly<Record<string, unknown>> => ({
      stdoutCapReached: outputs.stdout.capReached,
      stderrCapReached: outputs.stderr.capReached,
      outputDrainTimedOut: end.outputCut,
    });
    const { result, release } = await withCapturedText(
      { processHandle, exitCode: end.exitCode },
      { outputs, budget: captures, more },
    );
    if (session.wants(EXITED)) session.connection.notifyResult(EXITED, result);
    if (release !== undefined) exec.holdReply(session, release);
  }

  return refusing(
    {
      'process/spawn': async (params: MethodParams<'process/spawn'>, session: Session, call: Call): Promise<object> => {
        const request = decideSpawnRequest(params, sandbox);
        const { started, ended } = exec.spawn(request, session, call);
        // The connection stays open in a drain until the end was told.
        const release = session.connection.holdOpen();
        const told = ended.then((ran) => tellEnd(ran, session));
        void told
          // A process that could not be started has its error in the reply.
          .catch((error: unknown) => started.then(() => onError(error)).catch(() => {}))
          .finally(release);
        try {
          await started;
        } catch (error) {
          if (!(error instanceof SpawnError)) throw error;
          throw rpcError('processSpawnFailed', { detail: error.message, errno: error.errno }, { cause: error });
        }
        return raisedSandbox(request);
      },

      'process/writeStdin': (params: MethodParams<'process/writeStdin'>, session: Session): unknown => {
        const { processHandle, deltaBase64, closeStdin } = params;
        const hasDelta = deltaBase64 != null;
        if (!hasDelta && closeStdin !== true) throw rpcError('emptyProcessWrite');
        const chunk = hasDelta ? decodeBase64(deltaBase64) : undefined;
        const named = find(session, processHandle);
        if (!('running' in named)) return named;
        const { input } = named.running;
        if (input === undefined) throw rpcError('processStdinNotStreamed');
        const accepted = chunk === undefined ? undefined : input.write(chunk);
        if (closeStdin === true) input.close();
        return accepted === undefined ? DONE : accepted.then(() => DONE);
      },

      'process/resizePty': (params: MethodParams<'process/resizePty'>, session: Session): unknown => {
        const size = spawnSize(params.size);
        const named = find(session, params.processHandle);
        if (!('running' in named)) return named;
        if (named.request.tty === undefined) throw rpcError('notATerminal');
        named.running.command.resize(size);
        return DONE;
      },

      'process/kill': ({ processHandle }: MethodParams<'process/kill'>, session: Session): unknown => {
        const named = find(session, processHandle);
        if (!('running' in named)) return named;
        named.running.command.terminate();
        return DONE;
      },
    },
    asRpcError,
  );
}
