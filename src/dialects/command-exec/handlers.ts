/**
 * Serves the `command/*` methods: turns valid params into calls of {@link CommandExec}, and their results into replies. Knows no process and no
 * transport.
 */
import { constants } from 'node:os';
import { principalKey } from '../../auth/principal-key.js';
import type { CaptureBudget } from '../../commands/output/capture-budget.js';
import { type RpcError, rpcError } from '../../protocol/errors.js';
import type { MethodParams } from '../../protocol/methods.js';
import type { Call } from '../../rpc/connection.js';
import type { Session } from '../../session/session.js';
import { refusing } from '../refusing.js';
import { decodeBase64 } from './base64.js';
import type { CommandExec, RanCommand } from './command-exec.js';
import { type ListUsage, listCommands } from './command-list.js';
import { type DetachableCeilings, decideExecRequest, decideViewRequest, terminalSize } from './exec-request.js';
import { execResult } from './exec-result.js';
import { asRpcError } from './refusals.js';
import type { SandboxSettings } from './sandbox-request.js';
import type { NamedCommand } from './session-commands.js';

const ACCEPTED = {};
const NO_BYTES = Buffer.alloc(0);

export interface ExecHandlersOptions {
  readonly exec: CommandExec;
  readonly captures: CaptureBudget;
  readonly ceilings: DetachableCeilings;
  /** The operator's settings of sandboxes. Default: none. */
  readonly sandbox?: SandboxSettings;
  readonly usage: ListUsage;
}

/** Makes the handlers over one service. */
export function createExecHandlers({ exec, captures, ceilings, sandbox, usage }: ExecHandlersOptions) {
  async function answer(ran: Promise<RanCommand>, session: Session): Promise<unknown> {
    const { end, named } = await ran;
    const { experimentalApi: experimental } = session;
    const { request, running } = named;
    const { outputs } = running;
    const { result, release } = await execResult({ end, request, outputs, experimental, budget: captures });
    if (release !== undefined) exec.holdReply(session, release);
    return result;
  }

  return refusing(
    {
      'command/exec': (params: MethodParams<'command/exec'>, session: Session, call: Call): Promise<unknown> =>
        answer(exec.run(decideExecRequest(params, ceilings, sandbox), session, call), session),

      'command/exec/attach': (params: MethodParams<'command/exec/attach'>, session: Session, call: Call) =>
        answer(exec.attach(decideViewRequest(params), session, call), session),

      'command/exec/write': (params: MethodParams<'command/exec/write'>, session: Session): unknown => {
        const { processId, deltaBase64, closeStdin, offset } = params;
        const hasDelta = deltaBase64 !== undefined && deltaBase64 !== null;
        if (!hasDelta && closeStdin !== true) throw rpcError('emptyWrite');
        const chunk = hasDelta ? decodeBase64(deltaBase64) : undefined;
        const named = exec.find(session, processId);
        if (named === undefined) return processNotFound(processId);
        if (named.attachment?.role === 'observer') throw rpcError('notWriter');
        const { input } = named.running;
        if (input === undefined) throw rpcError('stdinNotStreamed');
        if (offset != null && named.detachable === undefined) throw rpcError('notDetachable');
        // An end of input has a position, too; after a hole it would lose the missing bytes.
        const accepted =
          chunk === undefined && offset == null ? undefined : input.write(chunk ?? NO_BYTES, offset ?? undefined);
        if (closeStdin === true) input.close();
        const reply = (): object => (named.detachable === undefined ? ACCEPTED : { accepted: input.acceptedBytes });
        return accepted === undefined ? reply() : accepted.then(reply);
      },

      'command/exec/resize': (params: MethodParams<'command/exec/resize'>, session: Session): unknown => {
        const size = terminalSize(params.size);
        const named = exec.find(session, params.processId);
        if (named === undefined) return processNotFound(params.processId);
        if (named.attachment?.role === 'observer') throw rpcError('notWriter');
        if (named.request.tty === undefined) throw rpcError('notATerminal');
        if (named.detachable === undefined) named.running.command.resize(size);
        else named.detachable.resize(size);
        return ACCEPTED;
      },

      'command/exec/terminate': (params: MethodParams<'command/exec/terminate'>, session: Session): unknown => {
        const signal = params.signal == null ? undefined : signalNamed(params.signal);
        const named = exec.find(session, params.processId);
        if (named === undefined) return processNotFound(params.processId);
        named.running.command.terminate({
          ...(signal === undefined ? {} : { signal }),
          ...(params.graceMs == null ? {} : { graceMs: params.graceMs }),
        });
        return ACCEPTED;
      },

      'command/exec/signal': (params: MethodParams<'command/exec/signal'>, session: Session): unknown => {
        const signal = signalNamed(params.signal);
        const named = exec.find(session, params.processId);
        if (named === undefined) return processNotFound(params.processId);
        named.running.command.signal(signal);
        return ACCEPTED;
      },

      'command/exec/detach': (params: MethodParams<'command/exec/detach'>, session: Session): unknown => {
        const named = exec.find(session, params.processId);
        if (named === undefined) return processNotFound(params.processId);
        if (named.attachment === undefined) throw rpcError('notDetachable');
        named.attachment.leave('requested');
        return ACCEPTED;
      },

      'command/exec/forget': ({ key }: MethodParams<'command/exec/forget'>, session: Session): unknown => {
        exec.detachables.forget(principalKey(session.principal), key);
        return ACCEPTED;
      },

      'command/exec/list': (params: MethodParams<'command/exec/list'>, session: Session) =>
        listCommands(exec, session, {
          ofPrincipal: params?.scope === 'principal',
          usage: params?.details === true ? usage : undefined,
        }),
    },
    asRpcError,
  );
}

/** Serves `command/exec/ack`. */
export function acknowledge(exec: CommandExec, params: Acknowledgement, session: Session): void {
  const named = exec.find(session, params.processId);
  if (named === undefined) return;
  named.attachment?.acknowledge(params.stream, params.offset);
  for (const { name, log, viewer } of named.streams) {
    if (name === params.stream) log.acknowledge(viewer, params.offset);
  }
}

interface Acknowledgement {
  readonly processId: string;
  readonly stream: NamedCommand['streams'][number]['name'];
  readonly offset: number;
}

/**
 * Returned, not thrown: commands end while requests for them are on their way, and throwing would take half of the time that such a
 * request costs (8 to 5 µs; `npm run bench -- --only pipelined`).
 */
function processNotFound(processId: string): RpcError {
  return rpcError('processNotFound', { processId });
}

/** @throws {RpcError} invalidSignal */
function signalNamed(name: string): NodeJS.Signals {
  if (!Object.hasOwn(constants.signals, name)) throw rpcError('invalidSignal', { signal: name });
  return name as NodeJS.Signals;
}
