/** Serves `initialize`: checks the client's name and settles what the session may use. Knows no transport. */
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type * as z from 'zod';
import { rpcError } from '../protocol/errors.js';
import { type MethodResult, type methods, serverNotifications } from '../protocol/methods.js';
import type { Call } from '../rpc/connection.js';
import type { Session } from './session.js';

/** Visible ASCII, space and tab, and the bytes RFC 9110 calls obs-text: what an HTTP header value may hold. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export interface HandshakeOptions {
  /** Version of the server. */
  readonly version: string;
  /** Names this process. A client that finds another name knows that its commands are gone. */
  readonly serverId: string;
  /** The member `limits` of the reply. */
  readonly limits: () => MethodResult<'initialize'>['limits'];
}

type InitializeParams = z.output<(typeof methods)['initialize']['params']>;

/** Shared by all sessions without opt-outs, because an empty set takes 200 bytes. */
const NO_NAMES: ReadonlySet<string> = new Set();
const KNOWN_NAMES: ReadonlySet<string> = new Set(Object.keys(serverNotifications));

/** The names of a client's list that the server knows. Others are dropped, so that a long list costs no memory. */
function knownNamesOf(names: readonly string[] | null | undefined): ReadonlySet<string> {
  const known = names?.filter((name) => KNOWN_NAMES.has(name)) ?? [];
  return known.length === 0 ? NO_NAMES : new Set(known);
}

/** Characters that are kept of a client's name, and of its version, for the log. */
const MAX_KEPT_LENGTH = 256;

/** A copy: a slice would keep the whole text in memory. */
function beginningOf(text: string): string {
  return text.length <= MAX_KEPT_LENGTH ? text : Buffer.from(text.slice(0, MAX_KEPT_LENGTH)).toString();
}

/** The server's home directory, absolute. A user without one, as in some containers, gets the root directory. @param find throws if there is none */
export function homeDirectory(find: () => string = homedir): string {
  try {
    return resolve(find());
  } catch {
    return '/';
  }
}

/** Makes the handler of `initialize`. @throws {RpcError} invalidClientName */
export function createInitializeHandler(options: HandshakeOptions) {
  const codexHome = homeDirectory();
  return (params: InitializeParams, session: Session, call: Call): MethodResult<'initialize'> => {
    const { name, version } = params.clientInfo;
    if (!HEADER_VALUE.test(name)) throw rpcError('invalidClientName', { name });
    const result: MethodResult<'initialize'> = {
      userAgent: `execwire/${options.version} (${process.platform}; ${process.arch}) ${name} (${version})`,
      codexHome,
      platformFamily: 'unix',
      platformOs: process.platform === 'darwin' ? 'macos' : 'linux',
      serverInfo: { name: 'execwire', version: options.version },
      serverId: options.serverId,
      connectionId: session.id,
      limits: options.limits(),
    };
    // LAST, because a handshake that fails must leave the session as it was.
    session.initialize({
      dialect: 'app-server',
      clientName: beginningOf(name),
      clientVersion: beginningOf(version),
      experimentalApi: params.capabilities?.experimentalApi ?? false,
      optOut: knownNamesOf(params.capabilities?.optOutNotificationMethods),
      heartbeatMs: params.capabilities?.heartbeatMs ?? undefined,
    });
    session.connection.mirrorsVersion = call.request.jsonrpc;
    return result;
  };
}
