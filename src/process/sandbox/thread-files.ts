/**
 * Looks at files on the calling thread, with the rights on files that this thread has. It decides nothing.
 *
 * Only synchronous calls: libuv's pool has the rights of the server.
 */
import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import type { FileProbe } from '../file-probe.js';
import type { KernelCalls } from './kernel-calls.js';

/** A call returns only when the file system answers. */
export function threadFiles(calls: Pick<KernelCalls, 'checkExecutable'>): FileProbe {
  return {
    async kindOf(path) {
      const stats = statSync(path);
      if (stats.isFile()) return 'file';
      return stats.isDirectory() ? 'directory' : 'other';
    },
    async checkExecutable(path) {
      calls.checkExecutable(path);
    },
    async readHead(path, bytes) {
      // Without O_NONBLOCK an open waits for the holder of a lease, 45 s by default.
      const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const head = Buffer.alloc(bytes);
        return head.subarray(0, readSync(descriptor, head, 0, bytes, 0));
      } finally {
        closeSync(descriptor);
      }
    },
  };
}
