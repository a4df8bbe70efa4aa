/** The health probes. They need no token and answer from the same listener, also while draining. */
import type { FastifyInstance } from 'fastify';
import type { StartFolder } from '../src/server/start-folder.js';
import { refuseWriting } from './read-only.js';

/** The status of `/ownerz` while the server takes no new clients: HAProxy's `disable-on-404` then sends only clients that come back. */
const NOT_READY_FOR_NEW = 404;

export interface HealthOptions {
  /** While it cannot be entered the server is not ready. */
  readonly startFolder: Pick<StartFolder, 'isOpen'>;
}

/** Adds `/healthz`, `/livez`, `/readyz` and `/ownerz`. */
export async function healthRoutes(app: FastifyInstance, { startFolder }: HealthOptions): Promise<void> {
  const isReady = async (): Promise<boolean> =>
    app.lifecycle.phase === 'running' && !app.overload.isOverloaded && (await startFolder.isOpen());
  for (const url of ['/healthz', '/livez']) addProbe(app, url, async () => 200);
  addProbe(app, '/readyz', async () => ((await isReady()) ? 200 : 503));
  addProbe(app, '/ownerz', async () => ((await isReady()) ? 200 : NOT_READY_FOR_NEW));
  // The log tells it at the start, also where nobody asks. Nothing waits for the file system.
  app.addHook('onReady', async () => void startFolder.isOpen());
}

function addProbe(app: FastifyInstance, url: string, statusNow: () => Promise<number>): void {
  app.get(url, { config: { anyHost: true, action: 'anyone' } }, async (_request, reply) =>
    reply.code(await statusNow()).send(),
  );
  refuseWriting(app, url);
}
