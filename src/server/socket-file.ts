/**
 * The file of a Unix socket: how a server takes its name and removes it. A server binds to another name beside it and then takes the name by a hard
 * link, which only one of two simultaneous starts can make. An existing file is removed only when certainly no server listens on it. Knows no protocol.
 *
 *     bind beside ─► link to the name ──────────────────────────────► taken
 *                       └─ exists ─► lock, probe ─► stale: remove ─► link again
 *                                                └► anything else: an error
 */
import { randomBytes } from 'node:crypto';
import { closeSync, linkSync, lstatSync, openSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { MAX_SOCKET_PATH_BYTES } from '../config/listen-address.js';
import { loadLibc } from '../process/libc.js';

/**
 * Only the server's own user may connect (mode 0600), from the first moment: a chmod after the bind would leave a gap and would follow a link. A
 * default access list of the folder cannot widen this, because the kernel applies the mask to a socket first.
 */
const SOCKET_UMASK = 0o177;
/** Two starts compete for some milliseconds. A lock that is held longer belongs to another program. */
const LOCK_TIMEOUT_MS = 5000;
const LOCK_RETRY_MS = 20;
/** If the name appears and goes more often than this, another program is at work there. */
const MAX_TRIES = 10;
/** Answers of file systems without hard links (FUSE, vfat, some kinds of 9p). */
const NO_LINKS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV']);

/** A name that cannot be taken. The message gives the reason, without the path. */
export class SocketFileError extends Error {}

/** A name that was taken. */
export interface SocketFile {
  /** Removes the name, unless it belongs to another server by now. */
  remove(): void;
}

/**
 * Has a socket bound and gives it its name.
 * @param bind binds and listens on the path it is given
 * @throws {SocketFileError} when the name cannot be taken, and every error of `bind`
 */
export async function takeSocketFile(path: string, bind: (path: string) => Promise<void>): Promise<SocketFile> {
  const own = join(dirname(path), `.${randomBytes(4).toString('hex')}.sock`);
  await bindBeside(own, bind);
  try {
    for (let tries = 1; !giveName(own, path); tries += 1) {
      if (tries > MAX_TRIES) throw new SocketFileError('another program creates and removes it again and again');
      await removeStale(path);
    }
    return ownedFile(path);
  } finally {
    removeQuietly(own);
  }
}

async function bindBeside(own: string, bind: (path: string) => Promise<void>): Promise<void> {
  const fd = Buffer.byteLength(own) > MAX_SOCKET_PATH_BYTES ? openSync(dirname(own), 'r') : undefined;
  const umask = process.umask(SOCKET_UMASK);
  try {
    // The same file by a path that is short enough for a socket address.
    await bind(fd === undefined ? own : `/proc/self/fd/${fd}/${basename(own)}`);
  } finally {
    process.umask(umask);
    if (fd !== undefined) closeSync(fd);
  }
}

/** @returns false when the name exists already */
function giveName(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.has(code)) throw error;
    if (statOf(path) !== undefined) return false;
    renameSync(own, path);
    return true;
  }
}

function ownedFile(path: string): SocketFile {
  const own = statOf(path);
  return {
    remove() {
      const present = statOf(path);
      if (own !== undefined && present !== undefined && isSameFile(own, present)) removeQuietly(path);
    },
  };
}

/** Removes a socket that a killed server left behind. */
async function removeStale(path: string): Promise<void> {
  const unlock = await lockFolderOf(path);
  try {
    const found = statOf(path);
    if (found === undefined) return;
    if (!found.isSocket()) throw new SocketFileError('a file that is no socket is in the way');
    const answer = await probe(path);
    if (answer === 'connected') throw new SocketFileError('another server is listening there');
    if (answer !== 'ECONNREFUSED' && answer !== 'ENOENT') {
      throw new SocketFileError(
        `whether a server is listening there cannot be told (${answer}); if none is, remove the file`,
      );
    }
    const present = statOf(path);
    if (present !== undefined && isSameFile(found, present)) unlinkSync(path);
  } finally {
    unlock();
  }
}

/** The outcome of a connection: `connected`, or the name of the error. */
function probe(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      resolve('connected');
      socket.destroy();
    });
    socket.once('error', (error) => resolve(codeOf(error)));
  });
}

/**
 * Lets one start at a time decide whether a file is stale. Otherwise a third start could take the name after another start has found it stale and before
 * it removes it. The kernel releases the lock when the process ends. If libc cannot be called there is no lock, and that gap of a millisecond stays.
 */
async function lockFolderOf(path: string): Promise<() => void> {
  const { tryLock } = await loadLibc();
  if (tryLock === undefined) return () => {};
  const fd = openSync(dirname(path), 'r');
  const unlock = (): void => closeSync(fd);
  const deadlineMs = performance.now() + LOCK_TIMEOUT_MS;
  while (!tryLock(fd)) {
    if (performance.now() > deadlineMs) {
      unlock();
      throw new SocketFileError('its folder is locked by another process (flock)');
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
  }
  return unlock;
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function isSameFile(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The file or its folder is gone already.
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
