/** Gives the app its exec manager, which owns the processes, and the `command/*` methods. Knows no transport. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import fp from 'fastify-plugin';
import type { Config } from '../src/config.js';
import { systemClock } from '../src/exec/clock.js';
import { ExecManager } from '../src/exec/exec-manager.js';
import { createExecHandlers } from '../src/exec/handlers.js';
import { childEnvironment } from '../src/process/environment.js';
import type { ProcessSpec } from '../src/process/os-process.js';
import { killGroup, killTree } from '../src/process/process-tree.js';
import { startProcess } from '../src/process/start-process.js';
import { methods } from '../src/protocol/methods.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Owner of all commands. */
    readonly exec: ExecManager;
  }
}

export const execPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const exec = new ExecManager({
      system: {
        startProcess,
        clock: systemClock,
        signalTree: (target, signal) => {
          killTree(target, signal).then((survivors) => {
            if (signal === 'SIGKILL' && survivors.length > 0)
              app.log.error({ pids: survivors }, 'processes survived SIGKILL');
          }, app.log.error);
        },
        signalGroup: (pid, signal) => {
          if (signal === 'SIGKILL') killGroup(pid);
          else process.kill(-pid, signal);
        },
      },
      prepare: (request, marker, traceEnv): ProcessSpec => ({
        argv: request.argv,
        cwd: resolve(config.defaultCwd ?? '.', request.cwd ?? '.'),
        env: childEnvironment({
          overrides: { ...traceEnv, ...request.env },
          marker,
          tty: request.tty !== undefined,
          allow: config.envAllow,
          deny: config.envDeny,
        }),
        stdin: request.streamStdin,
        ...(request.tty === undefined ? {} : { tty: request.tty }),
        ...(config.oomScoreAdj === 0 ? {} : { oomScoreAdj: config.oomScoreAdj }),
      }),
      killMarked: () => {},
      serverMarker: randomBytes(9).toString('base64url'),
      maxProcesses: config.maxProcesses,
      maxProcessesPerConnection: config.maxProcessesPerConnection,
      maxStdinBytes: config.maxStdinBytes,
      maxBufferedBytes: config.maxBufferedBytes,
      shortage: () => undefined,
    });
    app.decorate('exec', exec);
    const { initialize: _handshake, 'rpc.discover': _discover, ...commandMethods } = methods;
    app.rpc.router.add(commandMethods, createExecHandlers(exec));
    app.rpc.onSessionClosed((session) => exec.closeSession(session));
  },
  { name: 'exec', dependencies: ['rpc'] },
);
