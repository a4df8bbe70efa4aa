/** Serves the protocol of the Codex exec-server over the app's commands. Knows no transport but that standard input is a single connection. */
import fp from 'fastify-plugin';
import { systemClock } from '../src/commands/clock.js';
import type { Config } from '../src/config/config.js';
import { emptyConfig, environmentInfo } from '../src/dialects/exec-server/environment-info.js';
import { ExecServer } from '../src/dialects/exec-server/exec-server.js';
import { createExecServerHandlers, refuseEarly } from '../src/dialects/exec-server/handlers.js';
import { lookUpUser } from '../src/process/user-account.js';
import { workingDirectory } from '../src/process/working-directory.js';
import { execServerMethods } from '../src/protocol/methods/exec-server.js';
import { sessionClientNotifications } from '../src/protocol/methods/session.js';
import { version } from '../src/version.js';

/** What the server can do beyond the methods that every exec-server has. */
const CAPABILITIES = { environmentConfigRead: true };

export const execServerPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const { commands: table, detachables, rpc, log } = app;
    const { exec, sandbox, inherited } = app.commandExec;
    const server = new ExecServer({
      table,
      detachables,
      exec,
      clock: systemClock,
      keepMs: config.sessionKeepMs,
      maxReplayBytes: config.maxReplayBytes,
      maxProcessesPerConnection: config.maxProcessesPerConnection,
      onAbandoned: (sessionId, running) =>
        log.info({ sessionId, running }, 'session ended: its client did not come back within --session-keep'),
    });
    const host = { holdsProtectedPaths: false };
    rpc.addLimits(async () => {
      host.holdsProtectedPaths = (await app.sandboxes.host()).mountNamespace;
      return {};
    });
    const home = config.runAs === undefined ? undefined : lookUpUser(config.runAs).home;
    const environment = () =>
      environmentInfo({
        version,
        cwd: workingDirectory(config.defaultCwd, undefined) ?? '.',
        home,
        tmpdir: typeof inherited.TMPDIR === 'string' ? inherited.TMPDIR : undefined,
        capabilities: CAPABILITIES,
      });
    const settings = { sandbox, host, inherited };
    const agentConfig = () => emptyConfig({ home });
    rpc.refuseExecServerBy((session, method) => refuseEarly(server, session, method));
    rpc.execServerRouter.add(
      execServerMethods,
      createExecServerHandlers({ server, settings, environment, config: agentConfig }),
    );
    rpc.execServerRouter.onNotification(
      'initialized',
      sessionClientNotifications.initialized.params,
      (_params, session) => server.of(session)?.confirm(),
    );
    rpc.onInputEnded((session) => server.leave(session, true));
    rpc.onSessionClosed((session) => server.leave(session, session.connection.transport.kind === 'stdio'));
    app.addHook('onClose', async () => server.close());
  },
  { name: 'exec-server', dependencies: ['lifecycle', 'rpc', 'commands', 'command-exec', 'sandbox'] },
);
