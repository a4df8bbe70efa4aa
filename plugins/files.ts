/** Gives the app its files, and serves `fs/*` over them. Knows no transport. */
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import { FileTurns, filePlaces } from '../src/dialects/app-server-fs/file-turns.js';
import { createFileHandlers } from '../src/dialects/app-server-fs/handlers.js';
import { HeldReplies } from '../src/dialects/app-server-fs/held-replies.js';
import { SessionWatches } from '../src/dialects/app-server-fs/session-watches.js';
import { loadLibc } from '../src/process/libc.js';
import { poolThreads } from '../src/process/thread-pool.js';
import { lookUpUser } from '../src/process/user-account.js';
import { fileMethods } from '../src/protocol/methods/files.js';
import { openServerFiles, type ServerFiles } from '../src/server/server-files.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Which files are served, and by what. */
    readonly files: ServerFiles;
    /** The memory of replies with whole files. */
    readonly fileReplies: HeldReplies;
    /** The turns of long operations on files. */
    readonly fileTurns: FileTurns;
  }
}

export const filesPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const account = config.runAs === undefined ? undefined : lookUpUser(config.runAs);
    const files = await openServerFiles({
      config,
      runsAsOther: account !== undefined && account.uid !== process.getuid?.(),
      loadOpenBeneath: async () => (await loadLibc()).openBeneath,
    });
    const replies = new HeldReplies(config.maxBufferedTotalBytes);
    const turns = new FileTurns(filePlaces(poolThreads()));
    app.decorate('files', files);
    app.decorate('fileReplies', replies);
    app.decorate('fileTurns', turns);
    app.addHook('onClose', () => files.close());
    if (files.warning !== undefined) app.log.warn({ reason: files.warning }, 'files');
    if (!files.overRpc || files.access === undefined) return;
    const watches = new SessionWatches();
    app.rpc.router.add(
      fileMethods,
      createFileHandlers({ access: files.access, watches, replies, turns, maxReadBytes: config.maxFileReadBytes }),
    );
    app.rpc.onSessionClosed((session) => {
      watches.closeSession(session);
      replies.closeSession(session);
    });
  },
  { name: 'files', dependencies: ['rpc'] },
);
