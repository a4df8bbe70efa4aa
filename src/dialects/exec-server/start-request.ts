/** From the params of `process/start` to a decided request: the refusals, and the defaults. Knows no process and no session. */
import type { Environment, TerminalSize } from '../../process/os-process.js';
import { rpcError } from '../../protocol/errors.js';
import type { ExecServerParams } from '../../protocol/methods/exec-server.js';
import type { ExecRequest } from '../command-exec/exec-request.js';
import type { SandboxSettings } from '../command-exec/sandbox-request.js';
import { baseEnvironment } from './environment-policy.js';
import { textPathOfUri } from './file-uri.js';
import { decideExecSandbox, type TranslationHost } from './sandbox-translation.js';

/** There is no method that changes it, so it is what a VT100 had. */
const TERMINAL: TerminalSize = { rows: 24, cols: 80 };
const REFUSED_UNLESS_NULL = ['managedNetwork', 'networkProxy', 'shellSnapshot'] as const;

export interface StartSettings {
  readonly sandbox: SandboxSettings;
  readonly host: TranslationHost;
  /** What commands get of the server's environment. */
  readonly inherited: Environment;
}

/** @throws {RpcError} emptyArgv, unsupportedParam, wrongFileUri, untranslatableSandbox */
export function decideStartRequest(
  params: ExecServerParams<'process/start'>,
  { sandbox, host, inherited }: StartSettings,
): ExecRequest {
  const [program, ...args] = params.argv;
  if (program === undefined) throw rpcError('emptyArgv');
  for (const field of REFUSED_UNLESS_NULL) if (params[field] != null) throw rpcError('unsupportedParam', { field });
  if (params.enforceManagedNetwork === true) throw rpcError('unsupportedParam', { field: 'enforceManagedNetwork' });
  const cwd = textPathOfUri(params.cwd, 'cwd');
  return {
    dialect: 'exec-server',
    metadata: metadataOf(params.metadata),
    argv: [program, ...args],
    arg0: params.arg0 ?? undefined,
    processId: params.processId,
    tty: params.tty ? TERMINAL : undefined,
    streamStdin: params.tty || params.pipeStdin === true,
    streamOutput: true,
    outputCapBytes: Number.POSITIVE_INFINITY,
    timeoutMs: undefined,
    cwd,
    inherited: baseEnvironment(params.envPolicy, inherited),
    setsTerm: false,
    env: params.env,
    sandbox: decideExecSandbox(params.sandbox, sandbox, host),
    detachable: undefined,
    windowBytes: Number.POSITIVE_INFINITY,
  };
}

function metadataOf(metadata: ExecServerParams<'process/start'>['metadata']): ExecRequest['metadata'] {
  const { threadId, toolCallId } = metadata ?? {};
  if (threadId == null && toolCallId == null) return undefined;
  return { ...(threadId == null ? {} : { threadId }), ...(toolCallId == null ? {} : { toolCallId }) };
}
