/** Serves the methods of `command/exec` and `process/spawn` over the app's commands. Knows no transport. */
import fp from 'fastify-plugin';
import { CaptureBudget } from '../src/commands/output/capture-budget.js';
import type { Config } from '../src/config/config.js';
import { CommandExec } from '../src/dialects/command-exec/command-exec.js';
import { acknowledge, createExecHandlers } from '../src/dialects/command-exec/handlers.js';
import type { SandboxSettings } from '../src/dialects/command-exec/sandbox-request.js';
import { createSpawnHandlers } from '../src/dialects/process-spawn/handlers.js';
import { inheritedEnvironment } from '../src/process/environment.js';
import type { Environment } from '../src/process/os-process.js';
import { readTreeUsage } from '../src/process/tree-usage.js';
import { lookUpUser } from '../src/process/user-account.js';
import { workingDirectory } from '../src/process/working-directory.js';
import { attachClientNotifications, attachMethods } from '../src/protocol/methods/attach.js';
import { commandExecMethods } from '../src/protocol/methods/command-exec.js';
import { processSpawnMethods } from '../src/protocol/methods/process-spawn.js';
import { reachableCredential } from '../src/server/command-credential.js';
import type { CommandSandboxOptions } from '../src/server/command-sandbox.js';
import { prepareProcess } from '../src/server/process-preparation.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Runs commands for connections, with what all dialects share of their settings. */
    readonly commandExec: {
      readonly exec: CommandExec;
      readonly sandbox: SandboxSettings;
      /** What commands get of the server's environment. */
      readonly inherited: Environment;
    };
  }
}

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
      prepare: (request, added) => prepareProcess({ config, account, inherited, confinement }, request, added),
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
    app.decorate('commandExec', { exec, sandbox, inherited });
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

/** The server's own directory: commands that name none run there. */
function ownDirectory(): string {
  try {
    return process.cwd();
  } catch {
    // The directory was deleted.
    return '.';
  }
}
