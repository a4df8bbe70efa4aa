/** Makes the complete environment and the directory of a command from its request and the operator's settings. Knows no wire and starts nothing. */
import type { Config } from '../config/config.js';
import type { AddedToProcess } from '../dialects/command-exec/command-exec-options.js';
import type { ExecRequest } from '../dialects/command-exec/exec-request.js';
import { environmentOver } from '../process/environment.js';
import type { Environment, ProcessSpec } from '../process/os-process.js';
import type { UserAccount } from '../process/user-account.js';
import { workingDirectory } from '../process/working-directory.js';
import { type CommandSandboxOptions, commandSandbox } from './command-sandbox.js';

export interface PreparationOptions {
  readonly config: Pick<Config, 'defaultCwd' | 'oomScoreAdj'>;
  /** The user that commands run as, if it is not the server's own. */
  readonly account: UserAccount | undefined;
  /** What commands get of the server's environment. */
  readonly inherited: Environment;
  readonly confinement: CommandSandboxOptions;
}

/** @throws {RpcError} sandboxUnavailable */
export function prepareProcess(
  { config, account, inherited, confinement }: PreparationOptions,
  request: ExecRequest,
  { marker, owner, traceEnv }: AddedToProcess,
): ProcessSpec {
  const sandbox = commandSandbox(request.sandbox.choice, owner, confinement);
  const ofAccount = account === undefined ? {} : { HOME: account.home, USER: account.name, LOGNAME: account.name };
  return {
    argv: request.argv,
    cwd: workingDirectory(config.defaultCwd, request.cwd),
    env: environmentOver(request.inherited ?? inherited, {
      overrides: { ...ofAccount, ...traceEnv, ...request.env, ...sandbox.env },
      marker,
      tty: request.tty !== undefined && request.setsTerm,
    }),
    stdin: request.streamStdin,
    ...sandbox.spec,
    ...(request.arg0 === undefined ? {} : { arg0: request.arg0 }),
    ...(request.tty === undefined ? {} : { tty: request.tty }),
    // A server that is not root already runs as that user; otherwise it would not have started.
    ...(account === undefined || process.getuid?.() !== 0 ? {} : { runAs: account }),
    ...(config.oomScoreAdj === 0 ? {} : { oomScoreAdj: config.oomScoreAdj }),
  };
}
