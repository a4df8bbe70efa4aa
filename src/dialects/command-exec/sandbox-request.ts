/**
 * Decides from a request's `sandboxPolicy` and the operator's settings what a command may do. Knows no host and enforces nothing.
 * @see PROTOCOL "Sandbox"
 */
import { isAbsolute } from 'node:path';
import { rpcError } from '../../protocol/errors.js';
import type { MethodParams } from '../../protocol/methods.js';

type WirePolicy = NonNullable<MethodParams<'command/exec'>['sandboxPolicy']>;

/** What a command may do, decided. */
export type SandboxChoice =
  /** Everything that the server may. `network` false is only told to the command, and enforced elsewhere. */
  | { readonly type: 'unconfined'; readonly network: boolean }
  | { readonly type: 'readOnly'; readonly network: boolean }
  | {
      readonly type: 'workspaceWrite';
      readonly network: boolean;
      /** Whether the server's own folder is left out. Default: it may be written. */
      readonly excludeWorkspace?: boolean;
      /** Folders beside the server's own. */
      readonly writableRoots: readonly string[];
      readonly excludeSlashTmp: boolean;
      readonly excludeTmpdirEnvVar: boolean;
      /** Whether roots are limited to those of the operator. */
      readonly isBounded: boolean;
    };

/** The operator's flags. */
export interface SandboxSettings {
  /** The policy of requests that name none. */
  readonly defaultPolicy: 'dangerFullAccess' | 'workspaceWrite' | 'readOnly';
  /** The least strict policy of any request. */
  readonly minimum: 'none' | 'workspaceWrite' | 'readOnly';
  readonly roots: readonly string[];
  readonly network: boolean;
}

export const NO_SANDBOX_SETTINGS: SandboxSettings = {
  defaultPolicy: 'dangerFullAccess',
  minimum: 'none',
  roots: [],
  network: false,
};

/** A choice, and whether it is stricter than the request. */
export interface DecidedSandbox {
  readonly choice: SandboxChoice;
  readonly isRaised: boolean;
}

/** @throws {RpcError} unsupportedSandbox, invalidParams, each naming the field */
export function decideSandbox(policy: WirePolicy | null | undefined, settings: SandboxSettings): DecidedSandbox {
  const asked = policy === null || policy === undefined ? ofOperator(settings.defaultPolicy, settings) : read(policy);
  const choice = raised(asked, settings);
  return { choice, isRaised: choice !== asked };
}

function read(policy: WirePolicy): SandboxChoice {
  switch (policy.type) {
    case 'dangerFullAccess':
      return { type: 'unconfined', network: true };
    case 'externalSandbox':
      return { type: 'unconfined', network: externalNetwork(policy.networkAccess) };
    case 'readOnly':
      return { type: 'readOnly', network: network(policy.networkAccess) };
    case 'workspaceWrite':
      return {
        type: 'workspaceWrite',
        network: network(policy.networkAccess),
        writableRoots: (policy.writableRoots ?? []).map(absolute),
        excludeSlashTmp: policy.excludeSlashTmp ?? false,
        excludeTmpdirEnvVar: policy.excludeTmpdirEnvVar ?? false,
        isBounded: false,
      };
    default:
      throw rpcError('unsupportedSandbox', { field: 'sandboxPolicy.type' });
  }
}

function ofOperator(type: SandboxSettings['defaultPolicy'], { roots, network }: SandboxSettings): SandboxChoice {
  if (type === 'dangerFullAccess') return { type: 'unconfined', network: true };
  if (type === 'readOnly') return { type, network };
  return {
    type,
    network,
    writableRoots: roots,
    excludeSlashTmp: false,
    excludeTmpdirEnvVar: false,
    isBounded: false,
  };
}

/** The same object if it is strict enough. */
function raised(asked: SandboxChoice, settings: SandboxSettings): SandboxChoice {
  const { minimum } = settings;
  if (minimum === 'none') return asked;
  const isTooOpen = asked.network && !settings.network;
  if (asked.type === 'unconfined') {
    const least = ofOperator(minimum, settings);
    return least.type === 'workspaceWrite' ? { ...least, isBounded: true } : least;
  }
  if (minimum === 'readOnly' && asked.type === 'workspaceWrite') {
    return { type: 'readOnly', network: asked.network && settings.network };
  }
  if (asked.type === 'workspaceWrite') {
    return { ...asked, network: asked.network && settings.network, isBounded: true };
  }
  return isTooOpen ? { ...asked, network: false } : asked;
}

function network(value: WirePolicy['networkAccess']): boolean {
  if (value === null || value === undefined) return false;
  if (typeof value === 'boolean') return value;
  throw rpcError('invalidParams', { detail: 'sandboxPolicy.networkAccess must be true or false for this type' });
}

function externalNetwork(value: WirePolicy['networkAccess']): boolean {
  if (value === null || value === undefined) return false;
  if (typeof value === 'string') return value === 'enabled';
  throw rpcError('invalidParams', {
    detail: 'sandboxPolicy.networkAccess must be "restricted" or "enabled" for this type',
  });
}

function absolute(root: string, index: number): string {
  if (isAbsolute(root) && !root.includes('\0')) return root;
  throw rpcError('invalidParams', { detail: `sandboxPolicy.writableRoots[${index}] must be an absolute path` });
}
