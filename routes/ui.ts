/** The terminal for browsers, at `/terminal`. The page holds no secret, so it needs no credential; its connections do. Knows not what is in it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Page, PageFile } from '../src/server/page-files.js';
import { refuseWriting } from './read-only.js';

/** Everything comes from this server, and nothing is written into the page as text. Pictures and recordings are made in the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};
/** Asked for each time, because it names the files of one version of the server. With `no-store` browsers would not keep the page for the back button. */
const DOCUMENT_CACHING = 'no-cache';
/** A year: a file never changes under its name. */
const ASSET_CACHING = 'public, max-age=31536000, immutable';

export interface UiRouteOptions {
  readonly page: Page;
}

/** Adds the routes. */
export async function uiRoutes(app: FastifyInstance, { page }: UiRouteOptions): Promise<void> {
  app.addHook('onSend', async (_request, reply) => {
    reply.headers(HEADERS);
  });
  app.get('/terminal', { config: { action: 'anyone' } }, async (request, reply) =>
    send(request, reply.header('cache-control', DOCUMENT_CACHING), page.document),
  );
  refuseWriting(app, '/terminal');
  // Relative, because a proxy may have taken a prefix off the path.
  app.get('/terminal/', { config: { action: 'anyone' } }, async (_request, reply) =>
    reply.code(308).header('location', '../terminal').send(),
  );
  app.get('/terminal/assets/:name', { config: { action: 'anyone' } }, async (request, reply) => {
    const { name } = request.params as { readonly name: string };
    const file = page.assets.get(name);
    if (file === undefined) return reply.code(404).header('cache-control', DOCUMENT_CACHING).send();
    return send(request, reply.header('cache-control', ASSET_CACHING), file);
  });
  refuseWriting(app, '/terminal/assets/:name');
}

function send(request: FastifyRequest, reply: FastifyReply, { type, plain, gzipped }: PageFile): FastifyReply {
  const takesGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(String(request.headers['accept-encoding'] ?? ''));
  reply.type(type).header('vary', 'accept-encoding');
  return takesGzip ? reply.header('content-encoding', 'gzip').send(gzipped) : reply.send(plain);
}
