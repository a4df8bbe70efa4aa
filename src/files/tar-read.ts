/**
 * Reads a tar stream member by member, at the pace of its consumer, and refuses what no archive from a friend contains. Knows no file system.
 */
import { Parser } from 'tar/parse';
import { FileError } from './file-error.js';

/** Where a member is put: names below the folder that is unpacked to, none of them `.` or `..`; empty for that folder itself. */
export type MemberPath = readonly Buffer[];

/** One member. */
export type TarMember =
  | {
      readonly kind: 'file';
      readonly path: MemberPath;
      readonly mode: number;
      readonly modifiedAtMs: number | undefined;
    }
  | {
      readonly kind: 'directory';
      readonly path: MemberPath;
      readonly mode: number;
      readonly modifiedAtMs: number | undefined;
    }
  | { readonly kind: 'symlink'; readonly path: MemberPath; readonly target: Buffer }
  /** Another name of a file that came before. */
  | { readonly kind: 'link'; readonly path: MemberPath; readonly target: MemberPath };

/** Takes the members in their order. */
export interface TarConsumer {
  /** A member begins. The stream waits. */
  begin(member: TarMember): Promise<void>;
  /** Bytes of the last file. The stream waits. */
  content(bytes: Buffer): Promise<void>;
  /** The member is complete. */
  end(): Promise<void>;
}

const MAX_MEMBERS = 1_000_000;
const FILE_TYPES = new Set(['File', 'OldFile', 'ContiguousFile']);
const DEFAULT_MODE = 0o644;
const DEFAULT_FOLDER_MODE = 0o755;
const MODE_BITS = 0o777;
/** The parser would unpack these, of any size. */
const COMPRESSED = [Buffer.from([0x1f, 0x8b]), Buffer.from([0x28, 0xb5])];

/** A record of an extended header is `LENGTH KEY=VALUE` and a line break. */
const SPARSE_RECORD = /^\d+ GNU\.sparse\./m;
/** A record whose value goes on in a line that is no record. */
const BROKEN_NAME = /^\d+ (?:path|linkpath)=[^\n]*\n(?!\d+ [^=\n]+=|$)/m;
/** What the parser makes of bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';

type ReadEntry = import('tar/read-entry').ReadEntry;

/** What may be in an archive. */
export interface TarRules {
  /** Whether symbolic links may lead out of the folder. They are never followed while unpacking. Default false. */
  readonly allowsLinksOut?: boolean;
}

/**
 * Reads until the end of the archive, and what follows it, to its end.
 * @throws {FileError} `invalid` for what is no complete tar, or has a hostile member; and what the consumer or the source throws
 */
export async function readTar(
  source: AsyncIterable<Buffer>,
  consumer: TarConsumer,
  rules: TarRules = {},
): Promise<void> {
  const reader = new TarReader(consumer, rules);
  try {
    for await (const chunk of source) await reader.write(chunk);
    await reader.end();
  } finally {
    // The consumer closes what it writes to, so nothing may be under way any more.
    await reader.close();
  }
}

class TarReader {
  readonly #consumer: TarConsumer;
  readonly #rules: TarRules;
  readonly #parser = new Parser({ strict: true });
  #failure: Error | undefined;
  #onFailure: (() => void) | undefined;
  /** What the consumer does at present. */
  #operation: Promise<void> = Promise.resolve();
  #members = 0;
  #hasEnded = false;
  #first: Buffer | undefined = Buffer.alloc(0);

  constructor(consumer: TarConsumer, rules: TarRules) {
    this.#consumer = consumer;
    this.#rules = rules;
    this.#parser.on('entry', (entry: ReadEntry) => this.#begin(entry));
    this.#parser.on('ignoredEntry', ({ path, type }: ReadEntry) => this.#fail(hostile(path, `its type is ${type}`)));
    this.#parser.on('meta', (text: string) => this.#checkRecords(text));
    this.#parser.on('error', (error: Error) => {
      // The parser takes an archive without members for none.
      if (!this.#hasEnded || this.#members > 0) this.#fail(noTar(error.message));
    });
    this.#parser.on('eof', () => {
      this.#hasEnded = true;
    });
  }

  async write(chunk: Buffer): Promise<void> {
    const bytes = this.#withFirst(chunk);
    if (bytes === undefined) return;
    this.#check();
    if (this.#parser.write(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#onFailure = resolve;
      this.#parser.once('drain', resolve);
    });
    this.#check();
  }

  async end(): Promise<void> {
    const first = this.#first;
    if (first !== undefined && first.length > 0) throw noTar('it is too short');
    if (first !== undefined) throw noTar('it is empty');
    await new Promise<void>((resolve) => {
      this.#onFailure = resolve;
      this.#parser.once('end', resolve);
      this.#parser.end();
    });
    await this.#operation.catch(() => {});
    this.#check();
    if (!this.#hasEnded) throw noTar('it ends too early');
  }

  async close(): Promise<void> {
    this.#failure ??= new FileError('invalid', 'the stream was given up');
    this.#parser.removeAllListeners();
    // An error that comes later has nobody to tell.
    this.#parser.on('error', () => {});
    await this.#operation.catch(() => {});
  }

  /** Collects the first bytes, by which a compressed archive is known. */
  #withFirst(chunk: Buffer): Buffer | undefined {
    if (this.#first === undefined) return chunk;
    const bytes = Buffer.concat([this.#first, chunk]);
    if (bytes.length < 2) {
      this.#first = bytes;
      return undefined;
    }
    this.#first = undefined;
    if (COMPRESSED.some((magic) => bytes.subarray(0, 2).equals(magic))) throw noTar('it is compressed');
    return bytes;
  }

  /** The parser drops what is refused here, and would unpack the rest as if it were the whole. */
  #checkRecords(text: string): void {
    if (SPARSE_RECORD.test(text)) this.#fail(refused('a file in it is sparse in the form of pax (GNU.sparse)'));
    if (BROKEN_NAME.test(text)) this.#fail(refused('a name in it has a line break'));
  }

  #begin(entry: ReadEntry): void {
    this.#serve(entry).catch((error: unknown) => {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** The consumer does one thing at a time, and nothing after a failure. */
  #operate(operation: () => Promise<void>): Promise<void> {
    this.#check();
    this.#operation = operation();
    return this.#operation;
  }

  async #serve(entry: ReadEntry): Promise<void> {
    this.#check();
    this.#members += 1;
    if (this.#members > MAX_MEMBERS) throw new FileError('tooLarge', `the tar has more than ${MAX_MEMBERS} members`);
    const member = memberOf(entry, this.#rules);
    await this.#operate(() => this.#consumer.begin(member));
    await this.#contentOf(entry, member.kind === 'file');
    await this.#operate(() => this.#consumer.end());
  }

  /** Hands the bytes on, one piece at a time; the parser waits while the entry is paused. */
  #contentOf(entry: ReadEntry, isWanted: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      entry.on('end', () => resolve());
      entry.on('error', reject);
      entry.on('data', (bytes: Buffer) => {
        if (!isWanted || this.#failure !== undefined) return;
        entry.pause();
        this.#operate(() => this.#consumer.content(bytes)).then(() => entry.resume(), reject);
      });
      entry.resume();
    });
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#onFailure?.();
  }
}

/** @throws {FileError} for a hostile member */
function memberOf(entry: ReadEntry, { allowsLinksOut = false }: TarRules): TarMember {
  const path = namesOf(entry.path, entry.path);
  const modifiedAtMs = entry.mtime?.getTime();
  if (Number.isNaN(modifiedAtMs)) throw hostile(entry.path, 'its time is none');
  if (entry.type === 'Directory') {
    const mode = (entry.mode ?? DEFAULT_FOLDER_MODE) & MODE_BITS;
    return { kind: 'directory', path, mode, modifiedAtMs };
  }
  if (path.length === 0) throw hostile(entry.path, 'it has no name');
  if (FILE_TYPES.has(entry.type)) {
    return { kind: 'file', path, mode: (entry.mode ?? DEFAULT_MODE) & MODE_BITS, modifiedAtMs };
  }
  const target = entry.linkpath ?? '';
  if (target.includes(REPLACEMENT)) throw hostile(entry.path, 'the path that it leads to is no UTF-8');
  if (entry.type === 'Link') return { kind: 'link', path, target: namesOf(target, entry.path) };
  if (entry.type !== 'SymbolicLink') throw hostile(entry.path, `its type is ${entry.type}`);
  if (!allowsLinksOut && !staysInside(target, path.length - 1))
    throw hostile(entry.path, `it is a link to ${target}, which leads out`);
  return { kind: 'symlink', path, target: Buffer.from(target) };
}

/** @throws {FileError} for an absolute path and for one with `..` */
function namesOf(path: string, member: string): Buffer[] {
  if (path.startsWith('/')) throw hostile(member, 'its path is absolute');
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw hostile(member, 'its path has ".."');
  if (path.includes('\0')) throw hostile(member, 'its path has a NUL byte');
  if (path.includes(REPLACEMENT)) throw hostile(member, 'its path is no UTF-8');
  return names.map((name) => Buffer.from(name));
}

/**
 * Whether a link stays in the folder that is unpacked to, whatever it passes through: `..` may only stand at its beginning, where it goes up from
 * a real folder, and no further than that folder is deep. Every other link of the archive does so too, so no way through them leads out.
 */
function staysInside(target: string, depth: number): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0')) return false;
  const names = target.split('/').filter((name) => name !== '' && name !== '.');
  const down = names.findIndex((name) => name !== '..');
  const ups = down === -1 ? names.length : down;
  return ups <= depth && !names.slice(ups).includes('..');
}

function hostile(path: string, why: string): FileError {
  return new FileError('invalid', `nothing was unpacked: member ${JSON.stringify(path)} is refused, because ${why}`);
}

function refused(why: string): FileError {
  return new FileError('invalid', `nothing was unpacked: ${why}`);
}

function noTar(why: string): FileError {
  return new FileError('invalid', `nothing was unpacked: this is no complete tar (${why})`);
}
