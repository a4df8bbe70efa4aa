/**
 * Opens a path that may not leave a folder: openat2(2) with RESOLVE_BENEATH, on a thread of libuv's pool, because a file system may not answer. It
 * knows no roots and decides nothing.
 */
import { getSystemErrorName } from 'node:util';
import type { LibraryHandle } from 'koffi';

/** openat2(2) has this number on every architecture (asm-generic/unistd.h). Linux 5.6. */
const SYS_OPENAT2 = 437;
/** linux/openat2.h. */
const RESOLVE_NO_SYMLINKS = 4n;
const RESOLVE_BENEATH = 8n;
/** `struct open_how`: flags, mode, resolve. */
const OPEN_HOW_BYTES = 24;
/** O_PATH | O_CLOEXEC: names the file and opens nothing that a device or a pipe would notice. */
const OPEN_PATH = 0o10000000n | 0o2000000n;

/** What {@link OpenBeneath} is told. */
export interface BeneathOptions {
  /** Whether a symbolic link on the way, or at the end, is followed within the folder. */
  readonly followsLinks: boolean;
}

/**
 * Opens a path for reference (O_PATH), close-on-exec. The caller closes the descriptor.
 * @param path relative to the folder, at least one byte
 * @returns the descriptor, or the name of the error: `EXDEV` when the path leads out of the folder or through an absolute link, `EAGAIN` when
 *   something was renamed meanwhile
 */
export type OpenBeneath = (folder: number, path: Buffer, options: BeneathOptions) => Promise<number | string>;

interface OpenAt2 {
  async(
    ...args: [number, number, Buffer, Buffer, number, done: (error: Error | null, result: number | bigint) => void]
  ): void;
}

/** @param errno the last error of this thread; in a callback it is that of the call that was made */
export function openBeneathCall(lib: LibraryHandle, errno: () => number): OpenBeneath {
  const openAt2 = lib.func(
    'long syscall(long number, long folder, void *path, void *how, size_t size)',
  ) as unknown as OpenAt2;
  return (folder, path, { followsLinks }) => {
    const how = Buffer.alloc(OPEN_HOW_BYTES);
    how.writeBigUInt64LE(OPEN_PATH, 0);
    how.writeBigUInt64LE(followsLinks ? RESOLVE_BENEATH : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, 16);
    const name = Buffer.concat([path, Buffer.alloc(1)]);
    return new Promise((resolve, reject) => {
      openAt2.async(SYS_OPENAT2, folder, name, how, OPEN_HOW_BYTES, (error, result) => {
        if (error !== null) reject(error);
        else resolve(Number(result) >= 0 ? Number(result) : getSystemErrorName(-errno()));
      });
    });
  };
}
