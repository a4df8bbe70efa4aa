/** Gives the app its sandboxes, and logs at the start what this host can enforce. Knows no command. */
import { join } from 'node:path';
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import { loadLibc } from '../src/process/libc.js';
import type { SandboxHost } from '../src/process/sandbox/sandbox-host.js';
import { Sandboxes } from '../src/process/sandbox/sandboxes.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Starts commands under policies. */
    readonly sandboxes: Sandboxes;
  }
}

/** Built beside the server. */
const SCRIPT = join(import.meta.dirname, 'sandbox-worker.cjs');

/** The check loads the C library, and starts a thread if the server may mount; that takes ten to a hundred milliseconds. */
const CHECK_AFTER_MS = 100;

export const sandboxPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const sandboxes = new Sandboxes({
      script: SCRIPT,
      libc: loadLibc,
      onThread: ({ startMs, error }) => {
        if (error === undefined) app.log.debug({ startMs }, 'a thread for a sandbox was started');
        else app.log.error({ err: error }, 'a thread could not restrict itself; its command was not started');
      },
      onBound: (reason) =>
        app.log.warn(
          { reason },
          'no thread for another sandbox: commands that need one are refused; execwire_sandbox_refusals_total counts them',
        ),
    });
    app.decorate('sandboxes', sandboxes);
    let said = false;
    const check = async (): Promise<SandboxHost> => {
      const host = await sandboxes.host();
      const { landlockAbi, missing, reason, notEnforced, mountNamespace } = host;
      if (said) return host;
      said = true;
      if (missing.length > 0) app.log.warn({ missing, reason }, 'sandbox policies are refused on this host');
      else app.log.info({ landlockAbi, mountNamespace, notEnforced }, 'sandbox policies are enforced');
      return host;
    };
    app.rpc.addLimits(async () => {
      const { landlockAbi, missing, notEnforced } = await check();
      const isEnforced = missing.length === 0;
      return {
        sandbox: {
          landlockAbi: isEnforced ? landlockAbi : 0,
          network: isEnforced ? 'seccomp' : 'none',
          notEnforced: [...notEnforced],
          default: config.sandboxDefault,
          minimum: config.sandboxMinimum,
        },
      };
    });
    // Soon after the start, so that the operator can read it before the first client comes, but not before the first probe.
    let timer: NodeJS.Timeout | undefined;
    app.lifecycle.on('running', () => {
      // An app whose start is refused closes before it runs.
      if (app.lifecycle.phase === 'running') timer = setTimeout(() => void check(), CHECK_AFTER_MS).unref();
    });
    app.addHook('onClose', async () => clearTimeout(timer));
    app.addHook('onClose', () => sandboxes.close());
  },
  { name: 'sandbox', dependencies: ['lifecycle', 'rpc'] },
);
