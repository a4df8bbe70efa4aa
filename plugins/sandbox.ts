/** Gives the app its sandboxes, says at the start what this host can enforce. Knows no command. */
import { join } from 'node:path';
import fp from 'fastify-plugin';
import { loadLibc } from '../src/process/libc.js';
import { Sandboxes } from '../src/process/sandbox/sandboxes.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Starts commands under policies. */
    readonly sandboxes: Sandboxes;
  }
}

/** Built beside the server. */
const SCRIPT = join(import.meta.dirname, 'sandbox-worker.cjs');

export const sandboxPlugin = fp(
  async (app) => {
    const sandboxes = new Sandboxes({
      script: SCRIPT,
      libc: loadLibc,
      onThread: ({ startMs, error }) => {
        if (error === undefined) app.log.debug({ startMs }, 'a sandbox has got its thread');
        else app.log.error({ err: error }, 'a thread could not restrict itself; its command was not started');
      },
    });
    app.decorate('sandboxes', sandboxes);
    const { landlockAbi, missing, reason, notEnforced, mountNamespace } = await sandboxes.host();
    const isMissing = missing.length > 0;
    app.lifecycle.on('running', () => {
      // A start that is refused closes without ever running: it says its reason and nothing else.
      if (app.lifecycle.phase !== 'running') return;
      if (isMissing) app.log.warn({ missing, reason }, 'sandbox policies are refused on this host');
      else app.log.info({ landlockAbi, mountNamespace, notEnforced }, 'sandbox policies are enforced');
    });
    app.rpc.addLimits({
      sandbox: {
        landlockAbi: isMissing ? 0 : landlockAbi,
        network: isMissing ? 'none' : 'seccomp',
        notEnforced: [...notEnforced],
      },
    });
    app.addHook('onClose', () => sandboxes.close());
  },
  { name: 'sandbox', dependencies: ['lifecycle', 'rpc'] },
);
