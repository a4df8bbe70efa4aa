/**
 * Turns a policy into the steps by which a thread restricts itself, as plain data, and into a key: a thread that carries the same key can be used
 * again. It looks at paths and changes nothing.
 */
import { readdirSync, statSync } from 'node:fs';
import type { RunAs } from '../os-process.js';
import { policyRefusals, type Refusal } from './filter-rules.js';
import {
  DEVICE_RIGHTS,
  knownRights,
  LIST_RIGHTS,
  READ_RIGHTS,
  SCOPE_ABSTRACT_SOCKETS,
  SCOPE_SIGNALS,
  WRITE_RIGHTS,
} from './landlock.js';
import { lookupOffLoop, type OffLoop } from './path-lookup.js';
import { SandboxUnavailableError } from './sandbox-errors.js';
import type { SandboxHost } from './sandbox-host.js';
import type { SandboxPolicy } from './sandbox-policy.js';
import {
  type IdentifiedPath,
  type ProtectedPath,
  protectedPaths,
  SHARED_MEMORY,
  type WritableRoot,
  writableRoots,
} from './writable-roots.js';

/** Devices that programs expect. Terminals: /dev/tty, /dev/ptmx and those made through it. */
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'pts'].map((name) => `/dev/${name}`);
/** No rule opens this folder's entries, because disks and kernel memory are among them. */
const DEVICE_FOLDER = 'dev';
/** They stay as they are when the root is `/`, because their files are the kernel's settings. */
const KERNEL_FOLDERS = new Set(['proc', 'sys']);

/** Rights on a path and everything below it. A missing path is left out. */
export interface PathRule {
  readonly path: string;
  readonly rights: number;
  /** What must be found there, without following symbolic links; undefined accepts anything. */
  readonly identity?: string;
}

/** One mount of the thread's own namespace. */
export interface PlannedMount {
  readonly path: string;
  readonly readOnly: boolean;
}

/** What a thread does to itself; can be sent to it. */
export interface SandboxPlan {
  readonly landlockAbi: number;
  /** Bits of Landlock's scopes. */
  readonly scopes: number;
  readonly rules: readonly PathRule[];
  readonly refusals: readonly Refusal[];
  /** In the order of mounting, over a read-only root; undefined for no namespace. */
  readonly mounts: readonly PlannedMount[] | undefined;
  /**
   * The user that commands run as; the thread takes this user's rights on files. It keeps its capabilities, because `setpriv` needs them to
   * become the user, and then loses them. Undefined for the server's own user: the thread gives all capabilities up.
   */
  readonly user: RunAs | undefined;
}

/** A sandbox before its plan is made. */
export interface PlannedSandbox {
  /** Equal for two plans that one thread can serve: the policy, and the identity of everything its rules are bound to. */
  readonly key: string;
  /** Folders that must be created, empty, so that they can be protected. */
  readonly placeholders: readonly string[];
  /** @throws {SandboxUnavailableError} when `/` cannot be listed. */
  plan(): SandboxPlan;
}

export interface PlanContext {
  readonly host: SandboxHost;
  /** Looks up the paths that a client may have chosen. */
  readonly offLoop: OffLoop;
  /** TMPDIR of the command's environment. */
  readonly tmpdir: string | undefined;
  /** The user of the command, if it is not the server's own. */
  readonly user: RunAs | undefined;
  /** Whether the server created this empty folder only to protect it. Such a folder counts as missing. */
  readonly isPlaceholder: (path: string, identity: string) => boolean;
}

/**
 * @throws {SandboxUnavailableError} when the host cannot enforce any policy.
 * @throws {ShortageError} of `offLoop`.
 */
export async function planSandbox(policy: SandboxPolicy, context: PlanContext): Promise<PlannedSandbox> {
  const { host, user, tmpdir } = context;
  if (host.missing.length > 0) throw new SandboxUnavailableError(host.missing, host.reason);
  const clientPaths = lookupOffLoop(context.offLoop);
  const roots = policy.type === 'readOnly' ? [] : await writableRoots(policy, { tmpdir, user, clientPaths });
  const isProtected = host.mountNamespace ? await protectedPaths(roots, { clientPaths }) : [];
  const guarded = isProtected.map((path) => withoutPlaceholder(path, context));
  const identities = ({ path, identity }: ProtectedPath | IdentifiedPath): string => `${path} ${identity}`;
  return {
    key: JSON.stringify([
      policy.type,
      policy.network,
      user?.uid,
      versionOfTop(),
      roots.map(identities),
      guarded.map(identities),
    ]),
    placeholders: guarded.flatMap(({ path, identity }) => (identity === undefined ? [path] : [])),
    plan: () => ({
      landlockAbi: host.landlockAbi,
      scopes: host.scopes ? SCOPE_SIGNALS | (policy.network ? 0 : SCOPE_ABSTRACT_SOCKETS) : 0,
      rules: pathRules(roots, host.landlockAbi),
      refusals: policyRefusals({
        network: policy.network,
        readOnly: policy.type === 'readOnly',
        landlockAbi: host.landlockAbi,
      }),
      mounts: host.mountNamespace && policy.type !== 'readOnly' ? plannedMounts(roots, guarded) : undefined,
      user,
    }),
  };
}

function withoutPlaceholder({ path, identity }: ProtectedPath, { isPlaceholder }: PlanContext): ProtectedPath {
  return { path, identity: identity !== undefined && isPlaceholder(path, identity) ? undefined : identity };
}

function pathRules(roots: readonly WritableRoot[], landlockAbi: number): PathRule[] {
  const writesTop = roots.some(({ path }) => path === '/');
  const top = entriesOfTop().map((name): PathRule => {
    const rights = writesTop && !KERNEL_FOLDERS.has(name) ? WRITE_RIGHTS : READ_RIGHTS;
    return { path: `/${name}`, rights };
  });
  const rules: PathRule[] = [
    { path: '/', rights: LIST_RIGHTS },
    ...top,
    ...DEVICES.map((path) => ({ path, rights: DEVICE_RIGHTS })),
    { path: SHARED_MEMORY, rights: WRITE_RIGHTS },
    ...roots.filter(({ path }) => path !== '/').map(({ path, identity }) => ({ path, identity, rights: WRITE_RIGHTS })),
  ];
  const known = knownRights(landlockAbi);
  return rules.map((rule) => ({ ...rule, rights: rule.rights & known }));
}

/** Roots are writable and protected paths read-only; a deeper path is mounted later, over the other. */
function plannedMounts(roots: readonly WritableRoot[], guarded: readonly ProtectedPath[]): PlannedMount[] {
  const mounts: PlannedMount[] = [
    { path: SHARED_MEMORY, readOnly: false },
    ...roots.map(({ path }) => ({ path, readOnly: false })),
    ...guarded.map(({ path }) => ({ path, readOnly: true })),
  ];
  const depth = ({ path }: PlannedMount): number => (path === '/' ? 0 : path.split('/').length);
  return mounts.sort((one, other) => depth(one) - depth(other));
}

/** The entries of `/` except the devices. Symbolic links lead to another of them. */
function entriesOfTop(): string[] {
  try {
    return readdirSync('/', { withFileTypes: true })
      .filter((entry) => entry.name !== DEVICE_FOLDER && !entry.isSymbolicLink())
      .map(({ name }) => name);
  } catch (error) {
    throw new SandboxUnavailableError(['landlock'], '/ cannot be listed', { cause: error });
  }
}

/** Changes when an entry of `/` is added, removed or replaced, because the rules name each of them. */
function versionOfTop(): string {
  return String(statSync('/', { bigint: true }).mtimeNs);
}
