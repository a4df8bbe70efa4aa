/** Serves `initialize`: checks the client's name and settles what the session may use. Knows no transport. */
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type * as z from 'zod';
import { rpcError } from '../protocol/errors.js';
import type { MethodResult, methods } from '../protocol/methods.js';
import type { Call } from '../rpc/connection.js';
import type { Session } from './session.js';

/** Visible ASCII, space and tab, and the bytes RFC 9110 calls obs-text: what an HTTP header value may hold. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export interface HandshakeOptions {
  /** Version of the server. */
  readonly version: string;
  /** What `limits` says. */
  readonly limits: Readonly<Record<string, number>>;
}

type InitializeParams = z.output<(typeof methods)['initialize']['params']>;

/** Of most sessions: one for all of them, as an empty set takes 200 bytes. */
const NO_NAMES: ReadonlySet<string> = new Set();

function namesOf(names: readonly string[] | null | undefined): ReadonlySet<string> {
  return names == null || names.length === 0 ? NO_NAMES : new Set(names);
}

/** Makes the handler of `initialize`. @throws {RpcError} invalidClientName */
export function createInitializeHandler(options: HandshakeOptions) {
  return (params: InitializeParams, session: Session, call: Call): MethodResult<'initialize'> => {
    const { name, version } = params.clientInfo;
    if (!HEADER_VALUE.test(name)) throw rpcError('invalidClientName', { name });
    session.initialize({
      clientName: name,
      clientVersion: version,
      experimentalApi: params.capabilities?.experimentalApi ?? false,
      optOut: namesOf(params.capabilities?.optOutNotificationMethods),
      heartbeatMs: params.capabilities?.heartbeatMs ?? undefined,
    });
    session.connection.mirrorsVersion = call.request.jsonrpc;
    return {
      userAgent: `execwire/${options.version} (${process.platform}; ${process.arch}) ${name} (${version})`,
      codexHome: resolve(homedir()),
      platformFamily: 'unix',
      platformOs: process.platform === 'darwin' ? 'macos' : 'linux',
      serverInfo: { name: 'execwire', version: options.version },
      connectionId: session.id,
      limits: { ...options.limits },
    };
  };
}
