/** Serves files over HTTP requests: what each verb does with a path, and the answer as status, headers and body. Knows no Fastify and no credential. */
import type { BigIntStats } from 'node:fs';
import { Readable } from 'node:stream';
import type { FileTurns } from '../dialects/app-server-fs/file-turns.js';
import { createDirectory } from '../files/create-directory.js';
import type { FileAccess } from '../files/file-access.js';
import { readMetadata } from '../files/metadata.js';
import { move } from '../files/move.js';
import { exactSize, openFile } from '../files/read-file.js';
import { remove } from '../files/remove.js';
import { beginWrite } from '../files/write-file.js';
import {
  asksForTar,
  checkQuery,
  isOn,
  modeOf,
  type Named,
  prefixOf,
  refuseHeaders,
  TAR,
  timesOf,
} from './file-query.js';
import { type Conditions, checkConditions, entityTag, HttpRefusal, names, rangeOf } from './file-transfer.js';

/** Bytes of one read: a whole file of any size goes through with a few of them in memory. */
const CHUNK_BYTES = 256 * 1024;
/** Headers that are about one file. */
const ONE_FILE_HEADERS = ['if-match', 'if-none-match'];
/** Names of what was left out of a tar that a trailer tells, in bytes: a client bounds all headers to 16 KiB. */
const MAX_TOLD_BYTES = 4096;

/** What of a request matters here. */
export interface FileRequest {
  /** Stands for the client: its operations have turns. */
  readonly client: object;
  /** Absolute path. */
  readonly path: string;
  readonly headers: Named;
  readonly query: Named;
}

/** What to answer. */
export interface FileAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined for none. To be read to its end, or destroyed. */
  readonly body?: Readable;
  /** Bytes of the body that were read so far. */
  readonly sentBytes?: () => number;
  /** Headers behind the body, asked for at its end. */
  readonly trailers?: () => Readonly<Record<string, string>>;
}

/** A page of a browser must neither guess what the content is nor run it. */
const HARMLESS = {
  'content-type': 'application/octet-stream',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "sandbox; default-src 'none'",
  'cache-control': 'no-cache',
} as const;

/** Answers requests for files. */
export class FileRequests {
  readonly #access: FileAccess;
  readonly #turns: FileTurns;

  constructor(access: FileAccess, turns: FileTurns) {
    this.#access = access;
    this.#turns = turns;
  }

  /** `GET` and `HEAD`. @param wantsBody false for `HEAD` @throws {HttpRefusal | FileError} */
  async read(request: FileRequest, wantsBody: boolean): Promise<FileAnswer> {
    if (asksForTar(request.headers.accept)) return this.#readTar(request, wantsBody);
    checkQuery(request.query, 'GET of a file', []);
    const { handle, stats } = await this.#turns.quick(request.client, async () => {
      const { isDirectory } = await readMetadata(this.#access, request.path);
      if (isDirectory) throw new HttpRefusal(409, 'isADirectory', `it is a folder: ask for it with Accept: ${TAR}`);
      return openFile(this.#access, request.path);
    });
    try {
      const tag = entityTag(stats);
      const headers = { ...HARMLESS, etag: tag, 'accept-ranges': 'bytes', 'last-modified': stats.mtime.toUTCString() };
      const { ifMatch, ifNoneMatch } = conditionsOf(request);
      checkConditions({ ifMatch, ifNoneMatch: undefined }, tag);
      if (ifNoneMatch !== undefined && names(ifNoneMatch, tag)) {
        await handle.close();
        return { status: 304, headers };
      }
      const size = exactSize(stats);
      const answer = rangedAnswer(request, { size, tag, headers });
      if (!wantsBody) {
        await handle.close();
        return answer;
      }
      // A file of /proc says 0 and has content; it is read to its end.
      const part = size === 0 ? {} : { start: answer.first, end: answer.last };
      const body = handle.createReadStream({ ...part, highWaterMark: CHUNK_BYTES });
      return { ...answer, body, sentBytes: () => body.bytesRead };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** `PUT`. The old file stays as it is until the last byte has come. @throws {HttpRefusal | FileError} and what the body throws when it breaks off */
  async write(request: FileRequest, body: AsyncIterable<Buffer>): Promise<FileAnswer> {
    const [type = ''] = (request.headers['content-type'] ?? '').split(';');
    // A piece of a file, which would replace the whole.
    refuseHeaders(request.headers, 'PUT', ['content-range']);
    if (type.trim().toLowerCase() === TAR) {
      checkQuery(request.query, 'PUT of a tar', []);
      refuseHeaders(request.headers, 'PUT of a tar', ONE_FILE_HEADERS);
      const { unpackTar } = await import('../files/tar-unpack.js');
      await this.#waitForAnswer(request);
      await unpackTar(this.#access, { path: request.path, source: body });
      return { status: 204, headers: {} };
    }
    checkQuery(request.query, 'PUT of a file', ['mode', 'mtime']);
    const conditions = conditionsOf(request);
    const times = timesOf(request.query);
    let isNew = false;
    const options = {
      mode: modeOf(request.query),
      check(present: BigIntStats | undefined): void {
        isNew = present === undefined;
        checkConditions(conditions, tagOf(present));
      },
    };
    const pending = await this.#turns.quick(request.client, () => beginWrite(this.#access, request.path, options));
    try {
      for await (const chunk of body) await pending.write(chunk);
      const stats = await pending.commit(times);
      return { status: isNew ? 201 : 204, headers: { etag: entityTag(stats) } };
    } catch (error) {
      await pending.abort();
      throw error;
    }
  }

  /** `DELETE`. @throws {HttpRefusal | FileError} */
  async remove(request: FileRequest): Promise<FileAnswer> {
    checkQuery(request.query, 'DELETE', ['recursive']);
    const recursive = isOn(request.query, 'recursive');
    const conditions = conditionsOf(request);
    const check = (present: BigIntStats | undefined): void => checkConditions(conditions, tagOf(present));
    await this.#turns.changing(request.client, () =>
      remove(this.#access, request.path, { recursive, force: false, check }),
    );
    return { status: 204, headers: {} };
  }

  /** `POST`: `?mkdir=1` or `?move=PATH`. @throws {HttpRefusal | FileError} */
  async change({ path, query, client, headers }: FileRequest): Promise<FileAnswer> {
    refuseHeaders(headers, 'POST', ONE_FILE_HEADERS);
    if (isOn(query, 'mkdir')) {
      checkQuery(query, 'POST ?mkdir=1', ['mkdir', 'recursive', 'mode']);
      const mode = modeOf(query);
      const options = { recursive: isOn(query, 'recursive'), ...(mode === undefined ? {} : { mode }) };
      await this.#turns.quick(client, () => createDirectory(this.#access, path, options));
      return { status: 201, headers: {} };
    }
    if (query.move !== undefined) {
      checkQuery(query, 'POST ?move=PATH', ['move', 'overwrite']);
      const between = { from: path, to: query.move };
      const overwrite = isOn(query, 'overwrite');
      await this.#turns.quick(client, () => move(this.#access, between, { overwrite }));
      return { status: 204, headers: {} };
    }
    throw new HttpRefusal(400, 'invalid', 'POST takes ?mkdir=1 or ?move=PATH');
  }

  async #readTar({ path, query, client, headers: asked }: FileRequest, wantsBody: boolean): Promise<FileAnswer> {
    checkQuery(query, 'GET of a tar', ['prefix', 'check']);
    refuseHeaders(asked, 'GET of a tar', ONE_FILE_HEADERS);
    const prefix = prefixOf(query);
    const { packTar } = await import('../files/tar-pack.js');
    const leftOut = new LeftOut();
    const skipsContent = isOn(query, 'check');
    const options = { prefix, skipsContent, onLeftOut: (name: string) => leftOut.add(name) };
    const { isFolder, pieces, close } = await this.#turns.quick(client, () => packTar(this.#access, path, options));
    const headers = { ...HARMLESS, 'content-type': TAR, 'x-execwire-kind': isFolder ? 'folder' : 'file' };
    if (skipsContent) {
      // Reads the headers to their end, so that what cannot be packed is said in the answer.
      try {
        for await (const _header of pieces);
      } finally {
        await close();
      }
      return { status: 204, headers };
    }
    if (!wantsBody) {
      await close();
      return { status: 200, headers };
    }
    let sent = 0;
    const counted = async function* (): AsyncGenerator<Buffer, void, void> {
      for await (const piece of pieces) {
        sent += piece.length;
        yield piece;
      }
    };
    const body = Readable.from(counted(), { objectMode: false });
    body.once('close', () => void close());
    return { status: 200, headers, body, sentBytes: () => sent, trailers: () => leftOut.trailers() };
  }

  /** A file system that does not answer is found out in a turn, so that it holds no further thread. */
  async #waitForAnswer({ path, client }: FileRequest): Promise<void> {
    await this.#turns.quick(client, () => readMetadata(this.#access, path).catch(() => {}));
  }
}

/** What a tar does not have, as its trailer tells it. */
class LeftOut {
  #count = 0;
  readonly #names: string[] = [];
  #bytes = 0;

  add(name: string): void {
    this.#count += 1;
    const encoded = encodeURIComponent(name);
    this.#bytes += encoded.length + 1;
    if (this.#bytes <= MAX_TOLD_BYTES) this.#names.push(encoded);
  }

  trailers(): Record<string, string> {
    if (this.#count === 0) return {};
    return { 'x-execwire-left-out': String(this.#count), 'x-execwire-left-out-names': this.#names.join(',') };
  }
}

interface Content {
  readonly size: number;
  readonly tag: string;
  readonly headers: Readonly<Record<string, string>>;
}

function rangedAnswer(
  { headers: { range, 'if-range': ifRange } }: FileRequest,
  { size, tag, headers }: Content,
): FileAnswer & { readonly first: number; readonly last: number } {
  // With If-Range the part is wanted only of this very content.
  const isWanted = ifRange === undefined || ifRange.trim() === tag;
  // A file of /proc says 0 and has content, of which no part can be named.
  const asked = isWanted && size > 0 ? range : undefined;
  const part = rangeOf(asked, size);
  if (part === undefined) {
    const length = size === 0 ? {} : { 'content-length': String(size) };
    return { status: 200, headers: { ...headers, ...length }, first: 0, last: Math.max(0, size - 1) };
  }
  const { first, last } = part;
  return {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(last - first + 1),
      'content-range': `bytes ${first}-${last}/${size}`,
    },
    first,
    last,
  };
}

function tagOf(present: BigIntStats | undefined): string | undefined {
  return present === undefined ? undefined : entityTag(present);
}

function conditionsOf({ headers }: FileRequest): Conditions {
  return { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] };
}
