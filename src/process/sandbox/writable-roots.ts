/**
 * Which folders a policy makes writable, by their real paths and identities, and what in them stays read-only. It makes no rule and
 * changes nothing.
 */
import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { WorkspaceWritePolicy } from './sandbox-policy.js';

/** Folders whose files are devices or the kernel's own settings: no root opens them. */
const NEVER_WRITABLE = ['/dev', '/proc', '/sys'];
/** Writable under every policy, so it may be a root as well. */
export const SHARED_MEMORY = '/dev/shm';
/** What an agent's own settings and history are kept in: a command could change what the next one, outside the sandbox, does. */
const PROTECTED_NAMES = ['.git', '.codex', '.agents', '.aws'] as const;

/** A file or folder that is there. */
export interface IdentifiedPath {
  /** Without symbolic links. */
  readonly path: string;
  /** Device and inode: rules are bound to them, not to the path. */
  readonly identity: string;
}

export interface WritableRoot extends IdentifiedPath {
  readonly isFolder: boolean;
  /** Whether it is somebody's project, not a folder for temporary files. */
  readonly isWorkspace: boolean;
}

/** Device and inode. */
export function identityOf({ dev, ino }: Pick<Stats, 'dev' | 'ino'>): string {
  return `${dev}:${ino}`;
}

/** The roots that are there, each once, in the order of the policy. @param tmpdir TMPDIR of the command */
export function writableRoots(policy: WorkspaceWritePolicy, tmpdir: string | undefined): WritableRoot[] {
  const wanted: [path: string, isWorkspace: boolean][] = [policy.workspace, ...policy.writableRoots].map((path) => [
    path,
    true,
  ]);
  if (!policy.excludeSlashTmp) wanted.push(['/tmp', false]);
  if (!policy.excludeTmpdirEnvVar && tmpdir !== undefined && isAbsolute(tmpdir)) wanted.push([tmpdir, false]);
  const bounds = policy.within?.map(realPath).filter((path) => path !== undefined);
  const roots = new Map<string, WritableRoot>();
  for (const [name, isWorkspace] of wanted) {
    const path = realPath(name);
    if (path === undefined) continue;
    for (const allowed of bounds === undefined ? [path] : cutDown(path, bounds)) {
      const root = roots.has(allowed) ? undefined : existingRoot(allowed, isWorkspace);
      if (root !== undefined) roots.set(allowed, root);
    }
  }
  return [...roots.values()];
}

/** A path that must stay as it is although it lies in a root. */
export interface ProtectedPath {
  readonly path: string;
  /** Undefined while there is nothing. */
  readonly identity: string | undefined;
}

/**
 * What is protected in the first level of each root. What is not there is protected, too, in a workspace: or a command could make it.
 * A symbolic link cannot be held, but what it leads to.
 */
export function protectedPaths(roots: readonly WritableRoot[]): ProtectedPath[] {
  const found = new Map<string, ProtectedPath>();
  for (const root of roots) {
    if (!root.isFolder) continue;
    for (const name of PROTECTED_NAMES) {
      const link = join(root.path, name);
      const path = realPath(link);
      if (path !== undefined) found.set(path, { path, identity: identityOf(statSync(path)) });
      else if (root.isWorkspace && !isThere(link)) found.set(link, { path: link, identity: undefined });
    }
  }
  return [...found.values()];
}

function existingRoot(path: string, isWorkspace: boolean): WritableRoot | undefined {
  if (!isBelow(path, SHARED_MEMORY) && NEVER_WRITABLE.some((folder) => isBelow(path, folder))) return undefined;
  try {
    const stats = statSync(path);
    return { path, identity: identityOf(stats), isFolder: stats.isDirectory(), isWorkspace };
  } catch {
    return undefined;
  }
}

/** What of a root lies in the bounds: itself, or the bounds that lie in it. */
function cutDown(path: string, bounds: readonly string[]): string[] {
  return bounds.some((bound) => isBelow(path, bound)) ? [path] : bounds.filter((bound) => isBelow(bound, path));
}

/** Whether a path is this folder or something in it. Both without symbolic links. */
function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
