/** Serves the methods of this dialect about sessions, processes and the environment, over {@link ExecServer}. Knows no transport. */
import { SpawnError } from '../../process/os-process.js';
import { type RpcError, rpcError } from '../../protocol/errors.js';
import type { EnvironmentInfo, ExecServerParams, ExecServerResult } from '../../protocol/methods/exec-server.js';
import type { Call } from '../../rpc/connection.js';
import type { Session } from '../../session/session.js';
import { asRpcError } from '../command-exec/refusals.js';
import { refusing } from '../refusing.js';
import { decodeChunk } from './chunk.js';
import type { ExecServer } from './exec-server.js';
import type { ExecSession } from './exec-session.js';
import { textPathOfUri } from './file-uri.js';
import { decideStartRequest, type StartSettings } from './start-request.js';

const DONE = {};
/** Characters that are kept of a client's name for the log. */
const MAX_KEPT_NAME = 256;
const NO_NAMES: ReadonlySet<string> = new Set();

export interface ExecServerHandlersOptions {
  readonly server: ExecServer;
  readonly settings: StartSettings;
  readonly environment: () => EnvironmentInfo;
  readonly config: () => ExecServerResult<'environmentConfig/read'>;
}

/** What must have happened before a request is served. @returns the refusal */
export function refuseEarly(server: ExecServer, session: Session, method: string): RpcError | undefined {
  if (method === 'initialize') return session.initialized ? rpcError('alreadyInitializedSession') : undefined;
  return server.of(session)?.isConfirmed === true ? undefined : rpcError('notConfirmed');
}

/** Makes the handlers over one service. */
export function createExecServerHandlers({ server, settings, environment, config }: ExecServerHandlersOptions) {
  const own = (session: Session): ExecSession => {
    const found = server.of(session);
    if (found === undefined) throw rpcError('notConfirmed');
    return found;
  };

  return refusing(
    {
      initialize: (params: ExecServerParams<'initialize'>, session: Session): ExecServerResult<'initialize'> => {
        const { id } = server.open(session, params.resumeSessionId ?? undefined);
        // LAST, because a handshake that fails must leave the session as it was.
        session.initialize({
          dialect: 'exec-server',
          clientName: params.clientName.slice(0, MAX_KEPT_NAME),
          clientVersion: '',
          experimentalApi: false,
          optOut: NO_NAMES,
          heartbeatMs: undefined,
        });
        return { sessionId: id, environmentInfo: environment() };
      },

      'environment/info': (): EnvironmentInfo => environment(),

      'environment/status': (): ExecServerResult<'environment/status'> => ({ status: 'ready' }),

      'environmentConfig/read': (params: ExecServerParams<'environmentConfig/read'>) => {
        textPathOfUri(params.cwd, 'cwd');
        return config();
      },

      'process/start': async (
        params: ExecServerParams<'process/start'>,
        session: Session,
        call: Call,
      ): Promise<ExecServerResult<'process/start'>> => {
        const request = decideStartRequest(params, settings);
        try {
          await server.start(request, { session, call });
        } catch (error) {
          if (!(error instanceof SpawnError)) throw error;
          throw rpcError('osError', { detail: error.message, errno: error.errno }, { cause: error });
        }
        const sandboxType = request.sandbox.choice.type === 'unconfined' ? 'none' : 'linuxSeccomp';
        return { processId: params.processId, sandboxType };
      },

      'process/read': (params: ExecServerParams<'process/read'>, session: Session) => {
        const process = own(session).find(params.processId);
        if (process === undefined) throw rpcError('unknownProcess', { processId: params.processId });
        return process.read(params);
      },

      'process/write': (params: ExecServerParams<'process/write'>, session: Session): unknown => {
        const chunk = decodeChunk(params.chunk);
        const process = own(session).find(params.processId);
        if (process === undefined) return { status: 'unknownProcess' };
        if (!process.hasStarted) return { status: 'starting' };
        const accepted = process.write(params.writeId, chunk);
        if (accepted === 'stdinClosed') return { status: 'stdinClosed' };
        return accepted === undefined ? { status: 'accepted' } : accepted.then(() => ({ status: 'accepted' }));
      },

      'process/signal': (params: ExecServerParams<'process/signal'>, session: Session): object => {
        own(session).find(params.processId)?.interrupt();
        return DONE;
      },

      'process/terminate': (params: ExecServerParams<'process/terminate'>, session: Session): { running: boolean } => ({
        running: own(session).find(params.processId)?.terminate() ?? false,
      }),
    },
    asRpcError,
  );
}
