// Makes a temporary folder for tests of files, and one of the two kinds of access to it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { ConfinedAccess } from '../../src/files/confined-access.js';
import type { FileAccess } from '../../src/files/file-access.js';
import { FileError } from '../../src/files/file-error.js';
import { PlainAccess } from '../../src/files/plain-access.js';
import { SecretFiles } from '../../src/files/secret-files.js';
import { loadLibc } from '../../src/process/libc.js';

export interface Setup {
  readonly access: FileAccess;
  /** Absolute path of the folder that is served. */
  readonly root: string;
  /** Absolute path of a folder beside `root`, which a confined access does not reach. */
  readonly outside: string;
  /** Absolute path of a name in `root`. */
  at(name: string): string;
}

export const WAYS = ['plain', 'confined'] as const;
export type Way = (typeof WAYS)[number];

/** Makes a folder with these files, `name: content`; a name with a slash at its end is a folder. */
export async function setUp(t: Test, way: Way, files: Readonly<Record<string, string>> = {}): Promise<Setup> {
  const top = mkdtempSync(join(tmpdir(), 'execwire-files-'));
  t.teardown(() => rmSync(top, { recursive: true, force: true }));
  const root = join(top, 'root');
  const outside = join(top, 'outside');
  mkdirSync(root);
  mkdirSync(outside);
  for (const [name, content] of Object.entries(files)) {
    const path = join(top, name.startsWith('../') ? name.slice(3) : join('root', name));
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(path, content);
  }
  const secrets = new SecretFiles([join(root, 'token'), join(outside, 'token')]);
  if (way === 'plain') return { access: new PlainAccess(secrets), root, outside, at: (name) => join(root, name) };
  const access = await ConfinedAccess.open({
    readRoots: [root],
    writeRoots: [root],
    secrets,
    openBeneath: (await loadLibc()).openBeneath,
  });
  t.teardown(() => access.close());
  return { access, root, outside, at: (name) => join(root, name) };
}

/** Why an operation is refused; `done` when it is not. */
export async function reasonOf(operation: Promise<unknown>): Promise<string> {
  try {
    await operation;
  } catch (error) {
    if (error instanceof FileError) return error.reason;
    throw error;
  }
  return 'done';
}
