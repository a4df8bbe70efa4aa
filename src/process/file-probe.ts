/**
 * Looks at files by path on libuv's pool of threads, never on the event loop. It decides nothing.
 */
import { constants, promises } from 'node:fs';

/** Questions about a path. Each may take as long as the file system needs. A rejection carries the errno as `code`. */
export interface FileProbe {
  /** Symbolic links are followed. */
  kindOf(path: string): Promise<'file' | 'directory' | 'other'>;
  /** Rejects when this process may not execute the file or search the directory. */
  checkExecutable(path: string): Promise<void>;
  /** The first bytes, at most so many. */
  readHead(path: string, bytes: number): Promise<Buffer>;
}

/** Looks with the rights of the server. */
export const serverFiles: FileProbe = {
  async kindOf(path) {
    const stats = await promises.stat(path);
    if (stats.isFile()) return 'file';
    return stats.isDirectory() ? 'directory' : 'other';
  },
  checkExecutable: (path) => promises.access(path, constants.X_OK),
  async readHead(path, bytes) {
    // Without O_NONBLOCK an open waits for the holder of a lease, 45 s by default.
    const file = await promises.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const head = Buffer.alloc(bytes);
      const { bytesRead } = await file.read(head, 0, bytes, 0);
      return head.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  },
};
