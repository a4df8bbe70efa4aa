/** Looks at a name that may be nothing's, links not followed, and says whether what has it may be replaced. Knows no operation. */
import type { BigIntStats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { errnoOf, FileError } from './file-error.js';

/** @returns undefined when nothing has the name */
export async function lstatIfThere(path: Buffer): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Refuses what no file may take the place of: programs use it by its name. @throws {FileError} `notAFile` for a device, a pipe or a socket */
export function checkReplaceable(present: BigIntStats, path = 'the path'): void {
  if (present.isFile() || present.isDirectory() || present.isSymbolicLink()) return;
  throw new FileError('notAFile', `${path} is a device, a pipe or a socket, which is not replaced`);
}
