/** Serves the protocol of the Codex exec-server over the app's commands. Knows no transport but that standard input is a single connection. */
import fp from 'fastify-plugin';
import { systemClock } from '../src/commands/clock.js';
import type { Config } from '../src/config/config.js';
import { ConnectionFiles } from '../src/dialects/exec-server/connection-files.js';
import { emptyConfig, environmentInfo } from '../src/dialects/exec-server/environment-info.js';
import { ExecServer } from '../src/dialects/exec-server/exec-server.js';
import { createExecFileHandlers } from '../src/dialects/exec-server/file-handlers.js';
import { createExecServerHandlers, refuseEarly } from '../src/dialects/exec-server/handlers.js';
import { writableRootsOf } from '../src/dialects/exec-server/sandbox-roots.js';
import { decideExecSandbox } from '../src/dialects/exec-server/sandbox-translation.js';
import { ConfinementError } from '../src/files/confined-access.js';
import { lookUpUser } from '../src/process/user-account.js';
import { workingDirectory } from '../src/process/working-directory.js';
import { rpcError } from '../src/protocol/errors.js';
import { execServerMethods } from '../src/protocol/methods/exec-server.js';
import { execServerFileMethods } from '../src/protocol/methods/exec-server-files.js';
import { sessionClientNotifications } from '../src/protocol/methods/session.js';
import { version } from '../src/version.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Sessions of the exec-server protocol. */
    readonly execServer: Pick<ExecServer, 'awaits' | 'awaitsAnyone'>;
  }
}

/** What the host cannot confine is refused in the words of a sandbox. */
function confinementRefusal(error: unknown): unknown {
  return error instanceof ConfinementError ? rpcError('untranslatableSandbox', { detail: error.message }) : error;
}

/** What the server can do beyond the methods that every exec-server has. */
const CAPABILITIES = { environmentConfigRead: true };
/** The same of files. */
const FILE_CAPABILITIES = { fsWatchMissing: true, fileWriteStreaming: true };

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
    app.decorate('execServer', server);
    const host = { holdsProtectedPaths: false };
    rpc.addLimits(async () => {
      host.holdsProtectedPaths = (await app.sandboxes.host()).mountNamespace;
      return {};
    });
    const home = config.runAs === undefined ? undefined : lookUpUser(config.runAs).home;
    const temporary = typeof inherited.TMPDIR === 'string' ? inherited.TMPDIR : undefined;
    const environment = () =>
      environmentInfo({
        version,
        cwd: workingDirectory(config.defaultCwd, undefined) ?? '.',
        home,
        tmpdir: temporary,
        capabilities: app.files.overRpc ? { ...CAPABILITIES, ...FILE_CAPABILITIES } : CAPABILITIES,
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
    const { access, overRpc, confine } = app.files;
    if (!overRpc || access === undefined) return;
    const connections = new ConnectionFiles(access);
    rpc.execServerRouter.add(
      execServerFileMethods,
      createExecFileHandlers({
        access,
        connections,
        replies: app.fileReplies,
        turns: app.fileTurns,
        maxReadBytes: config.maxFileReadBytes,
        confine: async (asked) => {
          const { choice } = decideExecSandbox(asked, sandbox, host);
          const roots = writableRootsOf(choice, temporary);
          if (roots === undefined) return { access, close: async () => {} };
          const confined = await confine(roots).catch((error: unknown) => {
            throw confinementRefusal(error);
          });
          return { access: confined, close: () => confined.close() };
        },
      }),
    );
    rpc.onSessionClosed((session) => connections.closeSession(session));
  },
  { name: 'exec-server', dependencies: ['lifecycle', 'rpc', 'commands', 'command-exec', 'files', 'sandbox'] },
);
