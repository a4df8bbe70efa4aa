// Mounts a small disk for a test.
import { spawnSync } from 'node:child_process';
import type { Test } from 'tap';

/** Mounts a disk of 256 KiB, where that is possible. @returns why not */
export function mountSmall(t: Test, path: string): string | undefined {
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', path], {
    encoding: 'utf8',
  });
  if (status !== 0) return `no small disk could be mounted: ${stderr || error?.message}`;
  t.teardown(() => spawnSync('umount', [path]));
  return undefined;
}
