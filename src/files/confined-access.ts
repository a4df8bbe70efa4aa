/**
 * Comes to files without ever leaving certain roots, whatever is renamed or linked meanwhile. A path is opened by one call that the kernel confines
 * (openat2 with RESOLVE_BENEATH); each later step names an entry of an open folder by /proc/self/fd/N/NAME and follows no link. Knows no operation.
 */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, realpath } from 'node:fs/promises';
import type { Entry, FileAccess, Folder, Purpose, Reached } from './file-access.js';
import { errnoError, FileError } from './file-error.js';
import { absolutePath, joinPath, pathBelow, splitPath } from './file-path.js';
import {
  canNameDescriptors,
  closeReference,
  descriptorPath,
  openFolderAt,
  openFolderEntry,
  openReference,
  realPathOfDescriptor,
} from './open-folder.js';
import { PlainAccess } from './plain-access.js';
import type { SecretFiles } from './secret-files.js';

/** Opens a path beneath an open folder for reference; see `openBeneath` of the C library. @returns a descriptor, or the name of the error */
export type OpenBeneath = (
  folder: number,
  path: Buffer,
  options: { readonly followsLinks: boolean },
) => Promise<number | string>;

/** A rename anywhere on the machine can interrupt the call where a path has `..`; links may contain it. */
const MAX_TRIES = 64;
/** What is meant by the folder itself. */
const SELF = Buffer.from('.');

export interface ConfinedAccessOptions {
  /** Folders that may be read; undefined for every path. */
  readonly readRoots: readonly string[] | undefined;
  /** Folders that may be changed; undefined for every path. */
  readonly writeRoots: readonly string[] | undefined;
  /** Names that may not be changed in the first level of a root that may be. */
  readonly protectedNames?: readonly string[];
  readonly secrets: SecretFiles;
  readonly openBeneath: OpenBeneath | undefined;
}

interface Root {
  /** As the operator or client wrote it, cleaned. */
  readonly given: Buffer;
  /** Without links. */
  readonly real: Buffer;
  readonly fd: number;
}

/** Why files cannot be confined here. The message says what is missing. */
export class ConfinementError extends Error {
  override readonly name = 'ConfinementError';
}

/** Confines operations to roots. `close` gives the roots' descriptors back. */
export class ConfinedAccess implements FileAccess {
  readonly roots: readonly string[] | undefined;
  readonly #roots: { readonly read: readonly Root[] | undefined; readonly write: readonly Root[] | undefined };
  readonly #protectedNames: ReadonlySet<string>;
  readonly #plain: PlainAccess;
  readonly #secrets: SecretFiles;
  readonly #openBeneath: OpenBeneath;

  private constructor(
    options: ConfinedAccessOptions & { readonly openBeneath: OpenBeneath },
    roots: { read: readonly Root[] | undefined; write: readonly Root[] | undefined },
  ) {
    this.#roots = roots;
    this.roots = roots.read?.map(({ real }) => real.toString());
    this.#protectedNames = new Set(options.protectedNames ?? []);
    this.#secrets = options.secrets;
    this.#plain = new PlainAccess(options.secrets);
    this.#openBeneath = options.openBeneath;
  }

  /** @throws {ConfinementError} when this host cannot confine, or a root cannot be opened */
  static async open(options: ConfinedAccessOptions): Promise<ConfinedAccess> {
    const { openBeneath } = options;
    if (openBeneath === undefined) throw new ConfinementError('the C library cannot be called (Linux with glibc)');
    if (!canNameDescriptors()) throw new ConfinementError('/proc is not mounted');
    const opened: Root[] = [];
    const openAll = async (paths: readonly string[] | undefined): Promise<Root[] | undefined> => {
      if (paths === undefined) return undefined;
      const roots: Root[] = [];
      for (const path of paths) {
        const root = await openRoot(path);
        opened.push(root);
        roots.push(root);
        const probe = await openBeneath(root.fd, SELF, { followsLinks: true });
        if (typeof probe === 'string')
          throw new ConfinementError(`openat2(2) does not work (${probe}); Linux 5.6 has it`);
        await closeReference(probe);
      }
      return roots;
    };
    try {
      const read = await openAll(options.readRoots);
      const write = options.writeRoots === options.readRoots ? read : await openAll(options.writeRoots);
      return new ConfinedAccess({ ...options, openBeneath }, { read, write });
    } catch (error) {
      await Promise.all(opened.map(({ fd }) => closeReference(fd)));
      throw error;
    }
  }

  /** To be called once, when no operation runs any more. */
  async close(): Promise<void> {
    const descriptors = new Set([...(this.#roots.read ?? []), ...(this.#roots.write ?? [])].map(({ fd }) => fd));
    await Promise.all([...descriptors].map(closeReference));
  }

  isRoot(path: Buffer): boolean {
    const roots = [...(this.#roots.read ?? []), ...(this.#roots.write ?? [])];
    return this.#plain.isRoot(path) || roots.some(({ given, real }) => given.equals(path) || real.equals(path));
  }

  async reach(path: Buffer, purpose: Purpose): Promise<Reached> {
    const roots = this.#roots[purpose];
    if (roots === undefined) return this.#plain.reach(path);
    const fd = await this.#openFor(purpose, roots, path);
    const reached = {
      path: descriptorPath(fd),
      realPath: () => realPathOfDescriptor(fd),
      close: () => closeReference(fd),
    };
    if (purpose === 'write') await this.#refuseProtected(reached, reached.realPath);
    return reached;
  }

  async enter(path: Buffer, purpose: Purpose): Promise<Entry> {
    const roots = this.#roots[purpose];
    if (roots === undefined) return this.#plain.enter(path);
    if (this.isRoot(path)) throw new FileError('denied', 'a root folder itself cannot be changed');
    const { folder, name } = splitPath(path);
    const fd = await this.#openFor(purpose, roots, folder);
    const at = descriptorPath(fd);
    const entry = {
      path: joinPath(at, name),
      name,
      folder: at,
      sibling: (other: Buffer) => joinPath(at, other),
      realFolder: () => realPathOfDescriptor(fd),
      openFolder: () => openFolderEntry(joinPath(at, name)),
      close: () => closeReference(fd),
    };
    if (purpose === 'write') await this.#refuseProtected(entry, async () => joinPath(await entry.realFolder(), name));
    return entry;
  }

  async openFolder(path: Buffer, purpose: Purpose): Promise<Folder> {
    const roots = this.#roots[purpose];
    if (roots === undefined) return this.#plain.openFolder(path);
    const fd = await this.#openFor(purpose, roots, path);
    let folder: Folder;
    try {
      folder = await openFolderAt(joinPath(descriptorPath(fd), SELF));
      if (purpose === 'write') await this.#refuseProtected(folder, () => realPathOfDescriptor(fd));
    } finally {
      await closeReference(fd);
    }
    return folder;
  }

  checkContent(handle: FileHandle, stats: BigIntStats): Promise<void> {
    return this.#secrets.checkContent(handle, stats);
  }

  checkChange(stats: BigIntStats, realPath?: () => Promise<Buffer>): Promise<void> {
    return this.#secrets.checkChange(stats, realPath);
  }

  /** As `#open`; where only reading is allowed, the refusal of a change says so. @throws {FileError} */
  async #openFor(purpose: Purpose, roots: readonly Root[], path: Buffer): Promise<number> {
    try {
      return await this.#open(roots, path);
    } catch (error) {
      const isOutside = error instanceof FileError && error.reason === 'outsideRoot';
      if (!isOutside || purpose === 'read' || !(await this.#mayBeRead(path))) throw error;
      throw new FileError('readOnly', 'the sandbox policy of this server lets this path be read, and not changed');
    }
  }

  /** Whether a path that may not be changed is one that may be read. */
  async #mayBeRead(path: Buffer): Promise<boolean> {
    if (this.#roots.read === undefined) return true;
    try {
      await closeReference(await this.#open(this.#roots.read, path));
      return true;
    } catch (error) {
      if (error instanceof FileError) return false;
      throw error;
    }
  }

  /** @returns a descriptor for reference. @throws {FileError} `outsideRoot`, and those of the operating system */
  async #open(roots: readonly Root[], path: Buffer): Promise<number> {
    const located = locate(roots, path);
    const opened = await this.#tryOpen(located.root, located.below, true);
    if (typeof opened === 'number') return opened;
    if (opened !== 'EXDEV') throw errnoError(opened);
    // An absolute link may lead to a place in a root. Only the name of that place is taken from here: the kernel confines this open, too.
    const real = await realpath(joinPath(located.root.real, located.below), { encoding: 'buffer' }).catch(
      () => undefined,
    );
    if (real === undefined) throw outside();
    const again = locate(roots, real as Buffer);
    const reopened = await this.#tryOpen(again.root, again.below, false);
    if (typeof reopened === 'number') return reopened;
    throw reopened === 'EXDEV' || reopened === 'ELOOP' ? outside() : errnoError(reopened);
  }

  async #tryOpen(root: Root, below: Buffer, followsLinks: boolean): Promise<number | string> {
    for (let tries = 1; ; tries += 1) {
      const opened = await this.#openBeneath(root.fd, below, { followsLinks });
      if (opened !== 'EAGAIN' || tries === MAX_TRIES) return opened;
    }
  }

  /** Closes what was come to when it is protected. */
  async #refuseProtected(held: { close(): Promise<void> }, realPath: () => Promise<Buffer>): Promise<void> {
    try {
      if (this.#protectedNames.size > 0) this.#checkProtected(await realPath());
    } catch (error) {
      await held.close();
      throw error;
    }
  }

  #checkProtected(path: Buffer): void {
    for (const { real } of this.#roots.write ?? []) {
      const below = pathBelow(path, real);
      const first = below?.toString('latin1').split('/')[0];
      if (first !== undefined && this.#protectedNames.has(first)) {
        throw new FileError('denied', `${first} is protected by the sandbox policy of this server`);
      }
    }
  }
}

async function openRoot(path: string): Promise<Root> {
  try {
    const given = absolutePath(path);
    const fd = await openReference(given);
    // Refuses what is no folder.
    await (await openFolderAt(descriptorPath(fd))).close();
    return { given, real: await realPathOfDescriptor(fd), fd };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfinementError(`${path} cannot be opened as a folder: ${reason}`);
  }
}

/** The root that a path names, and the path in it. @throws {FileError} `outsideRoot` */
function locate(roots: readonly Root[], path: Buffer): { readonly root: Root; readonly below: Buffer } {
  let found: { readonly root: Root; readonly below: Buffer } | undefined;
  for (const root of roots) {
    const below = pathBelow(path, root.real) ?? pathBelow(path, root.given);
    if (below === undefined) continue;
    // The innermost of several.
    if (found === undefined || below.length < found.below.length)
      found = { root, below: below.length === 0 ? SELF : below };
  }
  if (found === undefined) throw outside();
  return found;
}

function outside(): FileError {
  return new FileError('outsideRoot', 'the path leads out of the folders that this server serves');
}
