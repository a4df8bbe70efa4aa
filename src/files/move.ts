/** Gives a file or folder another name. Knows no wire. */
import { link, lstat, rename, unlink } from 'node:fs/promises';
import { type Entry, type FileAccess, holding } from './file-access.js';
import { errnoError, errnoOf, FileError, filing } from './file-error.js';
import { absolutePath, type FilePath, joinPath } from './file-path.js';
import { checkReplaceable, lstatIfThere } from './lstat-if-there.js';
import { inTurn } from './name-turns.js';

/** File systems without hard links answer with one of these. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS']);

export interface MoveOptions {
  /** Whether a file that is there is replaced. Default false: nothing is ever replaced. */
  readonly overwrite?: boolean;
}

/**
 * Moves a file, a folder or a symbolic link; of a link the link itself.
 * @throws {FileError} `exists`; `invalid` for a folder into itself; `notAFile` for a device, a pipe or a socket that would be replaced; `otherDevice` when both are on different file systems: copy it and remove it there
 */
export function move(
  access: FileAccess,
  { from, to }: { readonly from: FilePath; readonly to: FilePath },
  { overwrite = false }: MoveOptions = {},
): Promise<void> {
  return filing(() =>
    holding(access.enter(absolutePath(from), 'write'), (source) =>
      holding(access.enter(absolutePath(to), 'write'), (target) =>
        inTurn([source, target], () => moveEntry(access, { source, target, overwrite })),
      ),
    ),
  );
}

async function moveEntry(
  access: FileAccess,
  { source, target, overwrite }: { source: Entry; target: Entry; overwrite: boolean },
): Promise<void> {
  const stats = await lstat(source.path, { bigint: true });
  await access.checkChange(stats, async () => joinPath(await source.realFolder(), source.name));
  const present = await lstatIfThere(target.path);
  if (present !== undefined) {
    if (!overwrite) throw errnoError('EEXIST');
    checkReplaceable(present);
    await access.checkChange(present, async () => joinPath(await target.realFolder(), target.name));
  }
  if (!overwrite && !stats.isDirectory() && (await linkAndUnlink(source, target))) return;
  try {
    await rename(source.path, target.path);
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw error;
    throw new FileError('invalid', 'a folder cannot be moved into itself', { cause: error, errno: 'EINVAL' });
  }
}

/** Unlike a rename, a link fails when something has the name meanwhile. @returns false where there are no hard links */
async function linkAndUnlink(source: Entry, target: Entry): Promise<boolean> {
  try {
    await link(source.path, target.path);
  } catch (error) {
    if (NO_LINKS.has(errnoOf(error) ?? '')) return false;
    throw error;
  }
  await unlink(source.path);
  return true;
}
