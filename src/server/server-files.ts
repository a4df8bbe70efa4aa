/** Decides from the settings which files this server serves, and by what. Knows no wire. */
import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import type { Config } from '../config/config.js';
import { ConfinedAccess, ConfinementError, type OpenBeneath } from '../files/confined-access.js';
import type { FileAccess } from '../files/file-access.js';
import { absolutePath, pathBelow } from '../files/file-path.js';
import { PlainAccess } from '../files/plain-access.js';
import { SecretFiles } from '../files/secret-files.js';
import { PROTECTED_NAMES } from '../process/sandbox/writable-roots.js';
import { workingDirectory } from '../process/working-directory.js';
import { Transfers } from './transfers.js';

/** The files of one server. */
export interface ServerFiles {
  /** Undefined when no file is served at all. */
  readonly access: FileAccess | undefined;
  /** Whether `fs/*` exist. */
  readonly overRpc: boolean;
  /** Whether `/files/` exists. */
  readonly overHttp: boolean;
  /** Requests by HTTP that are under way. A drain waits for them. */
  readonly transfers: Transfers;
  /** The same files, of which only what is in these folders may be changed; the caller closes it. @throws {ConfinementError} */
  readonly confine: (writeRoots: readonly string[]) => Promise<ConfinedAccess>;
  /** Why `fs/*` do not exist although nobody switched them off. */
  readonly warning?: string;
  close(): Promise<void>;
}

export interface ServerFilesOptions {
  readonly config: Config;
  /** Whether commands run as a user with other rights than the server's. */
  readonly runsAsOther: boolean;
  readonly loadOpenBeneath: () => Promise<OpenBeneath | undefined>;
}

/** @throws {Error} naming the flag that cannot be kept */
export async function openServerFiles({
  config,
  runsAsOther,
  loadOpenBeneath,
}: ServerFilesOptions): Promise<ServerFiles> {
  const { files, noFiles, filesRoot } = config;
  if (files && config.address.kind === 'stdio')
    throw new Error('--files serves HTTP: it needs --listen ws:// or unix://');
  if (files && runsAsOther) {
    throw new Error(
      "--files would serve files with the server's rights, not with those of --run-as: leave one of them out",
    );
  }
  const transfers = new Transfers();
  const secrets = new SecretFiles(secretPaths(config));
  const confine = async (wanted: readonly string[]): Promise<ConfinedAccess> =>
    ConfinedAccess.open({
      readRoots: filesRoot === undefined ? undefined : [resolve(filesRoot)],
      writeRoots: presentRoots(wanted, filesRoot),
      protectedNames: PROTECTED_NAMES,
      secrets,
      openBeneath: await loadOpenBeneath(),
    });
  const common = { overHttp: files, transfers, confine };
  const none = { ...common, access: undefined, overRpc: false, overHttp: false, close: async () => {} };
  const overRpc = !noFiles && !runsAsOther;
  if (!overRpc && !files) return none;
  const writeRoots = writableRoots(config);
  if (filesRoot === undefined && writeRoots === undefined) {
    return { ...common, access: new PlainAccess(secrets), overRpc, close: async () => {} };
  }
  try {
    const root = filesRoot === undefined ? undefined : [resolve(filesRoot)];
    const access = await ConfinedAccess.open({
      readRoots: root,
      writeRoots: writeRoots ?? root,
      protectedNames: writeRoots === undefined ? [] : PROTECTED_NAMES,
      secrets,
      openBeneath: await loadOpenBeneath(),
    });
    return { ...common, access, overRpc, close: () => access.close() };
  } catch (error) {
    if (!(error instanceof ConfinementError)) throw error;
    if (filesRoot !== undefined) throw new Error(`--files-root: ${error.message}`);
    const reason = `files cannot be confined to what --sandbox-minimum lets be written: ${error.message}`;
    if (files) throw new Error(`--files: ${reason}`);
    return { ...none, warning: `fs/* are off: ${reason}` };
  }
}

function secretPaths(config: Config): string[] {
  return [config.wsTokenFile, config.wsSharedSecretFile, config.tlsKey]
    .filter((path) => path !== undefined)
    .map((path) => resolve(path));
}

/** What `--sandbox-minimum` lets be written, within `--files-root`; undefined for everything. Folders that are missing are left out. */
function writableRoots(config: Config): string[] | undefined {
  if (config.sandboxMinimum === 'none') return undefined;
  if (config.sandboxMinimum === 'readOnly') return [];
  const workspace = resolve(workingDirectory(config.defaultCwd, undefined) ?? '.');
  const wanted = [workspace, ...config.sandboxRoots.map((path) => resolve(path)), '/tmp', tmpdir()];
  return presentRoots(wanted, config.filesRoot);
}

/** Folders that are there, within `--files-root`. */
function presentRoots(wanted: readonly string[], filesRoot: string | undefined): string[] {
  const present = new Set(wanted.map(realPathOf).filter((path) => path !== undefined));
  if (filesRoot === undefined) return [...present];
  const bound = realPathOf(resolve(filesRoot)) ?? resolve(filesRoot);
  return [...new Set([...present].map((path) => within(path, bound)).filter((path) => path !== undefined))];
}

/** What of a folder lies in a bound: itself, or the bound if that lies in it. */
function within(path: string, bound: string): string | undefined {
  const [folder, limit] = [absolutePath(path), absolutePath(bound)];
  if (pathBelow(folder, limit) !== undefined) return path;
  return pathBelow(limit, folder) === undefined ? undefined : bound;
}

function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
