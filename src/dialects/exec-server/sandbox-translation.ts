/**
 * Translates the sandbox of this dialect into that of the commands, where both say the same; otherwise it refuses. Knows no host but what it is told,
 * and enforces nothing.
 */
import { type RpcError, rpcError } from '../../protocol/errors.js';
import type { ExecServerSandbox } from '../../protocol/methods/exec-server.js';
import {
  type DecidedSandbox,
  decideSandbox,
  type SandboxChoice,
  type SandboxSettings,
} from '../command-exec/sandbox-request.js';
import { textPathOfUri } from './file-uri.js';

/** What stays read-only in each writable root, as the sandbox of commands has it. */
const PROTECTED = new Set(['.git', '.codex', '.agents', '.aws']);

type Entry = NonNullable<NonNullable<ExecServerSandbox['permissions']['file_system']>['entries']>[number];

/** What the entries say together. */
interface Read {
  readsRoot: boolean;
  writesProjects: boolean;
  writesSlashTmp: boolean;
  writesTmpdir: boolean;
  readonly roots: string[];
  readonly isProtected: Set<string>;
}

export interface TranslationHost {
  /** Whether protected folders in a writable root can be held. */
  readonly holdsProtectedPaths: boolean;
}

/** Without a sandbox the operator's settings decide, as for any other request. @throws {RpcError} untranslatableSandbox */
export function decideExecSandbox(
  sandbox: ExecServerSandbox | null | undefined,
  settings: SandboxSettings,
  host: TranslationHost,
): DecidedSandbox {
  if (sandbox == null) return decideSandbox(undefined, settings);
  const choice = translate(sandbox, host);
  if (settings.minimum === 'none') return { choice, isRaised: false };
  // A minimum may take roots and the network away, which this dialect has no way to say.
  if (choice.type === 'readOnly' && !choice.network) return { choice, isRaised: false };
  throw refusal('the operator has set a minimum (--sandbox-minimum) that may be stricter');
}

function translate(sandbox: ExecServerSandbox, host: TranslationHost): SandboxChoice {
  const { type, file_system: files, network } = sandbox.permissions;
  if (type !== 'managed' || files?.type !== 'restricted') throw refusal(`permissions of this type are not known`);
  if (network !== 'restricted' && network !== 'enabled')
    throw refusal(`network ${JSON.stringify(network)} is not known`);
  const read: Read = {
    readsRoot: false,
    writesProjects: false,
    writesSlashTmp: false,
    writesTmpdir: false,
    roots: [],
    isProtected: new Set(),
  };
  for (const entry of files.entries ?? []) take(entry, read);
  if (!read.readsRoot) throw refusal('a process that may not read everything cannot be held');
  const hasNetwork = network === 'enabled';
  const projects = read.writesProjects
    ? (sandbox.workspaceRoots ?? []).map((root) => textPathOfUri(root, 'sandbox.workspaceRoots'))
    : [];
  const writableRoots = [...projects, ...read.roots];
  if (read.isProtected.size > 0) {
    if (!host.holdsProtectedPaths) {
      throw refusal('this host cannot keep .git and the like read-only in a writable folder (no mount namespace)');
    }
    if (!read.writesProjects) throw refusal('protected folders of a project that is not writable');
  }
  const missing = [...PROTECTED].filter((name) => !read.isProtected.has(name));
  if (writableRoots.length > 0 && missing.length > 0) throw refusal(`${missing.join(', ')} cannot be made writable`);
  if (writableRoots.length === 0 && !read.writesSlashTmp && !read.writesTmpdir) {
    return { type: 'readOnly', network: hasNetwork };
  }
  return {
    type: 'workspaceWrite',
    network: hasNetwork,
    excludeWorkspace: true,
    writableRoots,
    excludeSlashTmp: !read.writesSlashTmp,
    excludeTmpdirEnvVar: !read.writesTmpdir,
    isBounded: false,
  };
}

function take({ path, access }: Entry, read: Read): void {
  if (access !== 'read' && access !== 'write') throw refusal(`access ${JSON.stringify(access)} cannot be held`);
  if (path.type === 'path') {
    if (access === 'write') read.roots.push(textPathOfUri(path.path, 'sandbox.permissions'));
    else throw refusal('a path that is read-only by itself cannot be held');
    return;
  }
  const { kind, subpath } = path.value;
  if (subpath != null) {
    if (kind === 'project_roots' && access === 'read' && PROTECTED.has(subpath)) read.isProtected.add(subpath);
    else throw refusal(`${access} access to ${JSON.stringify(subpath)} in ${kind} cannot be held`);
    return;
  }
  if (kind === 'root' && access === 'read') read.readsRoot = true;
  else if (kind === 'project_roots' && access === 'write') read.writesProjects = true;
  else if (kind === 'slash_tmp' && access === 'write') read.writesSlashTmp = true;
  else if (kind === 'tmpdir' && access === 'write') read.writesTmpdir = true;
  else throw refusal(`${access} access to ${kind} cannot be held`);
}

function refusal(detail: string): RpcError {
  return rpcError('untranslatableSandbox', { detail });
}
