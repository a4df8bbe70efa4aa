/** What this dialect tells of the machine. Reads no file but to see which shells are there. */
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { homedir, hostname, tmpdir } from 'node:os';
import { basename, resolve } from 'node:path';
import type { EnvironmentInfo } from '../../protocol/methods/exec-server.js';
import { homeDirectory } from '../../session/handshake.js';
import { uriOfPath } from './file-uri.js';

/** In the order of preference: agents write for bash. */
const SHELLS = ['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash', '/bin/sh'] as const;

export interface EnvironmentInfoOptions {
  readonly version: string;
  /** Directory of commands that name none; absolute. */
  readonly cwd: string;
  /** Home of the user that commands run as. Default: the server's. */
  readonly home?: string | undefined;
  /** TMPDIR of the commands; undefined without one. */
  readonly tmpdir?: string | undefined;
  readonly capabilities: Readonly<Record<string, boolean>>;
}

export function environmentInfo(options: EnvironmentInfoOptions): EnvironmentInfo {
  const { version, cwd, tmpdir: temporary = tmpdir(), capabilities } = options;
  const home = homeOf(options);
  const shell = SHELLS.find(isExecutable) ?? '/bin/sh';
  return {
    shell: { name: basename(shell), path: shell },
    executorVersion: version,
    providerId: `sha256:${createHash('sha256').update(`execwire ${hostname()}`).digest('hex')}`,
    cwd: uriOfPath(resolve(cwd)),
    userHomeDir: uriOfPath(home),
    platformOs: process.platform === 'darwin' ? 'macos' : 'linux',
    prependPathDirs: [],
    temporaryDirectories: [...new Set(['/tmp', resolve(temporary)])].map(uriOfPath),
    tempDir: uriOfPath(resolve(temporary)),
    capabilities: { ...capabilities },
  };
}

/** The answer to `environmentConfig/read`: this server has no settings of an agent. */
export function emptyConfig({ home }: Pick<EnvironmentInfoOptions, 'home'>) {
  const directory = uriOfPath(homeOf({ home }));
  const layers = { layers: [], cloudInsertionIndex: 0 };
  return {
    userHomeDir: directory,
    codexHomeDir: directory,
    hostname: hostname(),
    config: layers,
    requirements: layers,
  };
}

function homeOf({ home }: Pick<EnvironmentInfoOptions, 'home'>): string {
  return home ?? homeDirectory(homedir);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
