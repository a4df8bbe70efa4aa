/** What a command may be confined to, as it is sent. Knows no other message. */

/**
 * What a command may write and reach: with `readOnly` nothing but devices, with `workspaceWrite` the server's folder, `writableRoots` and temporary folders, and with
 * either no network unless `networkAccess` is true. The other two confine nothing. A server that cannot enforce it refuses the command.
 *
 * @example
 * import type { SandboxPolicy } from 'execwire-client';
 * const sandboxPolicy: SandboxPolicy = { type: 'workspaceWrite', writableRoots: ['/data'], excludeSlashTmp: true };
 * const { landlockAbi = 0 } = box.server.limits?.sandbox ?? {};
 * if (landlockAbi > 0) await box.exec(['true'], { sandboxPolicy });
 */
export type SandboxPolicy =
  | { readonly type: 'readOnly'; readonly networkAccess?: boolean }
  | {
      readonly type: 'workspaceWrite';
      readonly networkAccess?: boolean;
      /** Absolute paths. */
      readonly writableRoots?: readonly string[];
      readonly excludeTmpdirEnvVar?: boolean;
      readonly excludeSlashTmp?: boolean;
    }
  | { readonly type: 'externalSandbox'; readonly networkAccess?: 'restricted' | 'enabled' }
  | { readonly type: 'dangerFullAccess' };
