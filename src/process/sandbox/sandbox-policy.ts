/** What a command may write and reach, as the sandbox takes it: decided, absolute, without defaults. It knows no wire. */

/** A policy that is enforced by the host. */
export type SandboxPolicy = ReadOnlyPolicy | WorkspaceWritePolicy;

/** Everything may be read; only devices such as /dev/null and shared memory may be written. */
export interface ReadOnlyPolicy {
  readonly type: 'readOnly';
  /** False allows only pairs of Unix sockets. */
  readonly network: boolean;
}

/** Everything may be read. The roots may be written, and so may /tmp and $TMPDIR unless excluded. A missing root is left out. */
export interface WorkspaceWritePolicy {
  readonly type: 'workspaceWrite';
  readonly network: boolean;
  /** The first root: the server's folder, independent of the command's. May be relative to the server's own directory. Undefined: it is no root. */
  readonly workspace: string | undefined;
  /** Absolute paths. */
  readonly writableRoots: readonly string[];
  readonly excludeSlashTmp: boolean;
  readonly excludeTmpdirEnvVar: boolean;
  /** Absolute paths of an operator. Only roots inside of them count. Default: any root. */
  readonly within?: readonly string[];
}

/** A policy and what it is bound to. */
export interface SandboxRequest {
  readonly policy: SandboxPolicy;
  /** The owner of the command. Threads, and so domains, are never shared by two owners. Compared by identity. */
  readonly owner: object;
}
