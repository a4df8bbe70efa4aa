/** What a command may write and reach, as the sandbox takes it: decided, absolute, without defaults. It knows no wire. */

/** A policy that is enforced by the host. */
export type SandboxPolicy = ReadOnlyPolicy | WorkspaceWritePolicy;

/** Everything may be read, nothing written but devices such as /dev/null and shared memory. */
export interface ReadOnlyPolicy {
  readonly type: 'readOnly';
  /** False leaves nothing but pairs of Unix sockets. */
  readonly network: boolean;
}

/** Everything may be read; the roots, and unless excluded /tmp and $TMPDIR, may be written. A root that is missing is left out. */
export interface WorkspaceWritePolicy {
  readonly type: 'workspaceWrite';
  readonly network: boolean;
  /** The first root: the server's folder, whatever the folder of the command. May be relative to where the server is. */
  readonly workspace: string;
  /** Absolute paths. */
  readonly writableRoots: readonly string[];
  readonly excludeSlashTmp: boolean;
  readonly excludeTmpdirEnvVar: boolean;
  /** Absolute paths of an operator: roots are cut down to what lies in one of them. Default: any root. */
  readonly within?: readonly string[];
}

/** A policy and what it is bound to. */
export interface SandboxRequest {
  readonly policy: SandboxPolicy;
  /** Whose command it is: threads, and so domains, are never shared by two. Compared by identity. */
  readonly owner: object;
}
