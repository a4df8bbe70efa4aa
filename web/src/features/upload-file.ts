/**
 * Brings a file to the server, into a new temporary folder: through the server's files by HTTP, or through a command where it has none. Knows no terminal.
 */
import type { PageServer } from '../ui.js';
import { canBeTyped, remoteName } from './remote-path.js';

/** How an upload goes on. */
export interface UploadOptions {
  readonly signal: AbortSignal;
  /** Is called with the bytes that have gone so far. */
  readonly onProgress: (bytes: number) => void;
}

/** Where `--files` puts uploads. A command asks for its own, which it may be told by TMPDIR. */
const FOLDER = '/tmp';
/** Only its user may read it, as with a file of `mktemp`. */
const FILE_MODE = '0600';
/** Bytes of a random name. */
const NAME_BYTES = 6;
/** Prints the path. The trap keeps no half of a file. */
const RECEIVE = `umask 077
folder=$(mktemp -d "\${TMPDIR:-/tmp}/execwire-XXXXXX") || exit
trap 'rm -rf "$folder"; exit 1' HUP INT TERM
cat >"$folder/$1" && printf %s "$folder/$1"`;

/** Servers that answered without files: asking again would be in vain. */
const withoutFiles = new WeakSet<PageServer>();

/**
 * @returns the path there, which can be typed
 * @throws {Error} a text for the user
 */
export async function uploadFile(server: PageServer, file: File, options: UploadOptions): Promise<string> {
  const name = remoteName(file.name);
  const folder = withoutFiles.has(server) ? undefined : await makeFolder(server, options.signal);
  const path = folder === undefined ? await byCommand(server, file, { name, ...options }) : `${folder}/${name}`;
  if (folder !== undefined) await byHttp(server, file, { path, ...options });
  if (!canBeTyped(path)) throw new Error(`the server put it to a path that cannot be typed: ${JSON.stringify(path)}`);
  return path;
}

/** @returns undefined where the server serves no files, or lets nothing be written there */
async function makeFolder(server: PageServer, signal: AbortSignal): Promise<string | undefined> {
  const random = crypto.getRandomValues(new Uint8Array(NAME_BYTES));
  const folder = `${FOLDER}/execwire-${[...random].map((byte) => byte.toString(36).padStart(2, '0')).join('')}`;
  const answer = await fetch(`${addressOf(server, folder)}?mkdir=1`, {
    method: 'POST',
    headers: headersOf(server),
    signal,
  });
  if (answer.ok) return folder;
  // Servers with files say so with every answer.
  if (!answer.headers.has('x-execwire-files')) withoutFiles.add(server);
  return undefined;
}

/** By the older `XMLHttpRequest`, because `fetch` does not tell how much has gone. @throws {Error} */
function byHttp(
  server: PageServer,
  file: File,
  { path, signal, onProgress }: UploadOptions & { readonly path: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('PUT', `${addressOf(server, path)}?mode=${FILE_MODE}`);
    for (const [name, value] of Object.entries(headersOf(server))) request.setRequestHeader(name, value);
    request.upload.addEventListener('progress', ({ loaded }) => onProgress(loaded));
    request.addEventListener('load', () => {
      if (request.status < 300) resolve();
      else reject(new Error(refusalIn(request.responseText) ?? `the server answered with ${request.status}`));
    });
    request.addEventListener('error', () => reject(new Error('the connection broke')));
    request.addEventListener('abort', () => reject(signal.reason));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}

function refusalIn(body: string): string | undefined {
  try {
    const { message }: { readonly message?: unknown } = JSON.parse(body);
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

/** @throws {Error} */
async function byCommand(
  server: PageServer,
  file: File,
  { name, signal, onProgress }: UploadOptions & { readonly name: string },
): Promise<string> {
  const box = server.box();
  if (box === undefined) throw new Error('there is no connection to the server');
  const command = ['/bin/sh', '-c', RECEIVE, 'sh', name];
  const { stdout, stderr, exitCode } = await box.exec(command, {
    input: counted(file, onProgress),
    reject: false,
    stripFinalNewline: false,
    signal,
  });
  if (signal.aborted) throw signal.reason;
  if (exitCode !== 0) throw new Error(stderr.trim() || 'the command that takes it has failed');
  return stdout;
}

/** The bytes of a file, which wait until the server takes them. */
async function* counted(file: File, onProgress: (bytes: number) => void): AsyncGenerator<Uint8Array, void, void> {
  let sent = 0;
  const reader = file.stream().getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
      sent += value.length;
      onProgress(sent);
    }
  } finally {
    await reader.cancel();
  }
}

function addressOf({ httpBase }: PageServer, path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return new URL(`files${encoded}`, httpBase).href;
}

function headersOf(server: PageServer): Record<string, string> {
  const token = server.token();
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
