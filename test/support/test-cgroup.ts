/** A control group of version 2 for one test, made as a service manager would make one for a server. Gone with everything in it when the test ends. */
import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { until } from './until.js';

/** As which user a server runs in the group, and how it knows that the group is its own. */
export type Delegation =
  /** As nobody, to whom the folder belongs. */
  | 'owner'
  /** As root, with the attribute that systemd sets. */
  | 'attribute'
  /** As nobody; the folder stays root's. */
  | 'none'
  /** As root, without the attribute. */
  | 'unmarked';

const NOBODY = 65534;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
const MARK = 'import os, sys; os.setxattr(sys.argv[1], "trusted.delegate", b"1")';
let made = 0;

/** Where version 2 is mounted; undefined when it is not. */
function mountPoint(): string | undefined {
  return /^(?:\S+ ){4}(\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1];
}

/** Why there can be no such group here; false when there can be. */
export function lacksCgroups(): string | false {
  const mount = mountPoint();
  if (mount === undefined) return 'no control groups of version 2 are mounted';
  if (process.getuid?.() !== 0) return 'needs root';
  const folder = join(mount, `execwire-look-${process.pid}`);
  try {
    mkdirSync(folder);
    const hasKill = readdirSync(folder).includes('cgroup.kill');
    rmdirSync(folder);
    return hasKill ? false : 'needs cgroup.kill (Linux 5.14)';
  } catch (error) {
    return `no control group can be made (${error instanceof Error ? error.message : String(error)})`;
  }
}

export class TestCgroup {
  readonly folder: string;
  /** Words before a program that bring it into the group, as the right user. */
  readonly through: readonly string[];

  constructor(t: Test, delegation: Delegation) {
    made += 1;
    this.folder = join(mountPoint() ?? '', `execwire-test-${process.pid}-${made}`);
    mkdirSync(this.folder);
    if (delegation === 'owner') {
      for (const name of ['', 'cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control']) {
        chownSync(join(this.folder, name), NOBODY, NOBODY);
      }
    }
    if (delegation === 'attribute') {
      const { status, stderr } = spawnSync('python3', ['-c', MARK, this.folder], { encoding: 'utf8' });
      if (status !== 0) throw new Error(`the attribute cannot be set: ${stderr}`);
    }
    const become = delegation === 'owner' || delegation === 'none' ? AS_NOBODY : [];
    this.through = ['sh', '-c', `echo $$ >${this.folder}/cgroup.procs; exec "$@"`, 'sh', ...become];
    // Servers of the test end first, because they were started later.
    t.teardown(() => this.#remove());
  }

  /** Folders of servers. */
  servers(): string[] {
    return foldersIn(this.folder).filter((folder) => /\/execwire-[^/]+$/.test(folder));
  }

  /** Groups of commands. */
  commands(): string[] {
    return this.servers().flatMap(foldersIn);
  }

  /** The group that a process stands in, if it is a command's. */
  commandOf(pid: number): string | undefined {
    return this.commands().find((folder) => pidsIn(folder).includes(pid));
  }

  async #remove(): Promise<void> {
    writeFileSync(join(this.folder, 'cgroup.kill'), '1');
    await until('the group of the test can be removed', () => remove(this.folder));
  }
}

/** @returns whether it is gone, with all groups in it */
function remove(folder: string): boolean {
  try {
    for (const inner of foldersIn(folder)) remove(inner);
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .map((name) => join(folder, name))
      .filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true);
  } catch {
    return [];
  }
}

/** Processes in a group; none when it is gone. */
export function pidsIn(folder: string): number[] {
  try {
    return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').map(Number).filter(Boolean);
  } catch {
    return [];
  }
}
