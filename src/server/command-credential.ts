/**
 * Finds out whether a command with a network could connect to this server as a client and run another command outside of every sandbox. It looks at
 * settings and files, and refuses nothing.
 */
import { type Stats, statSync } from 'node:fs';
import type { Config } from '../config/config.js';
import type { RunAs } from '../process/os-process.js';

const OTHERS_READ = 0o004;
const GROUP_READ = 0o040;

type CredentialSettings = Pick<Config, 'wsAuth' | 'wsTokenFile' | 'wsTokenSha256' | 'wsSharedSecretFile'> & {
  readonly address: { readonly kind: string };
};

/**
 * The reason why a command could connect, with the remedy; undefined when it could not.
 * @param account the user that commands run as, if it is not the server's own
 */
export function reachableCredential(config: CredentialSettings, account: RunAs | undefined): string | undefined {
  if (config.address.kind === 'stdio') return undefined;
  if (config.wsAuth === undefined || config.wsAuth === 'none') {
    return 'a command with a network could connect to this server, which asks for no credential; set --ws-auth, or serve on stdio';
  }
  const [file, mend] =
    config.wsAuth === 'capability-token'
      ? [config.wsTokenFile, 'name the token by --ws-token-sha256']
      : [config.wsSharedSecretFile, 'sign tokens with a key of --ws-jwks-file'];
  if (file === undefined || !mayRead(file, account)) return undefined;
  return `a command with a network could read ${file} and connect to this server; ${mend}, or run commands as a user who cannot read it (--run-as)`;
}

/** Without another account the answer is yes, because the server's own user reads the file. */
function mayRead(file: string, account: RunAs | undefined): boolean {
  if (account === undefined || account.uid === 0) return true;
  let stats: Stats;
  try {
    stats = statSync(file);
  } catch {
    return true;
  }
  // The owner of the file can change its mode.
  if (stats.uid === account.uid) return true;
  // The other groups of the account are not known here, so a file that any group may read counts as readable.
  return (stats.mode & (OTHERS_READ | GROUP_READ)) !== 0;
}
