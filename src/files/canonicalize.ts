/** Finds out where a path really leads. Knows no wire. */
import { type FileAccess, holding } from './file-access.js';
import { filing } from './file-error.js';
import { absolutePath, type FilePath } from './file-path.js';

/** The path without symbolic links. @throws {FileError} `notFound` */
export function canonicalize(access: FileAccess, path: FilePath): Promise<Buffer> {
  return filing(() => holding(access.reach(absolutePath(path), 'read'), (reached) => reached.realPath()));
}
