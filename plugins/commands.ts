/** Gives the app its commands, detachable ones included, and the means to start and kill them. Knows no wire. */
import type { FastifyBaseLogger } from 'fastify';
import fp from 'fastify-plugin';
import { systemClock } from '../src/commands/clock.js';
import type { DetachableCommand } from '../src/commands/detachable.js';
import { Detachables } from '../src/commands/detachables.js';
import { makeHeadlessTerminal } from '../src/commands/screen-terminal.js';
import { CommandTable } from '../src/commands/table.js';
import type { Config } from '../src/config/config.js';
import { groupedStart } from '../src/process/grouped-start.js';
import { createGuardian, guardedStart } from '../src/process/guardian.js';
import { loadLibc } from '../src/process/libc.js';
import type { StartProcess } from '../src/process/os-process.js';
import { ownChild } from '../src/process/own-children.js';
import { seesProcesses } from '../src/process/proc-table.js';
import { signalGroup } from '../src/process/process-signals.js';
import { startProcessIn } from '../src/process/start-process.js';
import { treeTarget } from '../src/process/tree-scan.js';
import { TreeSignaller } from '../src/process/tree-signaller.js';
import { DESCRIPTORS_PER_COMMAND } from '../src/server/overload.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** All commands. */
    readonly commands: CommandTable;
    /** Commands that outlive their connections. */
    readonly detachables: Detachables;
    /** Kills every command at once, without waiting for replies; resolves when none is left. New commands are refused from now on. */
    readonly killCommands: () => Promise<void>;
  }
}

/** The fork of the guardian takes some milliseconds. This long after the start it does not delay the first requests. */
const GUARDIAN_AFTER_MS = 100;

export const commandsPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const { cgroups, serverMark: serverMarker } = app;
    const guardian = createGuardian({
      serverMarker,
      cgroup: () => cgroups.folder,
      onProblem: (problem) => app.log.error({ problem }, 'guardian'),
    });
    const onSurvivors = (pids: readonly number[]): void => app.log.error({ pids }, 'processes survived SIGKILL');
    const trees = new TreeSignaller({ onSurvivors });
    if (process.platform === 'linux' && !seesProcesses()) {
      app.log.warn(
        '/proc is missing or of another PID namespace: a kill reaches the process groups of commands and nothing else',
      );
    }
    const table = new CommandTable({
      system: {
        startProcess: tellingWhatIsMissing(
          guardedStart(
            groupedStart(startProcessIn(app.sandboxes), () => cgroups.find()),
            guardian,
          ),
          app.log,
        ),
        clock: systemClock,
        signalTree: ({ pid, marker }, signal) => trees.signal(treeTarget([pid], marker, cgroups), signal),
        signalGroup,
        hasEnded: (pid) => ownChild(pid)?.hasEnded() ?? true,
      },
      killTrees: (pids, markerPrefix) => trees.signal(treeTarget(pids, markerPrefix, cgroups), 'SIGKILL'),
      onOwnerKilled: (owner) => app.sandboxes.releaseOwner(owner),
      serverMarker,
      maxProcesses: config.maxProcesses,
      maxStdinBytes: config.maxStdinBytes,
      shortage: () => app.overload.shortage(DESCRIPTORS_PER_COMMAND),
    });
    const detachables = new Detachables({
      table,
      clock: systemClock,
      replayBudgetBytes: config.replayBudget,
      stallTimeoutMs: config.stallTimeoutMs,
      keepsScreens: !config.noScreens,
      makeTerminal: makeHeadlessTerminal,
      onExpired: (command: DetachableCommand) => {
        app.metrics.commandsExpired.add(1);
        const { key, ttlMs } = command.options;
        const why =
          ttlMs === config.maxDetachedMs ? 'nobody came back within --max-detached' : 'nobody came back in time';
        app.log.warn({ key, pid: command.running.command.pid, ttlMs }, `detached command ended: ${why}`);
      },
    });
    async function killCommands(): Promise<void> {
      app.lifecycle.advance('draining');
      table.killAll();
      // Orphans that belong to no known command are killed, too. A command that is being started is killed as soon as its process exists.
      const all = trees.signal({ ...treeTarget([], serverMarker, cgroups), allOrphans: true }, 'SIGKILL');
      await Promise.all([all, new Promise<void>((resolve) => table.whenIdle(resolve))]);
    }

    app.decorate('commands', table);
    app.decorate('detachables', detachables);
    app.decorate('killCommands', killCommands);
    app.overload.addLoad(() => table.running / config.maxProcesses);
    app.overload.addExpected(() => table.starting * DESCRIPTORS_PER_COMMAND);
    // Early, BEFORE the first command needs it and while the host still allows processes, but after the first probe.
    const guardianTimer = setTimeout(() => void cgroups.find().then(() => guardian.start()), GUARDIAN_AFTER_MS).unref();
    app.addHook('onClose', async () => {
      clearTimeout(guardianTimer);
      await killCommands();
      guardian.dispose();
    });
  },
  { name: 'commands', dependencies: ['cgroups', 'lifecycle', 'metrics', 'overload', 'sandbox'] },
);

/** Logs once, at the first command, if the C library cannot be called: then commands run on sockets and start slower. */
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
