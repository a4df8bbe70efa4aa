/**
 * Knows the server's own secret files by what they are, not by their names, so that no link and no other path leads to them. Also refuses what /proc
 * shows of the memory and the environment of processes. Knows no operation.
 */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, readlink, realpath, stat, statfs } from 'node:fs/promises';
import { FileError } from './file-error.js';
import { pathBelow } from './file-path.js';

/** Type of the file systems at /proc (linux/magic.h). */
const PROC_SUPER_MAGIC = 0x9fa0;
/** Memory, environment and initial data of a process, and the memory of the machine. */
const SECRETS_OF_PROC = /^(mem|environ|auxv|kcore|kpage[a-z]*)$/;
/** Identities that are remembered: a secret that was replaced stays secret, because it may have been moved. */
const MAX_REMEMBERED = 1000;

/** The secrets of one server. */
export class SecretFiles {
  readonly #paths: readonly string[];
  /** Of the secrets that were seen. */
  readonly #identities = new Set<string>();
  /** File systems that were asked for their type, by device. */
  readonly #isProc = new Map<bigint, boolean>();

  /** @param paths absolute paths of the server's token, key and secret files */
  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** @throws {FileError} `denied` if the content of the file is secret */
  async checkContent(handle: FileHandle, stats: BigIntStats): Promise<void> {
    await this.#checkIdentity(stats);
    if (!(await this.#isOnProc(handle, stats))) return;
    const name = (await readlink(`/proc/self/fd/${handle.fd}`)).split('/').at(-1) ?? '';
    if (SECRETS_OF_PROC.test(name)) throw denied();
  }

  /** @throws {FileError} `denied` if it is a secret, or a folder with one in it */
  async checkChange(stats: BigIntStats, realPath?: () => Promise<Buffer>): Promise<void> {
    if (this.#paths.length === 0) return;
    await this.#checkIdentity(stats);
    if (realPath === undefined || !stats.isDirectory()) return;
    const folder = await realPath();
    for (const path of this.#paths) {
      for (const secret of [Buffer.from(path), await realpath(path, { encoding: 'buffer' }).catch(() => undefined)]) {
        if (secret !== undefined && pathBelow(secret, folder) !== undefined) throw denied();
      }
    }
  }

  async #checkIdentity(stats: BigIntStats): Promise<void> {
    if (this.#paths.length === 0) return;
    for (const path of this.#paths) {
      const present = await stat(path, { bigint: true }).catch(() => undefined);
      if (present !== undefined) this.#remember(identityOf(present));
    }
    if (this.#identities.has(identityOf(stats))) throw denied();
  }

  #remember(identity: string): void {
    this.#identities.delete(identity);
    this.#identities.add(identity);
    for (const oldest of this.#identities) {
      if (this.#identities.size <= MAX_REMEMBERED) return;
      this.#identities.delete(oldest);
    }
  }

  async #isOnProc(handle: FileHandle, { dev }: BigIntStats): Promise<boolean> {
    if (process.platform !== 'linux') return false;
    const known = this.#isProc.get(dev);
    if (known !== undefined) return known;
    const isProc = (await statfs(`/proc/self/fd/${handle.fd}`)).type === PROC_SUPER_MAGIC;
    this.#isProc.set(dev, isProc);
    return isProc;
  }
}

/** With the time of birth, because the number of a file that was removed is given to another one. */
function identityOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`;
}

function denied(): FileError {
  return new FileError('denied', 'Permission denied (os error 13)', { errno: 'EACCES' });
}
