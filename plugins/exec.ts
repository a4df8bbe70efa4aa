/** Gives the app its exec manager, which owns the processes, and the `command/*` methods. Knows no transport. */
import { randomBytes } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import fp from 'fastify-plugin';
import { systemClock } from '../src/commands/clock.js';
import type { Config } from '../src/config/config.js';
import { ExecManager } from '../src/dialects/command-exec/exec-manager.js';
import type { ExecRequest } from '../src/dialects/command-exec/exec-request.js';
import { createExecHandlers } from '../src/dialects/command-exec/handlers.js';
import type { SandboxSettings } from '../src/dialects/command-exec/sandbox-request.js';
import { environmentOver, inheritedEnvironment } from '../src/process/environment.js';
import { createGuardian, guardedStart } from '../src/process/guardian.js';
import { loadLibc } from '../src/process/libc.js';
import type { Environment, ProcessSpec, StartProcess } from '../src/process/os-process.js';
import { ownChild } from '../src/process/own-children.js';
import { seesProcesses } from '../src/process/proc-table.js';
import { signalGroup } from '../src/process/process-signals.js';
import { startProcessIn } from '../src/process/start-process.js';
import { treeTarget } from '../src/process/tree-scan.js';
import { TreeSignaller } from '../src/process/tree-signaller.js';
import { lookUpUser, type UserAccount } from '../src/process/user-account.js';
import { workingDirectory } from '../src/process/working-directory.js';
import { commandExecMethods } from '../src/protocol/methods/command-exec.js';
import { reachableCredential } from '../src/server/command-credential.js';
import { type CommandSandboxOptions, commandSandbox } from '../src/server/command-sandbox.js';
import { DESCRIPTORS_PER_COMMAND } from '../src/server/overload.js';
import type { Session } from '../src/session/session.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Owner of all commands. */
    readonly exec: ExecManager;
    /** Kills every command at once, whatever becomes of its reply; resolves when none is left. New ones are refused from now on. */
    readonly killCommands: () => Promise<void>;
  }
}

/** The guardian's fork takes some milliseconds, in which a server that has just started is waited for. */
const GUARDIAN_AFTER_MS = 100;

export const execPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const serverMarker = `${randomBytes(9).toString('base64url')}.`;
    const guardian = createGuardian({
      serverMarker,
      onProblem: (problem) => app.log.error({ problem }, 'guardian'),
    });
    const onSurvivors = (pids: readonly number[]): void => app.log.error({ pids }, 'processes survived SIGKILL');
    const trees = new TreeSignaller({ onSurvivors });
    if (process.platform === 'linux' && !seesProcesses()) {
      app.log.warn(
        '/proc is missing or of another PID namespace: a kill reaches the process groups of commands and nothing else',
      );
    }
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

    const exec = new ExecManager({
      system: {
        startProcess: tellingWhatIsMissing(guardedStart(startProcessIn(app.sandboxes), guardian), app.log),
        clock: systemClock,
        signalTree: ({ pid, marker }, signal) => trees.signal(treeTarget([pid], marker), signal),
        signalGroup,
        hasEnded: (pid) => ownChild(pid)?.hasEnded() ?? true,
      },
      prepare: (request, session, { marker, traceEnv }) =>
        prepare({ config, account, inherited, confinement }, request, session, marker, traceEnv),
      killTrees: (pids, markerPrefix) => trees.signal(treeTarget(pids, markerPrefix), 'SIGKILL'),
      onSessionKilled: (session) => app.sandboxes.releaseOwner(session),
      serverMarker,
      maxProcesses: config.maxProcesses,
      maxProcessesPerConnection: config.maxProcessesPerConnection,
      maxStdinBytes: config.maxStdinBytes,
      maxBufferedBytes: config.maxBufferedBytes,
      shortage: () => app.overload.shortage(DESCRIPTORS_PER_COMMAND),
      observe: (request, session, call) => app.telemetry.command(request, session, call),
    });
    async function killCommands(): Promise<void> {
      app.lifecycle.advance('draining');
      exec.killAll();
      // Also what nobody can tell whose it was any more. A command that is being started is killed as soon as there is a process to kill.
      const all = trees.signal({ ...treeTarget([], serverMarker), allOrphans: true }, 'SIGKILL');
      await Promise.all([all, new Promise<void>((resolve) => exec.whenIdle(resolve))]);
    }

    app.decorate('exec', exec);
    app.overload.addLoad(() => exec.running / config.maxProcesses);
    app.overload.addExpected(() => exec.starting * DESCRIPTORS_PER_COMMAND);
    app.decorate('killCommands', killCommands);
    app.rpc.router.add(commandExecMethods, createExecHandlers(exec, sandbox));
    app.rpc.onInputEnded((session) => {
      for (const { command } of exec.list(session)) command.terminate({});
    });
    app.rpc.onSessionClosed((session) => exec.closeSession(session));
    // While processes can be had, and BEFORE a first command may need it; but not in the way of the first probe.
    const guardianTimer = setTimeout(() => guardian.start(), GUARDIAN_AFTER_MS).unref();
    app.addHook('onClose', async () => {
      clearTimeout(guardianTimer);
      await killCommands();
      guardian.dispose();
    });
  },
  { name: 'exec', dependencies: ['lifecycle', 'rpc', 'overload', 'telemetry', 'sandbox'] },
);

/** Where the C library cannot be called commands run on sockets, and start slower: worth a line at the first of them. */
function tellingWhatIsMissing(start: StartProcess, log: FastifyBaseLogger): StartProcess {
  let told = false;
  return async (spec, events) => {
    if (!told) {
      told = true;
      const { reason } = await loadLibc();
      if (reason !== undefined) log.warn({ reason }, 'commands run without some of the C library');
    }
    return start(spec, events);
  };
}

interface CommandSettings {
  readonly config: Config;
  readonly account: UserAccount | undefined;
  readonly inherited: Environment;
  readonly confinement: CommandSandboxOptions;
}

function prepare(
  { config, account, inherited, confinement }: CommandSettings,
  request: ExecRequest,
  session: Session,
  marker: string,
  traceEnv: Readonly<Record<string, string | null>>,
): ProcessSpec {
  const sandbox = commandSandbox(request.sandbox.choice, session, confinement);
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
    // Who is not root is that user already, or the server would not have started.
    ...(account === undefined || process.getuid?.() !== 0 ? {} : { runAs: account }),
    ...(config.oomScoreAdj === 0 ? {} : { oomScoreAdj: config.oomScoreAdj }),
  };
}
