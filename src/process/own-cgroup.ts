/**
 * Finds the control group of version 2 that this process stands in, and whether it may make groups inside. It makes none.
 *
 * A group is another program's, mostly systemd's, unless that program has delegated it. It says so by giving the folder to the server's user, by
 * an attribute of the folder (systemd, for services of root), or by making it the top of a namespace (container engines).
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { errnoOf } from './program-path.js';

/** Why commands get no control groups of their own. */
export type CgroupAbsence =
  /** No system of control groups of version 2 is mounted that shows the server's own group. */
  | 'notMounted'
  /** Mounted read-only, as container engines do by default. */
  | 'readOnly'
  /** The folder belongs to another user. */
  | 'notWritable'
  /** The server could write, but the group belongs to another program. */
  | 'notDelegated'
  /** Linux before 5.14, without `cgroup.kill`. */
  | 'oldKernel'
  /** The C library cannot be called, so no pid would be certain. */
  | 'noLibrary'
  /** The kernel refused a group although the folder can be written. */
  | 'refused';

/** Where the facts come from. */
export interface CgroupSources {
  /** The text of a file; undefined when it cannot be read. */
  readonly read: (path: string) => string | undefined;
  readonly exists: (path: string) => boolean;
  /** Undefined when the path can be written, otherwise the errno. */
  readonly writeRefusal: (path: string) => string | undefined;
  /** Value of an extended attribute. */
  readonly attributeOf: (path: string, name: string) => string | undefined;
  readonly userId: number | undefined;
}

/** Attributes by which systemd marks a folder as delegated; the second can be read by root alone. */
const DELEGATION_MARKS = ['user.delegate', 'trusted.delegate'] as const;

/** @returns the folder in which groups can be made, or why there is none */
export function findOwnCgroup(
  sources: CgroupSources,
): { readonly folder: string } | { readonly absence: CgroupAbsence } {
  const { read, exists, writeRefusal, attributeOf, userId } = sources;
  const path = /^0::(\/[^\n]*)$/m.exec(read('/proc/self/cgroup') ?? '')?.[1];
  const folder = path === undefined ? undefined : folderOf(path, read('/proc/self/mountinfo') ?? '');
  if (path === undefined || folder === undefined) return { absence: 'notMounted' };
  const refusal = writeRefusal(folder) ?? writeRefusal(join(folder, 'cgroup.procs'));
  if (refusal !== undefined) return { absence: refusal === 'EROFS' ? 'readOnly' : 'notWritable' };
  // The host's own top has no type; nobody has delegated it.
  const isTop = !exists(join(folder, 'cgroup.type'));
  const isMarked = DELEGATION_MARKS.some((name) => attributeOf(folder, name) === '1');
  if (isTop || (userId === 0 && path !== '/' && !isMarked)) return { absence: 'notDelegated' };
  return exists(join(folder, 'cgroup.kill')) ? { folder } : { absence: 'oldKernel' };
}

/** Where a group is mounted; undefined when no mount shows it. */
function folderOf(path: string, mounts: string): string | undefined {
  let found: string | undefined;
  for (const line of mounts.split('\n')) {
    const [mount = '', source = ''] = line.split(' - ');
    const [, , , root, place] = mount.split(' ');
    if (!source.startsWith('cgroup2 ') || root === undefined || place === undefined) continue;
    const prefix = root === '/' ? '' : unescaped(root);
    // A later mount at the same place hides the earlier one.
    if (path === prefix || path.startsWith(`${prefix}/`))
      found = resolve(unescaped(place), `.${path.slice(prefix.length)}`);
  }
  return found;
}

/** The kernel writes blanks and line ends of paths as octal numbers. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The real ones. @param attributeOf of the C library */
export function systemCgroupSources(attributeOf: CgroupSources['attributeOf']): CgroupSources {
  return {
    read(path) {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return undefined;
      }
    },
    exists: existsSync,
    writeRefusal(path) {
      try {
        accessSync(path, constants.W_OK);
        return undefined;
      } catch (error) {
        return errnoOf(error) ?? 'EACCES';
      }
    },
    attributeOf,
    userId: process.getuid?.(),
  };
}
