/** Serves the methods of `command/exec` and `process/spawn` over the app's commands. Knows no transport. */
import fp from 'fastify-plugin';
import { CaptureBudget } from '../src/commands/output/capture-budget.js';
import type { Config } from '../src/config/config.js';
import { CommandExec } from '../src/dialects/command-exec/command-exec.js';
import type { AddedToProcess } from '../src/dialects/command-exec/command-exec-options.js';
import type { ExecRequest } from '../src/dialects/command-exec/exec-request.js';
import { acknowledge, createExecHandlers } from '../src/dialects/command-exec/handlers.js';
import type { SandboxSettings } from '../src/dialects/command-exec/sandbox-request.js';
import { createSpawnHandlers } from '../src/dialects/process-spawn/handlers.js';
import { environmentOver, inheritedEnvironment } from '../src/process/environment.js';
import type { Environment, ProcessSpec } from '../src/process/os-process.js';
import { readTreeUsage } from '../src/process/tree-usage.js';
import { lookUpUser, type UserAccount } from '../src/process/user-account.js';
import { workingDirectory } from '../src/process/working-directory.js';
import { attachClientNotifications, attachMethods } from '../src/protocol/methods/attach.js';
import { commandExecMethods } from '../src/protocol/methods/command-exec.js';
import { processSpawnMethods } from '../src/protocol/methods/process-spawn.js';
import { reachableCredential } from '../src/server/command-credential.js';
import { type CommandSandboxOptions, commandSandbox } from '../src/server/command-sandbox.js';

export const commandExecPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const { commands: table, detachables, metrics, telemetry } = app;
    const account = config.runAs === undefined ? undefined : lookUpUser(config.runAs);
    const inherited = inheritedEnvironment({ allow: config.envAllow, deny: config.envDeny });
    const sandbox: SandboxSettings = {
      defaultPolicy: config.sandboxDefault,
      minimum: config.sandboxMinimum,
      roots: config.sandboxRoots,
      network: config.sandboxNetwork,
    };
    const confinement: CommandSandboxOptions = {
      settings: sandbox,
      workspace: workingDirectory(config.defaultCwd, undefined) ?? '.',
      reachableCredential: reachableCredential(config, account),
    };
    const captures = new CaptureBudget(config.maxBufferedTotalBytes);
    const exec = new CommandExec({
      table,
      detachables,
      captures,
      prepare: (request, added) => prepare({ config, account, inherited, confinement }, request, added),
      cwdOf: (request) => workingDirectory(config.defaultCwd, request.cwd) ?? ownDirectory(),
      maxProcessesPerConnection: config.maxProcessesPerConnection,
      maxBufferedBytes: config.maxBufferedBytes,
      isDraining: () => app.lifecycle.reached('draining'),
      events: {
        attached: (view, isResumed) => app.log.info(view, isResumed ? 'attached' : 'detachable command started'),
        detached: (view, why) => {
          if (why === 'takeover') metrics.takeovers.add(1);
          app.log.info({ ...view, why }, 'detached');
        },
        gap: (view, bytes, isFirst) => {
          metrics.gaps.add(1);
          metrics.gapBytes.add(bytes);
          // A view that goes on losing bytes would fill the log.
          if (isFirst) app.log.info({ ...view, bytes }, 'gap');
        },
      },
      observe: (request, session, call) => telemetry.command(request, session, call),
      onReturn: (started, call) => telemetry.returned(started, call),
    });
    const ceilings = {
      maxDetachedMs: config.maxDetachedMs === 0 ? Number.POSITIVE_INFINITY : config.maxDetachedMs,
      maxReplayBytes: config.maxReplayBytes,
    };
    const handlers = createExecHandlers({ exec, captures, ceilings, sandbox, usage: readTreeUsage });
    app.rpc.router.add({ ...commandExecMethods, ...attachMethods }, handlers);
    const onError = (error: unknown): void => app.log.error({ err: error }, 'the end of a process could not be told');
    app.rpc.router.add(processSpawnMethods, createSpawnHandlers({ exec, captures, sandbox, onError }));
    const { 'command/exec/ack': ack } = attachClientNotifications;
    app.rpc.router.onNotification('command/exec/ack', ack.params, (params, session) =>
      acknowledge(exec, params, session),
    );
    app.rpc.onInputEnded((session) => exec.endInput(session));
    app.rpc.onSessionClosed((session) => exec.closeSession(session));
  },
  { name: 'command-exec', dependencies: ['lifecycle', 'metrics', 'rpc', 'telemetry', 'commands'] },
);

interface CommandSettings {
  readonly config: Config;
  readonly account: UserAccount | undefined;
  readonly inherited: Environment;
  readonly confinement: CommandSandboxOptions;
}

function prepare(
  { config, account, inherited, confinement }: CommandSettings,
  request: ExecRequest,
  { marker, owner, traceEnv }: AddedToProcess,
): ProcessSpec {
  const sandbox = commandSandbox(request.sandbox.choice, owner, confinement);
  const ofAccount = account === undefined ? {} : { HOME: account.home, USER: account.name, LOGNAME: account.name };
  return {
    argv: request.argv,
    cwd: workingDirectory(config.defaultCwd, request.cwd),
    env: environmentOver(inherited, {
      overrides: { ...ofAccount, ...traceEnv, ...request.env, ...sandbox.env },
      marker,
      tty: request.tty !== undefined,
    }),
    stdin: request.streamStdin,
    ...sandbox.spec,
    ...(request.tty === undefined ? {} : { tty: request.tty }),
    // A server that is not root already runs as that user; otherwise it would not have started.
    ...(account === undefined || process.getuid?.() !== 0 ? {} : { runAs: account }),
    ...(config.oomScoreAdj === 0 ? {} : { oomScoreAdj: config.oomScoreAdj }),
  };
}

/** The server's own directory: commands that name none run there. */
function ownDirectory(): string {
  try {
    return process.cwd();
  } catch {
    // The directory was deleted.
    return '.';
  }
}
