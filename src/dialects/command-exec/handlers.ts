/** Serves the `command/*` methods: from valid params to calls of the exec manager and back. Knows no process and no transport. */
import { constants } from 'node:os';
import type { CommandEnd } from '../../commands/command.js';
import { BufferedOutput } from '../../commands/output/capture.js';
import type { OutputSink } from '../../commands/output/output-sink.js';
import { type RpcError, rpcError } from '../../protocol/errors.js';
import type { MethodParams, MethodResult } from '../../protocol/methods.js';
import { type Call, ResultParts } from '../../rpc/connection.js';
import type { Session } from '../../session/session.js';
import { decodeBase64 } from './base64.js';
import type { ExecManager, RunningCommand } from './exec-manager.js';
import { decideExecRequest, terminalSize } from './exec-request.js';
import { refusing } from './refusals.js';
import { NO_SANDBOX_SETTINGS, type SandboxSettings } from './sandbox-request.js';

const ACCEPTED = {};

/** Makes the handlers over one manager. */
export function createExecHandlers(manager: ExecManager, sandbox: SandboxSettings = NO_SANDBOX_SETTINGS) {
  return refusing({
    'command/exec': async (params: MethodParams<'command/exec'>, session: Session, call: Call): Promise<unknown> => {
      const { end, ran } = await manager.run(decideExecRequest(params, sandbox), session, call);
      return execResult(end, ran, session.experimentalApi);
    },

    'command/exec/write': (params: MethodParams<'command/exec/write'>, session: Session): unknown => {
      const { processId, deltaBase64, closeStdin } = params;
      const hasDelta = deltaBase64 !== undefined && deltaBase64 !== null;
      if (!hasDelta && closeStdin !== true) throw rpcError('emptyWrite');
      const chunk = hasDelta ? decodeBase64(deltaBase64) : undefined;
      const running = manager.find(session, processId);
      if (running === undefined) return processNotFound(processId);
      const { stdin } = running;
      if (stdin === undefined) throw rpcError('stdinNotStreamed');
      const accepted = chunk === undefined ? undefined : stdin.write(chunk);
      if (closeStdin === true) stdin.close();
      return accepted === undefined ? ACCEPTED : accepted.then(() => ACCEPTED);
    },

    'command/exec/resize': (params: MethodParams<'command/exec/resize'>, session: Session): unknown => {
      const size = terminalSize(params.size);
      const running = manager.find(session, params.processId);
      if (running === undefined) return processNotFound(params.processId);
      if (running.request.tty === undefined) throw rpcError('notATerminal');
      running.command.resize(size);
      return ACCEPTED;
    },

    'command/exec/terminate': (params: MethodParams<'command/exec/terminate'>, session: Session): unknown => {
      const signal = params.signal == null ? undefined : signalNamed(params.signal);
      const running = manager.find(session, params.processId);
      if (running === undefined) return processNotFound(params.processId);
      running.command.terminate({
        ...(signal === undefined ? {} : { signal }),
        ...(params.graceMs == null ? {} : { graceMs: params.graceMs }),
      });
      return ACCEPTED;
    },

    'command/exec/signal': (params: MethodParams<'command/exec/signal'>, session: Session): unknown => {
      const signal = signalNamed(params.signal);
      const running = manager.find(session, params.processId);
      if (running === undefined) return processNotFound(params.processId);
      running.command.signal(signal);
      return ACCEPTED;
    },

    'command/exec/list': (
      _params: MethodParams<'command/exec/list'>,
      session: Session,
    ): MethodResult<'command/exec/list'> => ({
      commands: manager.list(session).map(describe),
    }),
  });
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

function describe(running: RunningCommand): MethodResult<'command/exec/list'>['commands'][number] {
  const { command, request } = running;
  return {
    processId: request.processId ?? null,
    pid: command.pid ?? null,
    tty: request.tty !== undefined,
    state: command.state === 'closed' ? 'exiting' : command.state,
    startedAtMs: running.startedAtMs,
  };
}

function isLong(sink: OutputSink): boolean {
  return sink instanceof BufferedOutput && sink.isLong;
}

async function execResult(end: CommandEnd, ran: RunningCommand, experimental: boolean): Promise<unknown> {
  const { stdout, stderr } = ran.sinks;
  const beyond = {
    ...raisedSandbox(ran),
    ...(experimental && {
      signal: end.signal,
      timedOut: end.timedOut,
      truncated: { stdout: stdout.truncated, stderr: stderr.truncated },
      durationMs: end.durationMs,
    }),
  };
  if (!isLong(stdout) && !isLong(stderr)) {
    return { exitCode: end.exitCode, stdout: textOf(stdout), stderr: textOf(stderr), ...beyond };
  }
  const rest = JSON.stringify({ exitCode: end.exitCode, ...beyond });
  return new ResultParts([
    Buffer.from(`${rest.slice(0, -1)},"stdout":"`),
    ...(await jsonPiecesOf(stdout)),
    Buffer.from('","stderr":"'),
    ...(await jsonPiecesOf(stderr)),
    Buffer.from('"}'),
  ]);
}

/** A client that asked for less must be told. */
function raisedSandbox({ request }: RunningCommand): Pick<MethodResult<'command/exec'>, 'sandbox'> {
  const { choice, isRaised } = request.sandbox;
  return isRaised ? { sandbox: { type: choice.type, networkAccess: choice.network } } : {};
}

function textOf(sink: OutputSink): string {
  return sink instanceof BufferedOutput ? sink.text() : '';
}

async function jsonPiecesOf(sink: OutputSink): Promise<Buffer[]> {
  return sink instanceof BufferedOutput ? await sink.jsonPieces() : [];
}
