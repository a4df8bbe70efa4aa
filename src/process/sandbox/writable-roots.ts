/**
 * Which folders a policy makes writable, by their real paths and identities, and what in them stays read-only. It makes no rule and
 * changes nothing.
 */
import type { BigIntStats } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { RunAs } from '../os-process.js';
import { birthOf, identityOf, lookupAtOnce, type PathLookup } from './path-lookup.js';
import type { WorkspaceWritePolicy } from './sandbox-policy.js';

/** Folders whose files are devices or the kernel's own settings: no root opens them. */
const NEVER_WRITABLE = ['/dev', '/proc', '/sys'];
/** Writable under every policy, so it may be a root as well. */
export const SHARED_MEMORY = '/dev/shm';
/** An agent's own settings and history: by changing them, a command could change what later commands do outside of the sandbox. */
export const PROTECTED_NAMES = ['.git', '.codex', '.agents', '.aws'] as const;
const TEMPORARY_FILES = '/tmp';
/** Mode bits that let users other than the owner create files in a folder. An access list shows in the bits of the group. */
const OTHERS_CREATE = 0o022n;

/** A file or folder that is there. */
export interface IdentifiedPath {
  /** Without symbolic links. */
  readonly path: string;
  /** Device and inode: rules are bound to them, not to the path. */
  readonly identity: string;
}

export interface WritableRoot extends IdentifiedPath {
  readonly isFolder: boolean;
  /** Whether a protected folder that is missing must not be created in it: only in a workspace, and only if the command could create it. */
  readonly guardsMissing: boolean;
  /** Looks up what is in it. */
  readonly lookup: PathLookup;
}

export interface RootsContext {
  /** TMPDIR of the command. */
  readonly tmpdir: string | undefined;
  /** The user of the command, if it is not the server's own. */
  readonly user: RunAs | undefined;
  /** For paths that a client may have chosen. */
  readonly clientPaths: PathLookup;
}

/** The roots that are there, each once, in the order of the policy. */
export async function writableRoots(policy: WorkspaceWritePolicy, context: RootsContext): Promise<WritableRoot[]> {
  const { user } = context;
  const bounds = await existing(policy.within);
  const roots = new Map<string, WritableRoot>();
  for (const { name, isWorkspace, lookup } of wantedRoots(policy, context)) {
    const path = await lookup.realPath(name);
    if (path === undefined) continue;
    for (const allowed of bounds === undefined ? [path] : cutDown(path, bounds)) {
      if (roots.has(allowed) || isNeverWritable(allowed)) continue;
      const stats = await lookup.stat(allowed);
      if (stats === undefined) continue;
      roots.set(allowed, {
        path: allowed,
        identity: identityOf(stats),
        isFolder: stats.isDirectory(),
        guardsMissing: isWorkspace && mayCreateIn(stats, user),
        lookup,
      });
    }
  }
  return [...roots.values()];
}

interface WantedRoot {
  readonly name: string;
  /** Whether it is a project, not a folder for temporary files. */
  readonly isWorkspace: boolean;
  readonly lookup: PathLookup;
}

function wantedRoots(policy: WorkspaceWritePolicy, { tmpdir, clientPaths }: RootsContext): WantedRoot[] {
  const { workspace } = policy;
  const wanted: WantedRoot[] = [];
  if (workspace !== undefined) wanted.push({ name: workspace, isWorkspace: true, lookup: lookupAtOnce });
  for (const name of policy.writableRoots) wanted.push({ name, isWorkspace: true, lookup: clientPaths });
  if (!policy.excludeSlashTmp) wanted.push({ name: TEMPORARY_FILES, isWorkspace: false, lookup: lookupAtOnce });
  const isTmpdirWanted = !policy.excludeTmpdirEnvVar && tmpdir !== undefined && isAbsolute(tmpdir);
  if (isTmpdirWanted && !wanted.some(({ name }) => name === tmpdir)) {
    wanted.push({ name: tmpdir, isWorkspace: false, lookup: clientPaths });
  }
  return wanted;
}

/** A path that must stay as it is although it lies in a root. */
export interface ProtectedPath {
  readonly path: string;
  /** As `birthOf` gives it; undefined while there is nothing. */
  readonly identity: string | undefined;
}

/**
 * What is protected in the first level of each root. In a workspace a missing folder is protected, too, because a command could create it.
 * A symbolic link cannot be held; what it leads to is protected instead.
 */
export async function protectedPaths(
  roots: readonly WritableRoot[],
  { clientPaths }: Pick<RootsContext, 'clientPaths'>,
): Promise<ProtectedPath[]> {
  const found = new Map<string, ProtectedPath>();
  for (const { path: root, isFolder, guardsMissing, lookup } of roots) {
    if (!isFolder) continue;
    const names = PROTECTED_NAMES.map((name) => join(root, name));
    const entries = await Promise.all(names.map((named) => lookup.lstat(named)));
    for (const [index, named] of names.entries()) {
      const entry = entries[index];
      if (entry === undefined) {
        if (guardsMissing) found.set(named, { path: named, identity: undefined });
        continue;
      }
      const path = entry.isSymbolicLink() ? await clientPaths.realPath(named) : named;
      if (path === undefined) continue;
      const stats = entry.isSymbolicLink() ? await clientPaths.stat(path) : entry;
      if (stats !== undefined) found.set(path, { path, identity: birthOf(stats) });
    }
  }
  return [...found.values()];
}

function isNeverWritable(path: string): boolean {
  return !isBelow(path, SHARED_MEMORY) && NEVER_WRITABLE.some((folder) => isBelow(path, folder));
}

/** Whether the command may create something in this folder, as far as owner and mode tell. */
function mayCreateIn({ uid, mode }: Pick<BigIntStats, 'uid' | 'mode'>, user: RunAs | undefined): boolean {
  return user === undefined || Number(uid) === user.uid || (mode & OTHERS_CREATE) !== 0n;
}

/** The bounds that are there, without symbolic links; the operator chose them. */
async function existing(bounds: readonly string[] | undefined): Promise<string[] | undefined> {
  if (bounds === undefined) return undefined;
  const paths: string[] = [];
  for (const bound of bounds) {
    const path = await lookupAtOnce.realPath(bound);
    if (path !== undefined) paths.push(path);
  }
  return paths;
}

/** What of a root lies in the bounds: itself, or the bounds that lie in it. */
function cutDown(path: string, bounds: readonly string[]): string[] {
  return bounds.some((bound) => isBelow(path, bound)) ? [path] : bounds.filter((bound) => isBelow(bound, path));
}

/** Whether a path is this folder or something in it. Both without symbolic links. */
function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}
