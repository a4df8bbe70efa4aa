/** Gives the app the control groups of its commands, and says in the log and in `initialize` whether there are any. Knows no command. */
import { randomBytes } from 'node:crypto';
import fp from 'fastify-plugin';
import { Cgroups } from '../src/process/cgroups.js';
import { loadLibc } from '../src/process/libc.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The common beginning of all marks of this server's commands: a random id and a dot. */
    readonly serverMark: string;
    readonly cgroups: Cgroups;
  }
}

export const cgroupsPlugin = fp(
  async (app) => {
    const serverMark = `${randomBytes(9).toString('base64url')}.`;
    const cgroups = new Cgroups({
      serverMark,
      libc: loadLibc,
      onRefused: (errno) => app.log.warn({ errno }, 'the kernel refuses control groups: further commands get none'),
    });
    app.decorate('serverMark', serverMark);
    app.decorate('cgroups', cgroups);
    let said = false;
    app.rpc.addLimits(async () => {
      const facts = await cgroups.facts();
      if (!said) app.log.info({ cgroups: facts }, 'control groups for commands');
      said = true;
      return { cgroups: facts };
    });
    app.addHook('onClose', () => cgroups.close());
  },
  { name: 'cgroups', dependencies: ['rpc'] },
);
