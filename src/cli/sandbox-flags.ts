/** The flags that ask for a sandbox around a command. Knows no session. @see docs/guide/sandbox.md */
import { isAbsolute } from 'node:path';
import { fieldOf } from '../../client/src/errors.js';
import { nearestWord } from '../../client/src/nearest.js';
import type { Flag } from './command.js';
import type { Connection } from './connection.js';
import { CliError } from './exit-codes.js';
import type { GivenFlags } from './given-flags.js';

const POLICIES = ['readOnly', 'workspaceWrite', 'dangerFullAccess'] as const;
type Policy = (typeof POLICIES)[number];

/** A policy as the wire has it. */
export type SandboxPolicy =
  | { readonly type: 'readOnly'; readonly networkAccess?: boolean }
  | { readonly type: 'workspaceWrite'; readonly networkAccess?: boolean; readonly writableRoots: readonly string[] }
  | { readonly type: 'dangerFullAccess' };

export const SANDBOX_FLAGS: readonly Flag[] = [
  {
    name: 'sandbox',
    placeholder: POLICIES.join('|'),
    description: "What it may write, and whether it has a network. Default: the server's own policy.",
  },
  {
    name: 'writable-root',
    placeholder: 'DIR',
    description: "With workspaceWrite: a directory there, absolute, to write beside the server's. Repeatable.",
  },
  { name: 'network', description: 'With readOnly or workspaceWrite: gives it a network.' },
];

/** @returns undefined where none is asked for @throws {CliError} naming the flag */
export function sandboxPolicy(given: GivenFlags): SandboxPolicy | undefined {
  const asked = given.text('sandbox');
  const type = asked === undefined ? undefined : policyOf(asked);
  const writableRoots = [...given.texts('writable-root')];
  if (writableRoots.length > 0 && type !== 'workspaceWrite')
    throw new CliError('--writable-root needs --sandbox workspaceWrite');
  if (given.has('network') && (type === undefined || type === 'dangerFullAccess')) {
    throw new CliError('--network needs --sandbox readOnly or workspaceWrite');
  }
  const relative = writableRoots.find((root) => !isAbsolute(root));
  if (relative !== undefined)
    throw new CliError(`--writable-root ${relative}: expected an absolute path on the server`);
  if (type === undefined || type === 'dangerFullAccess') return type && { type };
  const network = given.has('network') ? { networkAccess: true } : {};
  return type === 'readOnly' ? { type, ...network } : { type, ...network, writableRoots };
}

/** @throws {CliError} where a server might run the command without the policy that was asked for */
export function requireSandboxes({ box }: Connection, policy: SandboxPolicy | undefined): void {
  if (policy === undefined || policy.type === 'dangerFullAccess') return;
  if (fieldOf(box.server.limits, 'sandbox') === undefined)
    throw new CliError('--sandbox: this server does not say that it enforces policies; nothing was started');
}

function policyOf(text: string): Policy {
  const found = POLICIES.find((policy) => policy === text);
  if (found !== undefined) return found;
  // As other programs write them: read-only, workspace_write.
  const plain = (word: string): string => word.toLowerCase().replace(/[-_]/g, '');
  const nearest = POLICIES.find((policy) => plain(policy) === plain(text)) ?? nearestWord(text, POLICIES);
  const advice = nearest === undefined ? '' : `; did you mean \`${nearest}\`?`;
  throw new CliError(`--sandbox ${text}: expected readOnly, workspaceWrite or dangerFullAccess${advice}`);
}
