/** Makes folders. Knows no wire. */
import { mkdir, stat } from 'node:fs/promises';
import { type FileAccess, holding } from './file-access.js';
import { errnoError, errnoOf, FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, splitPath } from './file-path.js';

/** Before the umask. */
const FOLDER_MODE = 0o777;

/**
 * Makes a folder. With `recursive` its missing parents too, and one that is there is no fault.
 * @throws {FileError} `exists`, with `recursive` only when it is no folder; `notFound` when a parent is missing
 */
export function createDirectory(
  access: FileAccess,
  path: FilePath,
  { recursive, mode = FOLDER_MODE }: { readonly recursive: boolean; readonly mode?: number },
): Promise<void> {
  return filing(() => create(access, absolutePath(path), { recursive, mode }));
}

interface Options {
  readonly recursive: boolean;
  readonly mode: number;
}

async function create(access: FileAccess, path: Buffer, { recursive, mode }: Options): Promise<void> {
  if (access.isRoot(path)) {
    if (!recursive) throw errnoError('EEXIST');
    return;
  }
  try {
    await makeOne(access, path, mode);
  } catch (error) {
    const code = errnoOf(error);
    if (!recursive) throw error;
    if (code === 'EEXIST') return requireFolder(access, path);
    if (code !== 'ENOENT') throw error;
    await create(access, splitPath(path).folder, { recursive, mode: FOLDER_MODE });
    // Another program may have made it meanwhile.
    await makeOne(access, path, mode).catch((again: unknown) =>
      errnoOf(again) === 'EEXIST' ? requireFolder(access, path) : Promise.reject(again),
    );
  }
}

function makeOne(access: FileAccess, path: Buffer, mode: number): Promise<void> {
  return holding(access.enter(path, 'write'), async ({ path: at }) => mkdir(at, { mode }).then(() => {}));
}

async function requireFolder(access: FileAccess, path: Buffer): Promise<void> {
  try {
    const stats = await holding(access.reach(path, 'read'), ({ path: at }) => stat(at));
    if (stats.isDirectory()) return;
  } catch (error) {
    // A link to nothing.
    if (!(error instanceof FileError) && errnoOf(error) !== 'ENOENT') throw error;
  }
  throw errnoError('EEXIST');
}
