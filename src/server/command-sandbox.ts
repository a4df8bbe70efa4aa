/** Translates the sandbox of a request into what the process layer enforces. Knows no Fastify and no host. */
import type { SandboxChoice, SandboxSettings } from '../dialects/command-exec/sandbox-request.js';
import type { ProcessSpec } from '../process/os-process.js';
import { rpcError } from '../protocol/errors.js';

/** Agents look at this variable to learn why the network cannot be reached. The reference sets it in the same cases. */
const NETWORK_DISABLED = { CODEX_SANDBOX_NETWORK_DISABLED: '1' } as const;

export interface CommandSandboxOptions {
  readonly settings: Pick<SandboxSettings, 'roots'>;
  /** The first writable folder: the directory of commands that name none. May be relative to the server's own directory. */
  readonly workspace: string;
  /** Why a policy with a network would protect nothing; undefined when it does protect. */
  readonly reachableCredential: string | undefined;
}

/** @throws {RpcError} sandboxUnavailable for a policy with a network that the command could use to escape */
export function commandSandbox(
  choice: SandboxChoice,
  owner: object,
  { settings, workspace, reachableCredential }: CommandSandboxOptions,
): { readonly env: Readonly<Record<string, string>>; readonly spec: Pick<ProcessSpec, 'sandbox'> } {
  const env = choice.network ? {} : NETWORK_DISABLED;
  if (choice.type === 'unconfined') return { env, spec: {} };
  if (choice.network && reachableCredential !== undefined) {
    throw rpcError('sandboxUnavailable', { detail: reachableCredential, missing: ['authentication'] });
  }
  if (choice.type === 'readOnly') return { env, spec: { sandbox: { policy: choice, owner } } };
  const { isBounded, excludeWorkspace, ...policy } = choice;
  const within = isBounded ? { within: [workspace, ...settings.roots, '/tmp'] } : {};
  const own = { workspace: excludeWorkspace === true ? undefined : workspace };
  return { env, spec: { sandbox: { policy: { ...policy, ...own, ...within }, owner } } };
}
