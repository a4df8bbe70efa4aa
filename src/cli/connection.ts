/** Connects to the server that the flags or the environment name, and says in one line when the connection breaks. Knows no command. */
import { readFileSync } from 'node:fs';
import { fieldOf, messageOf } from '../../client/src/errors.js';
import { type Box, ConnectError, type ConnectOptions, connect, RpcError } from '../../client/src/node.js';
import { tokenFromEnvironment, urlFromEnvironment } from '../config/client-settings.js';
import { version } from '../version.js';
import type { Flag } from './command.js';
import { CliError, unforeseenText } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';
import { say } from './say.js';

/** The flags of every command that talks to a server. */
export const CONNECTION_FLAGS: readonly Flag[] = [
  { name: 'url', placeholder: 'URL', description: 'Server: ws://…, wss://… or unix:///PATH. [EXECWIRE_URL]' },
  { name: 'token-file', placeholder: 'FILE', description: 'File with the credential. [EXECWIRE_TOKEN has one itself]' },
];
export const JSON_FLAG: Flag = { name: 'json', description: 'Prints one JSON document.' };

/** How to connect. */
export interface ConnectionOptions {
  /** Of a command that runs already: leads to its server. */
  readonly key?: string | undefined;
  /** Whether a broken connection is opened again. Default true. */
  readonly reconnects?: boolean;
  /** Milliseconds of trying that. Default 60000. */
  readonly reconnectMaxMs?: number;
}

/** Milliseconds that the connection may take to close in order: everything that matters has been sent by then. */
const CLOSE_TIMEOUT_MS = 1_000;
/** Milliseconds of coming back, as `execwire exec` promises. */
const RECONNECT_MAX_MS = 60_000;

/** A box, and whether its connection is there. */
export class Connection {
  readonly box: Box;
  readonly url: string;
  /** Whether there is no connection at the moment. */
  isAway = false;
  /** Says a line about what happens. A session that has made its terminal raw says it otherwise than on a plain line. */
  tell: (text: string) => void = say;
  /** Told when the connection is lost. */
  onAway: (text: string) => void = (text) => this.tell(text);
  /** Told when it is there again. */
  onReturn: () => void = () => {};

  /** @param reconnectMaxMs milliseconds of coming back; 0 for not at all */
  constructor(box: Box, url: string, reconnectMaxMs: number) {
    this.box = box;
    this.url = url;
    box.onStatus((status) => {
      if (status.state === 'away') {
        this.isAway = true;
        if (reconnectMaxMs > 0) {
          this.onAway(`the connection broke (${status.code}); coming back, for up to ${reconnectMaxMs / 1000} s`);
        }
      } else if (status.state === 'online' && this.isAway) {
        this.isAway = false;
        this.onReturn();
      }
    });
  }

  /** Whether commands can outlive their connections there. */
  get keepsCommands(): boolean {
    return fieldOf(this.box.server.limits, 'maxReplayBytes') !== undefined;
  }

  close(): Promise<void> {
    return this.box.close();
  }
}

/** @throws {CliError | ConnectError} in one line: what was met and what to do */
export async function openConnection(
  given: GivenFlags,
  { key, reconnects = true, reconnectMaxMs = RECONNECT_MAX_MS }: ConnectionOptions = {},
): Promise<Connection> {
  const url = serverUrl(given);
  const maxMs = reconnects ? reconnectMaxMs : 0;
  const options: ConnectOptions = {
    name: 'execwire',
    version,
    closeTimeout: CLOSE_TIMEOUT_MS,
    onError: (error) => say(unforeseenText(error)),
    reconnect: reconnects && { maxMs },
    ...(key === undefined ? {} : { key }),
    ...credential(given),
  };
  try {
    return new Connection(await connect(url, options), url, maxMs);
  } catch (error) {
    if (error instanceof ConnectError || error instanceof CliError) throw error;
    // The path of a socket that the client cannot name.
    if (error instanceof TypeError) throw new CliError(error.message);
    const reason = error instanceof RpcError ? error.reason : undefined;
    throw new CliError(`${url} answers, but not as an execwire server does: ${messageOf(error)}`, undefined, {
      reason,
    });
  }
}

/** Connects, does something, and closes. */
export async function withConnection<T>(
  given: GivenFlags,
  options: ConnectionOptions,
  action: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await openConnection(given, options);
  let isAnswered = true;
  try {
    return await action(connection);
  } catch (error) {
    isAnswered = !(error instanceof CliError && error.details.serverHangs === true);
    throw error;
  } finally {
    // The end of the program closes it otherwise.
    if (isAnswered) await connection.close();
  }
}

/** @throws {CliError} */
export function serverUrl(given: GivenFlags): string {
  const named = given.text('url') ?? urlFromEnvironment();
  if (named === undefined) {
    const hint = '`execwire serve --listen ws://127.0.0.1:4500` starts one';
    throw new CliError(`no server named: give --url ws://HOST:PORT, or set EXECWIRE_URL; ${hint}`);
  }
  const url = named.replace(/^[a-z]+:/i, (scheme) => scheme.toLowerCase());
  if (/^wss?:\/\/[^/]|^unix:\/\/\//.test(url)) return url;
  const meant = meantUrl(url);
  const advice = meant === undefined ? '' : `; did you mean ${meant}?`;
  // `say` leaves the password out of what is a URL; this may be one whose scheme is missing.
  const shown = url.includes('://') ? url : url.replace(/^[^/]*@/, '');
  throw new CliError(
    `the URL \`${shown}\` is none of a server: expected ws://HOST:PORT, wss://HOST or unix:///PATH${advice}`,
  );
}

function meantUrl(url: string): string | undefined {
  if (/^(https?|tcp):\/\//.test(url)) return url.replace(/^(http|tcp)/, 'ws');
  if (url.startsWith('/')) return `unix://${url}`;
  return /^(\[[\da-f:]+\]|[\w.-]+):\d+(\/|$)/i.test(url) ? `ws://${url}` : undefined;
}

/** The file is read again for each connection, so that a renewed credential is used. */
export function credential(given: GivenFlags): Pick<ConnectOptions, 'token'> {
  const file = given.text('token-file');
  if (file !== undefined) {
    readToken(file);
    return { token: () => readToken(file) };
  }
  const token = tokenFromEnvironment();
  return token === undefined ? {} : { token };
}

function readToken(file: string): string {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CliError(`--token-file ${file}: ${messageOf(error)}`);
  }
  if (token === '') throw new CliError(`--token-file ${file}: the file is empty`);
  return token;
}
